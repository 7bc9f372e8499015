"""Web coordinates, intervals against sets of integers, and the area ledger."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import GapReason, Interval, RegionMm
from streamer.web import (
    Coverage,
    Strip,
    WebGeometry,
    covered,
    intersect_intervals,
    merge_intervals,
)

GEOMETRY = WebGeometry(1000, 0.5, 0.2, 60.0, counts_per_line=2.5)
INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda p: Interval(p[0], p[0] + p[1])),
    max_size=8,
)


def members(intervals):
    return {n for i in intervals for n in range(i.first, i.end)}


def test_lines_and_metres():
    assert GEOMETRY.metres(5000) == pytest.approx(1.0)
    assert GEOMETRY.lines(1.0) == 5000
    assert GEOMETRY.lines(0.0001) == 1
    assert GEOMETRY.lines(0) == 0


@given(st.floats(0.01, 5), st.floats(0, 1000))
def test_lines_are_the_fewest_that_are_long_enough(line_mm, metres):
    geometry = WebGeometry(10, 1.0, line_mm, 60.0)
    lines = geometry.lines(metres)
    slack = 1e-9 * (1 + metres)
    assert geometry.metres(lines) >= metres - slack
    assert lines == 0 or geometry.metres(lines - 1) < metres + slack


def test_encoder_counts_round_to_the_nearest():
    assert [GEOMETRY.encoder(line) for line in (0, 1, 2, 1_000_000)] == [0, 2, 5, 2_500_000]


def test_travel_at_line_speed():
    assert GEOMETRY.travel_mm(0.5) == pytest.approx(500)


def test_a_region_is_in_millimetres_in_both_directions():
    region = GEOMETRY.region(Interval(10, 20), Interval(100, 200))
    assert region == RegionMm(2.0, 4.0, 50.0, 100.0)


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("bad", [0, -1])
def test_sizes_must_be_positive(index, bad):
    sizes = [1000, 0.5, 0.2, 60.0, 2.5]
    sizes[index] = bad
    with pytest.raises(ValueError, match="WebGeometry must be positive"):
        WebGeometry(*sizes)


@given(INTERVALS)
def test_merged_intervals_have_the_same_members_and_do_not_touch(intervals):
    merged = merge_intervals(intervals)
    assert members(merged) == members(intervals)
    assert all(a.end < b.first for a, b in zip(merged, merged[1:], strict=False))
    assert all(interval.size for interval in merged)
    assert covered(intervals) == len(members(intervals))


@given(INTERVALS, st.integers(0, 60), st.integers(0, 30))
def test_the_intersection_is_that_of_the_sets(intervals, first, size):
    window = Interval(first, first + size)
    cut = intersect_intervals(intervals, window)
    assert members(cut) == members(intervals) & members([window])


def test_coverage_adds_up_exactly():
    coverage = Coverage().add_captured(100).add_inspected(70).add_masked(10)
    assert not coverage.is_exact
    coverage = coverage.add_not_inspected(GapReason.TIMEOUT, 15)
    coverage = coverage.add_not_inspected(GapReason.OVERLOAD, 2)
    coverage = coverage.add_not_inspected(GapReason.TIMEOUT, 3)
    assert coverage.not_inspected == {GapReason.TIMEOUT: 18, GapReason.OVERLOAD: 2}
    assert coverage.not_inspected_total == 20
    assert coverage.is_exact
    assert coverage.not_inspected_percent == 20.0


def test_adding_gives_a_new_coverage():
    empty = Coverage()
    empty.add_captured(5).add_not_inspected(GapReason.TIMEOUT, 5)
    assert (empty.captured, empty.not_inspected) == (0, {})


def test_a_web_of_which_nothing_was_captured_was_not_inspected():
    assert Coverage().not_inspected_percent == 100.0
    assert Coverage().is_exact


def test_a_strip_has_a_row_for_every_started_stride():
    Strip(0, 17, 8, np.zeros((3, 4), np.float32), True, 0)
    with pytest.raises(ValueError, match=r"Strip.scores must have 3 rows, got \(2, 4\)"):
        Strip(0, 17, 8, np.zeros((2, 4), np.float32), True, 0)
