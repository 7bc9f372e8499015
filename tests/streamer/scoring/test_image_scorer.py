from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.scoring import image_scorer
from streamer.scoring.features import Edges, embed_web, learn_scale
from streamer.scoring.image_scorer import fitting_patch_size, score_image
from streamer.scoring.web_profile import learn_web_profile


@pytest.mark.parametrize(
    ("lines", "columns", "size"),
    [
        (500, 55, 7),
        (72, 72, 9),
        (64, 500, 7),
        (65, 65, 9),
        (17, 900, 3),
        (33, 40, 5),
        (900, 900, 9),
    ],
)
def test_largest_odd_patch_that_fits(lines: int, columns: int, size: int) -> None:
    assert fitting_patch_size(np.zeros((lines, columns), np.uint8), 8, 9) == size


@given(st.integers(17, 200), st.integers(17, 200), st.sampled_from([3, 5, 7, 9, 11]))
def test_fitting_patch_is_odd_fits_and_is_not_above_the_wanted(lines, columns, wanted) -> None:
    size = fitting_patch_size(np.zeros((lines, columns, 3), np.uint8), 8, wanted)
    assert size % 2 == 1
    assert 3 <= size <= min(wanted, -(-lines // 8), -(-columns // 8))


@pytest.mark.parametrize("shape", [(16, 500), (500, 16), (1, 1), (0, 50)])
def test_images_below_three_features_are_refused(shape) -> None:
    with pytest.raises(ValueError, match=r"image must be at least 17 pixels at each side, got \("):
        fitting_patch_size(np.zeros(shape, np.uint8), 8, 9)


@pytest.mark.parametrize("shape", [(128, 256), (131, 250), (250, 131)])
def test_map_does_not_depend_on_the_parts(backbone, lesson, web, monkeypatch, shape) -> None:
    pixels = web(*shape)
    whole = score_image(pixels, backbone, lesson)
    before = backbone.calls
    monkeypatch.setattr(image_scorer, "CORE_PIXELS", 60)
    in_parts = score_image(pixels, backbone, lesson)
    assert backbone.calls > before + 4
    np.testing.assert_allclose(in_parts.scores, whole.scores, atol=1e-6)
    assert whole.scores.shape == (-(-shape[0] // 8), -(-shape[1] // 8))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(72, 150), st.integers(72, 150), st.integers(8, 200))
def test_any_image_in_any_parts(backbone, lesson, lines, columns, core) -> None:
    pixels = np.random.default_rng(lines * columns).integers(0, 256, (lines, columns), np.uint8)
    whole = score_image(pixels, backbone, lesson)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_scorer, "CORE_PIXELS", core)
        parts = score_image(pixels, backbone, lesson)
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)


def test_image_profile_finds_its_flaw(backbone, lesson, web) -> None:
    pixels = web(256, 256)
    pixels[100:150, 60:100] = 255
    verdict = score_image(pixels, backbone, lesson)
    assert verdict.scores.max() > verdict.profile.calibration.alarm_level
    assert (verdict.stride, verdict.patch_size) == (8, 9)
    clean = score_image(web(256, 256), backbone, lesson)
    assert clean.scores.max() < clean.profile.calibration.alarm_level


def test_saved_profile_is_used_as_it_is(backbone, lesson, web, tile_of) -> None:
    saved = learn_web_profile([tile_of(web(128, 256, 5))], backbone, lesson)
    verdict = score_image(np.full((200, 200), 255, np.uint8), backbone, lesson, saved)
    assert verdict.profile is saved
    assert (verdict.scores > saved.calibration.alarm_level).mean() > 0.5
    other = replace(saved, backbone="another")
    with pytest.raises(ValueError, match="profile must be learnt with backbone"):
        score_image(web(200, 200), backbone, lesson, other)


def test_scale_of_unbounded_features_comes_from_a_sample_of_the_whole_image(
    unbounded_backbone, lesson, web, monkeypatch
) -> None:
    monkeypatch.setattr(image_scorer, "CORE_PIXELS", 64)
    pixels = web(256, 256)
    verdict = score_image(pixels, unbounded_backbone, lesson)
    whole = learn_scale([embed_web(unbounded_backbone, pixels, Edges())])
    np.testing.assert_allclose(verdict.profile.scale.factor, whole.factor, rtol=1e-5)


def test_nan_of_the_engine_is_an_error(backbone, lesson, web) -> None:
    backbone.broken = True
    with pytest.raises(RuntimeError, match="features must be finite"):
        score_image(web(128, 128), backbone, lesson)
