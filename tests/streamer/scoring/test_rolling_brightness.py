import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.brightness import LEAST_ALARM, LEAST_NOISE, LightStrip
from streamer.scoring.rolling_brightness import (
    ColumnLight,
    SegmentLight,
    brightness_profile,
    combine_columns,
    learn_columns,
)


def columns(*medians: float, first: int = 0, noise: float = 0.01) -> ColumnLight:
    return ColumnLight(np.array(medians, np.float32), first, noise)


def distances(seed: int, noise: float = 0.01) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).normal(0, noise, (40, 30))).astype(np.float32)


def test_a_segment_leaves_the_median_of_each_column_and_its_noise() -> None:
    rng = np.random.default_rng(0)
    light = (np.linspace(-1, 0, 6) + rng.normal(0, 0.02, (400, 6))).astype(np.float32)
    light[:, 2] = np.nan
    found = learn_columns([LightStrip(light[:200], 7), LightStrip(light[200:], 7)])
    assert (found.first_column, found.end_column) == (7, 13)
    assert np.isnan(found.median).tolist() == [n == 2 for n in range(6)]
    known = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(found.median[known], np.median(light[:, known], axis=0))
    assert found.noise == pytest.approx(0.02, rel=0.1)


def test_light_that_may_not_be_learnt_leaves_nothing() -> None:
    assert learn_columns([]) is None
    assert learn_columns([LightStrip(np.full((4, 3), np.nan, np.float32), 0)]) is None


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.lists(st.integers(-9, 9) | st.none(), min_size=3, max_size=3), min_size=1)
)
def test_columns_are_lower_medians_over_the_segments(values: list[list[int | None]]) -> None:
    parts = [columns(*(np.nan if v is None else v for v in one)) for one in values]
    found = combine_columns(parts, None).median
    for column in range(3):
        known = sorted(one[column] for one in values if one[column] is not None)
        if known:
            assert found[column] == known[(len(known) - 1) // 2]


def test_a_minority_of_segments_moves_nothing() -> None:
    parts = [columns(0.0, 0.0)] * 5 + [columns(-3.0, -3.0, noise=9.0)] * 4
    found = combine_columns(parts)
    assert found.median.tolist() == [0.0, 0.0]
    assert found.noise == 0.01


def test_columns_that_were_not_seen_keep_or_borrow(lesson) -> None:
    before = brightness_profile(columns(1.0, 2.0, 3.0), [distances(0)], None, lesson.target)
    found = combine_columns([columns(5.0, np.nan, first=1)], before)
    assert (found.first_column, found.median.tolist()) == (0, [1.0, 5.0, 3.0])
    alone = combine_columns([columns(5.0, np.nan, np.nan, 8.0)])
    assert alone.median.tolist() == [5.0, 5.0, 8.0, 8.0]
    # Lanes that wander.
    both = combine_columns([columns(1.0, first=2), columns(4.0, first=4)])
    assert (both.first_column, both.median.tolist()) == (2, [1.0, 1.0, 4.0])


def test_distances_are_calibrated_and_the_alarm_is_never_too_near(lesson) -> None:
    for noise in (0.001, 0.02):
        known = columns(0.0, 0.0, noise=noise)
        found = brightness_profile(known, [distances(1, noise)], None, lesson.target)
        alarm = found.noise * found.calibration.alarm_level
        assert alarm >= LEAST_ALARM * (1 - 1e-6)
        assert (alarm > 1.01 * LEAST_ALARM) == (noise > LEAST_NOISE * 100)


def test_on_web_that_was_masked_for_long_the_level_stays(lesson) -> None:
    first = brightness_profile(columns(0.0, noise=0.02), [distances(1, 0.02)], None, lesson.target)
    blank = np.full((4, 3), np.nan, np.float32)
    later = brightness_profile(columns(1.0, noise=0.5), [blank], first, lesson.target)
    assert (later.noise, later.calibration) == (first.noise, first.calibration)
    assert later.median.tolist() == [1.0]


def test_distances_are_kept_in_half_precision() -> None:
    given_map = distances(2)
    light = SegmentLight.of(None, [given_map])
    assert light.distances[0].dtype == np.float16
    np.testing.assert_allclose(light.distances[0], given_map, rtol=1e-3, atol=2**-24)
