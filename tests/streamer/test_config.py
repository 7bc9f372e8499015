"""Sections of the configuration: what follows from them, and that they cannot change."""

from typing import get_args

import pytest
from pydantic import ValidationError

from streamer import config
from streamer.config import Config


def test_line_rate_follows_speed_and_line():
    web = config.Web(pixel_mm=0.5, web_speed_m_min=60)
    assert (web.down_mm, web.line_rate_hz) == (0.5, 2000)
    assert config.Web(pixel_mm=0.5, line_mm=0.25, web_speed_m_min=60).line_rate_hz == 4000


def test_sections_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().web.pixel_mm = 1


def test_both_kinds_of_source_are_known():
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(config.Source)[0])}
    assert kinds == {"simulator", "replay"}


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
            {"profile": {"mode": "rolling", "window_m": 70}},
            r"must be <= 32 \* refresh_m = 32, got 70, 0 and 1.5",
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
