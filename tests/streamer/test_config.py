"""The whole configuration: how its sections fit, and its digest."""

import pytest
from pydantic import ValidationError

from streamer import config
from streamer.config import Config


def test_precision_and_channels_decide_verdicts():
    digests = {
        Config(backbone=config.Backbone(**keys)).digest
        for keys in ({}, {"channels": 64}, {"precision": "int8"}, {"engine": "openvino"})
    }
    assert len(digests) == 4


def test_bands_are_eight_features_with_a_rolling_profile_and_one_else():
    def width(**profile):
        return Config.model_validate({"profile": profile}).profile.band_width

    assert width(mode="rolling") == 8
    assert width(mode="rolling", band_features=0) is None
    assert width(mode="fixed") is None
    assert width(mode="fixed", band_features=16) == 16
    assert width(mode="per_tile", band_features=16) is None


@pytest.mark.parametrize(
    ("sections", "rule"),
    [
        (
            {"profile": {"mode": "rolling"}, "scoring": {"method": "fca"}},
            "profile.mode: rolling needs scoring.method: fca_fast, got fca",
        ),
        (
            {"profile": {"band_features": 8}, "scoring": {"method": "fca"}},
            "profile.band_features needs scoring.method: fca_fast, got fca",
        ),
        (
            {"profile": {"mode": "rolling"}, "scoring": {"reference": "knn"}},
            "profile.mode: rolling needs scoring.reference: median, got knn",
        ),
        (
            {"profile": {"band_features": 8}, "scoring": {"reference": "random"}},
            "profile.band_features needs scoring.reference: median, got random",
        ),
        (
            {"profile": {"mode": "rolling", "window_m": 70}},
            r"must be <= 32 \* refresh_m = 32, got 70, 0, 1.5, 1",
        ),
        (
            {"profile": {"mode": "rolling", "change_m": 33}},
            r"change_m must be <= 32 \* refresh_m = 32, got 10, 0, 1.5, 33",
        ),
        (
            {"profile": {"mode": "fixed", "prototypes": 2}},
            "prototypes = 2 needs mode: rolling, got mode: fixed",
        ),
        (
            {"profile": {"mode": "rolling", "prototypes": 2, "band_features": 0}},
            "prototypes = 2 needs band_features > 0, got 0; 4096 is one band",
        ),
        (
            {"profile": {"mode": "rolling", "prototypes": 8}},
            r"window_m \+ delay_m must be <= 64 / prototypes \* refresh_m = 8, got 10",
        ),
        (
            {"profile": {"mode": "rolling", "file": "p"}},
            "file needs mode: fixed, got mode: rolling",
        ),
    ],
)
def test_a_profile_that_cannot_be_made_is_explained(sections, rule):
    with pytest.raises(ValidationError, match=rule):
        Config.model_validate(sections)


DETECTORS = pytest.mark.parametrize("detector", ["brightness", "lines"])


@DETECTORS
@pytest.mark.parametrize(
    ("given", "known"), [(True, "on"), (False, "off"), ("on", "on"), ("off", "off")]
)
def test_a_detector_is_switched_by_a_bare_word_of_yaml(detector, given, known):
    assert getattr(config.Scoring(**{detector: given}), detector) == known


@DETECTORS
@pytest.mark.parametrize("given", [1, "auto", None])
def test_a_detector_is_on_or_off(detector, given):
    with pytest.raises(ValidationError, match="Input should be 'on' or 'off'"):
        config.Scoring(**{detector: given})


@pytest.mark.parametrize(
    ("detector", "mode", "modes"),
    [
        ("brightness", "per_tile", "fixed or rolling"),
        ("lines", "per_tile", "fixed"),
        ("lines", "rolling", "fixed"),
    ],
)
def test_a_detector_needs_a_profile_that_lasts(detector, mode, modes):
    sections = {"scoring": {detector: "on"}, "profile": {"mode": mode}}
    rule = f"scoring.{detector}: on needs profile.mode: {modes}, got {mode}; use"
    with pytest.raises(ValidationError, match=rule):
        Config.model_validate(sections)
    assert getattr(Config.model_validate(sections | {"scoring": {}}).scoring, detector) == "off"


@pytest.mark.parametrize("profile", [{"mode": "rolling"}, {"band_features": 8}])
def test_brightness_goes_with_bands_that_are_learnt_on_the_line(profile):
    sections = {"scoring": {"brightness": "on"}, "profile": profile}
    assert Config.model_validate(sections).scoring.brightness == "on"


def test_lines_with_bands_need_a_file():
    sections = {"scoring": {"lines": "on"}, "profile": {"band_features": 8}}
    with pytest.raises(ValidationError, match=r"needs profile.file, got null; .*calibrate --out"):
        Config.model_validate(sections)
    sections["profile"]["file"] = "linen.safetensors"
    assert Config.model_validate(sections).scoring.lines == "on"


@DETECTORS
def test_a_detector_changes_the_digest(detector):
    assert Config().digest != Config.model_validate({"scoring": {detector: True}}).digest
