from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.message import Interval
from streamer.scoring.seen_light import (
    columns_of,
    first_brightness,
    lit,
    next_brightness,
    segment_light,
    without_alarmed,
)
from streamer.scoring.seen_tile import Levels, SeenTile

ROWS, COLUMNS = 16, 24
STAIN = (slice(6, 10), slice(8, 14))


def seen(sequence: int, gain: float = 0.0, stain: float = 0.0) -> SeenTile:
    """A tile whose light is `gain` brighter, with a stain in it, and whose texture is normal."""
    rng = np.random.default_rng(sequence)
    light = (gain - 1 + rng.normal(0, 0.01, (ROWS, COLUMNS))).astype(np.float32)
    light[STAIN] += stain
    place = Interval(sequence * 8 * ROWS, (sequence + 1) * 8 * ROWS)
    features = torch.zeros(4, ROWS, COLUMNS, dtype=torch.uint8)
    scores = np.full((ROWS, COLUMNS), 0.2, np.float32)
    return SeenTile(sequence, place, 3, False, features, scores, Levels(0.1, 0.9), light)


@pytest.fixture
def normal(lesson):
    return first_brightness([[seen(n)] for n in range(4)], np.inf, lesson.target)[0]


def test_what_is_farther_from_normal_counts(normal) -> None:
    tile = lit(seen(5, stain=-0.2), normal)
    assert tile.normalised[STAIN].min() > 1
    assert not tile.may_be_learnt(0.8)[STAIN].any()
    assert tile.may_be_learnt(0.8).mean() > 0.8
    assert tile.foreign_share(0.8) == pytest.approx(24 / (ROWS * COLUMNS), abs=0.05)
    assert lit(tile, None).brightness is None
    np.testing.assert_array_equal(lit(tile, None).normalised, seen(5).normalised)
    blind = replace(tile, light=None)
    assert lit(blind, normal).brightness is None


def test_a_stain_is_not_learnt(normal) -> None:
    tiles = [lit(seen(n, stain=-0.2), normal) for n in range(4)]
    gated, open_ = (columns_of(tiles, gate) for gate in (0.8, np.inf))
    assert gated.first_column == 3
    np.testing.assert_allclose(gated.median, -1, atol=0.01)
    assert open_.noise >= gated.noise
    assert columns_of([replace(tile, light=None) for tile in tiles], 0.8) is None
    assert columns_of([replace(tiles[0], light=np.full_like(tiles[0].scores, np.nan))], 1) is None


def test_alarms_do_not_calibrate(normal) -> None:
    tiles = [lit(seen(n, stain=-0.2), normal) for n in range(2)]
    light = segment_light(tiles, columns_of(tiles, 0.8), normal)
    (whole,) = light.distances  # the two tiles are one piece of web
    assert whole.shape == (2 * ROWS, COLUMNS)
    assert whole[STAIN].min() > 0.1
    (kept,) = without_alarmed(light, tiles, 2).distances
    assert np.isnan(kept[STAIN]).all()
    assert np.nanmax(kept) < 0.1
    assert np.isfinite(kept).mean() > 0.6


def test_normal_follows_the_segments_and_stays_where_they_are_mute(normal, lesson) -> None:
    tiles = [[lit(seen(n, 0.015), normal)] for n in range(4, 9)]
    lights = [segment_light(one, columns_of(one, 0.8), normal) for one in tiles]
    later = next_brightness(lights, normal, lesson.target)
    np.testing.assert_allclose(later.median.numpy(), normal.median.numpy() + 0.015, atol=0.01)
    assert next_brightness([], normal, lesson.target) is normal


def test_without_light_there_is_nothing_to_be_learnt(lesson) -> None:
    dark = [[replace(seen(n), light=None)] for n in range(2)]
    assert first_brightness(dark, np.inf, lesson.target) == (None, [None, None])
