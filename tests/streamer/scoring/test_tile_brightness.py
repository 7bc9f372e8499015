"""Brightness beside texture in the scores of tiles: merged, learnt, handed on, refused."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.config import Config
from streamer.message import Halo
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile


def scorer_of(backbone, settings: Config, geometry, **sections: object) -> TileScorer:
    changed = Config.model_validate(settings.model_dump() | sections)
    return open_tile_scorer(backbone, changed, geometry, "w1")


@pytest.fixture
def scorer(backbone, settings, geometry) -> TileScorer:
    return scorer_of(backbone, settings, geometry)


BRIGHT = {"scoring": {"levels": 16, "sigma_blur": 1.0, "brightness": "on"}}


def shaded(pixels: np.ndarray, gain: float, lines: slice) -> np.ndarray:
    """With lines of another brightness and the same threads."""
    changed = pixels.astype(np.float32)
    changed[lines] *= gain
    return changed.clip(0, 255).astype(np.uint8)


def even(columns: int, seed: int) -> np.ndarray:
    """A weave under light that falls off to the right, (128, columns)."""
    y, x = np.mgrid[0:128, 0:columns]
    weave = (110 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)) * (1 - 0.4 * x / columns)
    return (weave + np.random.default_rng(seed).normal(0, 8, weave.shape)).clip(0, 255).astype("u1")


@pytest.fixture
def bright(backbone, settings, geometry) -> TileScorer:
    return scorer_of(backbone, settings, geometry, **BRIGHT)


def test_brightness_raises_scores_in_units_of_the_texture(bright, scorer, tile_of) -> None:
    tiles = [tile_of(even(256, seed), seed) for seed in range(4)]
    tiles.append(tile_of(shaded(even(256, 5), 0.75, slice(40, 88)), 4))
    plain, found = ([one.score(tile).score_map for tile in tiles] for one in (scorer, bright))
    for alone, both in zip(plain[:3], found[:3], strict=True):  # judged by themselves
        np.testing.assert_array_equal(alone.scores, both.scores)
    for alone, both in zip(plain[3:], found[3:], strict=True):
        assert both.background == alone.background
        assert both.alarm_level >= alone.alarm_level  # they share the false alarms
    assert plain[3].profile_digest != found[3].profile_digest
    assert found[3].scores.max() < found[3].alarm_level
    assert (found[4].scores >= plain[4].scores).all()
    assert found[4].scores[7:9].min() > found[4].alarm_level  # every column of the bar
    assert found[4].evidence is not None
    assert found[4].scores[13:].max() < found[4].alarm_level  # boxes beyond the bar


def test_brightness_goes_with_the_profile_to_another_worker(
    bright, backbone, settings, geometry, tile_of
) -> None:
    tiles = [tile_of(even(256, seed), seed) for seed in range(4)]
    tiles.append(tile_of(shaded(even(256, 5), 1.3, slice(40, 88)), 4))
    verdicts = [bright.score(tile) for tile in tiles]
    other = scorer_of(backbone, settings, geometry, **BRIGHT)
    other.adopt(verdicts[3].profile)
    again = other.score(tiles[4]).score_map
    np.testing.assert_array_equal(again.scores, verdicts[4].score_map.scores)
    assert again.scores.max() > again.alarm_level


def test_a_lane_is_judged_by_its_own_columns(bright, tile_of) -> None:
    place = {"first_column": 512, "column_count": 128, "halo": Halo(left=64, right=64)}
    for sequence in range(4):
        score_map = bright.score(tile_of(even(256, sequence), sequence, **place)).score_map
    assert score_map.scores.max() < score_map.alarm_level
    assert score_map.scores.shape == (16, 16)


def test_masked_columns_are_not_judged_by_brightness(bright, tile_of, masked) -> None:
    for sequence in range(3):
        bright.score(tile_of(even(256, sequence), sequence, masked=masked))
    pixels = even(256, 3)
    pixels[:, 100:117] = shaded(pixels[:, 100:117], 0.8, slice(None))
    score_map = bright.score(tile_of(pixels, 3, masked=masked)).score_map
    assert np.flatnonzero(np.isnan(score_map.scores).all(axis=0)).tolist() == [12, 13, 14]
    assert np.isfinite(np.delete(score_map.scores, [12, 13, 14], axis=1)).all()


def test_a_saved_profile_judges_brightness_only_where_it_is_asked_for(
    backbone, settings, geometry, lesson, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    tile = tile_of(shaded(even(256, 5), 0.75, slice(40, 88)), 7)
    lit = [tile_of(even(256, seed), seed) for seed in range(3)]
    learn_web_profile(lit, backbone, replace(lesson, brightness=True)).save(path)
    alarmed, named = [], []
    for wanted in ({}, BRIGHT):
        one = scorer_of(backbone, settings, geometry, profile={"file": str(path)}, **wanted)
        found = one.score(tile).score_map
        alarmed.append(bool(found.scores[7:9].min() > found.alarm_level))
        named.append(one.description.endswith(", with brightness"))
    assert alarmed == named == [False, True]


def test_a_saved_profile_that_knows_no_brightness_is_refused_where_it_is_asked_for(
    backbone, settings, geometry, lesson, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    learn_web_profile([tile_of(even(256, 0))], backbone, lesson).save(path)
    file = {"profile": {"file": str(path)}}
    scorer_of(backbone, settings, geometry, **file)  # asks for texture alone
    with pytest.raises(ValueError, match=r"linen\.safetensors: profile must know the brightness"):
        scorer_of(backbone, settings, geometry, **file, **BRIGHT)
