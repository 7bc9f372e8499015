from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.correction.still import Still
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


class TestMasked:
    """What is off the web is neither learnt from nor judged, and the web beside it is."""

    def masked(self, size: tuple[int, int], *places: tuple[slice, slice]) -> np.ndarray:
        off_web = np.zeros(size, dtype=bool)
        for place in places:
            off_web[place] = True
        return off_web

    def test_beside_a_straight_margin_the_web_scores_as_if_it_were_the_image(
        self, backbone, lesson, web
    ) -> None:
        cloth = web(128, 256)
        strip = np.concatenate([np.full((128, 80), 255, np.uint8), cloth], axis=1)
        off_web = self.masked(strip.shape, (slice(None), slice(80)))
        verdict = score_image(Still(strip, off_web), backbone, lesson)
        alone = score_image(cloth, backbone, lesson)
        assert np.isnan(verdict.scores[:, :10]).all()
        np.testing.assert_array_equal(verdict.scores[:, 10:], alone.scores)
        assert verdict.profile.digest == alone.profile.digest

    @settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.tuples(*[st.integers(0, 6)] * 4).filter(any), st.integers(0, 255), st.integers(0, 99))
    def test_what_lies_beyond_the_web_changes_nothing(
        self, backbone, lesson, web, cells, value, seed
    ) -> None:
        top, bottom, left, right = (8 * size for size in cells)
        around = ((top, bottom), (left, right))
        cloth = web(120, 150, seed)
        pixels = np.pad(cloth, around, constant_values=value)
        off_web = np.pad(np.zeros(cloth.shape, bool), around, constant_values=True)
        scores = score_image(Still(pixels, off_web), backbone, lesson).scores
        rows, columns = slice(top // 8, top // 8 + 15), slice(left // 8, left // 8 + 19)
        alone = score_image(cloth, backbone, lesson).scores
        # Where the web ends inside a cell, another edge is mirrored than at the image's end.
        np.testing.assert_allclose(scores[rows, columns][:, :9], alone[:, :9], atol=0.02)
        assert np.isfinite(scores).sum() == alone.size

    def test_an_edge_across_the_grid_is_no_edge_for_the_score(self, backbone, lesson, web) -> None:
        pixels = web(200, 300)
        slanted = np.arange(300) < (40 + 0.2 * np.arange(200))[:, None]
        pixels[slanted] = 255
        unmasked = score_image(pixels, backbone, lesson)
        verdict = score_image(Still(pixels, slanted), backbone, lesson)
        calibration = verdict.profile.calibration
        assert np.nanmax(calibration.normalise(verdict.scores)) < 1
        assert np.nanmax(verdict.scores) < 0.5 * unmasked.scores.max()

    def test_a_flaw_beside_a_margin_is_still_found(self, backbone, lesson, web) -> None:
        pixels = web(256, 300)
        pixels[:, :60] = 255
        pixels[100:140, 64:110] = 0
        off_web = self.masked(pixels.shape, (slice(None), slice(60)))
        verdict = score_image(Still(pixels, off_web), backbone, lesson)
        row, column = np.unravel_index(np.nanargmax(verdict.scores), verdict.scores.shape)
        assert 11 <= row <= 19
        assert 7 <= column <= 15

    def test_an_empty_mask_is_no_mask(self, backbone, lesson, web) -> None:
        pixels = web(128, 200)
        verdict = score_image(Still(pixels, np.zeros(pixels.shape, bool)), backbone, lesson)
        plain = score_image(pixels, backbone, lesson)
        np.testing.assert_array_equal(verdict.scores, plain.scores)

    def test_a_saved_profile_judges_the_web_alone(self, backbone, lesson, web, tile_of) -> None:
        saved = learn_web_profile([tile_of(web(128, 256, 5))], backbone, lesson)
        pixels = web(128, 256, 6)
        off_web = self.masked(pixels.shape, (slice(40, 80), slice(100, 150)))
        pixels[off_web] = 255
        verdict = score_image(Still(pixels, off_web), backbone, lesson, saved)
        assert verdict.profile is saved
        assert np.isnan(verdict.scores[5:10, 13:18]).all()
        assert np.nanmax(verdict.scores) < saved.calibration.alarm_level

    def test_a_learnt_scale_comes_from_the_web_alone(
        self, unbounded_backbone, lesson, web, monkeypatch
    ) -> None:
        monkeypatch.setattr(image_scorer, "CORE_PIXELS", 64)
        pixels = web(256, 256)
        off_web = self.masked(pixels.shape, (slice(64, 128), slice(64, 160)))
        pixels[off_web] = 0
        scale = score_image(Still(pixels, off_web), unbounded_backbone, lesson).profile.scale
        features = embed_web(unbounded_backbone, image_scorer.mirror_web(pixels, off_web), Edges())
        kept = features.flatten(1)[:, ~off_web[::8, ::8].ravel()][:, None]
        expected = learn_scale([kept])
        np.testing.assert_allclose(scale.offset, expected.offset, atol=1e-5)
        np.testing.assert_allclose(scale.factor, expected.factor, rtol=1e-4)

    def test_without_any_web_there_is_no_verdict(self, backbone, lesson, web) -> None:
        pixels = web(128, 128)
        with pytest.raises(ValueError, match="image must show web, got nothing that is not masked"):
            score_image(Still(pixels, np.ones(pixels.shape, bool)), backbone, lesson)

    def test_web_in_pieces_smaller_than_a_window_is_no_web_to_learn_from(
        self, backbone, lesson, web
    ) -> None:
        pixels = web(200, 200)
        off_web = np.zeros(pixels.shape, bool)
        off_web[:, ::64], off_web[::64] = True, True
        off_web = np.kron(off_web[::8, ::8], np.ones((8, 8), bool))
        text = "must hold a window of 9 x 9 features, got 441 in smaller pieces; mask less"
        with pytest.raises(ValueError, match=text):
            score_image(Still(pixels, off_web), backbone, lesson)


def test_a_strip_judged_by_itself_has_an_even_background_and_a_saved_profile_none(
    backbone, lesson, web, tile_of
) -> None:
    pixels = (web(128, 1600) * np.linspace(1, 0.5, 1600)).astype(np.uint8)
    plain = score_image(Still(pixels), backbone, lesson).scores
    evened = score_image(Still(pixels, evens_background=True), backbone, lesson).scores
    spread = [
        np.std([np.median(part) for part in np.array_split(one, 8, axis=1)]) / np.median(one)
        for one in (plain, evened)
    ]
    assert spread[1] < 0.7 * spread[0]
    saved = learn_web_profile([tile_of(web(128, 256, 5))], backbone, lesson)
    judged = [
        score_image(Still(pixels, evens_background=on), backbone, lesson, saved).scores
        for on in (False, True)
    ]
    np.testing.assert_array_equal(*judged)
