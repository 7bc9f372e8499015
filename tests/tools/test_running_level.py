import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_level import at_level, running_levels

from streamer.calibration import CalibrationTarget, calibrate
from streamer.web import WebGeometry

LEVELS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=30)


def target(rate: float = 1.0) -> CalibrationTarget:
    return CalibrationTarget(WebGeometry(1024, 0.5, 0.5, 60.0), 72, 1, rate)


@given(LEVELS, st.integers(1, 9))
def test_a_running_level_is_the_median_of_what_came_before(
    levels: list[float], window: int
) -> None:
    running = running_levels(np.array(levels), window)
    for index, value in enumerate(running):
        assert value == np.median(levels[max(0, index - window + 1) : index + 1])


@given(LEVELS, st.integers(1, 9), st.integers(0, 30))
def test_what_comes_later_changes_nothing(levels: list[float], window: int, cut: int) -> None:
    whole = running_levels(np.array(levels), window)
    np.testing.assert_array_equal(running_levels(np.array(levels[:cut]), window), whole[:cut])


def test_stretches_without_web_are_left_out() -> None:
    running = running_levels(np.array([np.nan, 2.0, np.nan, 4.0]), 2)
    np.testing.assert_array_equal(running, [np.nan, 2.0, 2.0, 4.0])
    with pytest.raises(ValueError, match="window must be > 0, got 0"):
        running_levels(np.ones(3), 0)


def test_one_bad_stretch_does_not_move_the_level() -> None:
    levels = np.ones(9)
    levels[4] = 50.0
    np.testing.assert_array_equal(running_levels(levels, 3), np.ones(9))


def test_a_calibration_in_units_of_the_level_comes_back_to_raw_scores() -> None:
    scores = np.random.default_rng(1).exponential(1.0, (300, 14)).astype(np.float32) + 1
    plain = calibrate([scores], target())
    there = at_level(calibrate([scores / np.float32(2)], target()), 2.0)
    assert there.alarm_level == pytest.approx(plain.alarm_level, rel=1e-5)
    assert there.background == pytest.approx(plain.background, rel=1e-5)
    assert there.level_interval == pytest.approx(plain.level_interval, rel=1e-4)
    assert there.rate_interval == pytest.approx(plain.rate_interval, rel=1e-3)
    with pytest.raises(ValueError, match=r"level must be > 0, got 0.0"):
        at_level(plain, 0.0)


def test_lane_levels_are_scaled_too() -> None:
    rng = np.random.default_rng(2)
    maps = [offset + rng.exponential(1.0, (60, 14)) for offset in (1.0, 4.0)]
    made = calibrate(maps, target(), lanes=(0, 1))
    for before, after in zip(made.lane_levels, at_level(made, 3.0).lane_levels, strict=True):
        assert after.alarm_level == pytest.approx(3 * before.alarm_level)
        assert (after.lane, after.blocks) == (before.lane, before.blocks)


def test_normalised_levels_follow_a_drifting_web() -> None:
    """The level of the web doubles: a level learnt before it alarms without end."""
    rng = np.random.default_rng(3)
    levels = np.linspace(1.0, 2.0, 60)
    tiles = [level * (1 + 0.1 * rng.exponential(1.0, (14, 14))) for level in levels]
    fixed = calibrate(tiles[:30], target(rate=40.0)).alarm_level
    running = running_levels(np.array([np.median(tile) for tile in tiles]), 5)
    units = [tile / level for tile, level in zip(tiles, running, strict=True)]
    normalised = calibrate(units[:30], target(rate=40.0))
    later = range(30, 60)
    missed = sum((tiles[i] > fixed).sum() for i in later)
    kept = sum((tiles[i] > at_level(normalised, running[i]).alarm_level).sum() for i in later)
    assert missed > 100
    assert kept < 30  # 5.6 are wanted in 5880 blocks
