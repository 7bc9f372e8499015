"""Lines, and lines with brightness, beside texture: merged, learnt, handed on, refused."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.config import Config
from streamer.message import Halo, Interval
from streamer.scoring.detectors import Look, add_detectors, learn_detectors, look, see_lines
from streamer.scoring.line_contrast import CHANNELS, log_contrast, turned_contrast
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile

LINED = {"scoring": {"levels": 16, "sigma_blur": 1.0, "lines": "on"}}
BOTH = {"scoring": LINED["scoring"] | {"brightness": "on"}}


def scorer_of(backbone, settings: Config, geometry, **sections: object) -> TileScorer:
    changed = Config.model_validate(settings.model_dump() | sections)
    return open_tile_scorer(backbone, changed, geometry, "w1")


def even(seed: int, gain: float = 1.0) -> np.ndarray:
    """A weave under light that falls off to the right, with a line 2 pixels wide, (128, 256)."""
    y, x = np.mgrid[0:128, 0:256]
    weave = (110 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)) * (1 - 0.4 * x / 256)
    weave[:, 140:142] *= gain
    return (weave + np.random.default_rng(seed).normal(0, 8, weave.shape)).clip(0, 255).astype("u1")


@pytest.fixture
def both(lesson):
    return replace(lesson, brightness=True, lines=True)


def test_only_what_is_asked_for_is_looked_at(lesson, both, tile_of) -> None:
    tile = tile_of(even(0))
    alone = look(tile, lesson)
    assert (alone.light, alone.lines) == (None, None)
    seen = look(tile, both)
    np.testing.assert_array_equal(seen.lines.contrast, log_contrast(tile.pixels, 8))
    np.testing.assert_array_equal(seen.lines.turned, turned_contrast(tile.pixels, 8))
    assert seen.light.light.shape == (16, 32)
    lined = look(tile, replace(lesson, lines=True))
    assert lined.light is None
    assert lined.lines.first_strip == 0


def test_the_core_is_learnt_from_and_the_halo_is_seen(tile_of) -> None:
    place = {"first_column": 64, "column_count": 128, "line_count": 96}
    tile = tile_of(even(0), halo=Halo(top=16, bottom=16, left=64, right=64), **place)
    seen = see_lines(tile, 8)
    assert seen.contrast.shape == (CHANNELS, 16, 64)
    assert seen.core.shape == (CHANNELS, 12, 32)
    assert (seen.first_strip, seen.core_first_strip) == (0, 16)
    masked = see_lines(replace(tile, masked=(Interval(80, 90),)), 8)
    hidden = np.isnan(masked.contrast).all(axis=(0, 1))
    assert np.flatnonzero(hidden).tolist() == [20, 21, 22, 23]
    assert seen.turned[seen.turned_place].shape == (16, 24)
    assert np.flatnonzero(np.isnan(masked.turned).all(axis=1)).tolist() == [10, 11]


def test_detectors_that_are_not_asked_for_are_not_learnt(backbone, lesson, both, tile_of) -> None:
    tiles = [tile_of(even(seed), seed) for seed in range(3)]
    plain = learn_web_profile(tiles, backbone, lesson)
    looks = [look(tile, both) for tile in tiles]
    for asked in (lesson, replace(lesson, lines=True), replace(lesson, brightness=True), both):
        learnt = learn_detectors(plain, looks, asked)
        assert (learnt.brightness is not None, learnt.lines is not None) == (
            asked.brightness,
            asked.lines,
        )
        assert replace(learnt, brightness=None, lines=None).digest == plain.digest
    shuffled = learn_detectors(plain, looks[::-1], both)
    assert np.array_equal(shuffled.lines.median, learnt.lines.median)
    assert learn_detectors(plain, [Look()], both).lines is None


def test_scores_are_raised_by_what_a_profile_knows_and_the_line_asks_for(
    backbone, both, lesson, tile_of
) -> None:
    profile = learn_web_profile([tile_of(even(seed), seed) for seed in range(3)], backbone, both)
    tile, scores = tile_of(even(5, 1.35)), np.zeros((16, 32), np.float32)
    raised = add_detectors(tile, scores, profile, both)
    level = profile.calibration.alarm_level
    assert raised[4:12, 17].min() > level
    assert np.delete(raised, range(15, 20), axis=1).max() < level
    np.testing.assert_array_equal(add_detectors(tile, scores, profile, lesson), scores)
    unknown = replace(profile, brightness=None, lines=None)
    np.testing.assert_array_equal(add_detectors(tile, scores, unknown, both), scores)


def test_a_faint_thread_across_the_web_is_found(backbone, lesson, tile_of) -> None:
    asked = replace(lesson, lines=True)
    profile = learn_web_profile([tile_of(even(seed), seed) for seed in range(3)], backbone, asked)
    web = even(5).astype(np.float64)
    web[60:64, 40:220] *= 1.15
    scores, level = np.zeros((16, 32), np.float32), profile.calibration.alarm_level
    crossed = add_detectors(tile_of(web.clip(0, 255).astype("u1")), scores, profile, asked)
    assert crossed[7, 10:22].min() > level
    assert np.delete(crossed, range(6, 10), axis=0).max() < level


@pytest.mark.parametrize("asked", [LINED, BOTH])
def test_a_faint_line_is_found_with_the_profile_and_by_another_worker(
    asked, backbone, settings, geometry, tile_of
) -> None:
    tiles = [tile_of(even(seed, 1.0 if seed < 4 else 1.35), seed) for seed in range(5)]
    plain, lined = (scorer_of(backbone, settings, geometry, **one) for one in ({}, asked))
    alone, found = ([one.score(tile) for tile in tiles] for one in (plain, lined))
    np.testing.assert_array_equal(alone[1].score_map.scores, found[1].score_map.scores)
    missed, seen = alone[4].score_map, found[4].score_map
    assert missed.scores.max() < missed.alarm_level
    assert found[3].score_map.scores.max() < seen.alarm_level
    assert seen.scores[4:12, 17].min() > seen.alarm_level
    assert lined.description.endswith("lines")
    other = scorer_of(backbone, settings, geometry, **asked)
    other.adopt(found[3].profile)
    np.testing.assert_array_equal(other.score(tiles[4]).score_map.scores, seen.scores)


def test_masked_columns_are_not_judged_by_lines(
    backbone, settings, geometry, tile_of, masked
) -> None:
    lined = scorer_of(backbone, settings, geometry, **LINED)
    for sequence in range(4):
        found = lined.score(tile_of(even(sequence), sequence, masked=masked)).score_map
    assert np.flatnonzero(np.isnan(found.scores).all(axis=0)).tolist() == [12, 13, 14]


def test_a_saved_profile_that_knows_no_lines_is_refused_where_they_are_asked_for(
    backbone, settings, geometry, lesson, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    bright = replace(lesson, brightness=True)
    learn_web_profile([tile_of(even(0))], backbone, bright).save(path)
    file = {"profile": {"file": str(path)}}
    scorer_of(backbone, settings, geometry, **file)
    rule = r"linen\.safetensors: profile must know the lines for scoring.lines: on, got one without"
    with pytest.raises(ValueError, match=rule):
        scorer_of(backbone, settings, geometry, **file, **BOTH)
    learn_web_profile([tile_of(even(0))], backbone, replace(bright, lines=True)).save(path)
    again = scorer_of(backbone, settings, geometry, **file, **BOTH)
    assert again.description.endswith(", with brightness and lines")
