"""The coverage bar adds up, and no gap is too short to be seen."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Interval
from streamer.outputs.defect_log import CoverageRow
from streamer.outputs.report_coverage import (
    COVERAGE_BINS,
    SMALLEST_GAP,
    camera_at,
    camera_spans,
    coverage_runs,
    gap_tracks,
    merged_marks,
    status_colours,
)
from streamer.outputs.report_figures import Mark


def row(first, end, status, columns=(0, 10), lane=0):
    return CoverageRow("cam0", lane, Interval(first, end), Interval(*columns), status)


def test_a_whole_roll_is_one_green_run():
    (run,) = coverage_runs([row(0, 512, "inspected"), row(512, 1000, "inspected")], 1000)
    assert (run.status, run.x, run.width, run.y, run.height) == ("inspected", 0, 520, 0.0, 1.0)


def test_lanes_stack_cross_web_and_gaps_lie_between_inspected_and_masked():
    rows = [
        row(0, 1000, "inspected", (0, 50)),
        row(0, 500, "inspected", (50, 90), 1),
        row(500, 1000, "timeout", (50, 90), 1),
        row(0, 1000, "masked", (90, 100), 1),
    ]
    runs = coverage_runs(rows, 1000)
    assert [(r.status, r.x, r.y, pytest.approx(r.height)) for r in runs] == [
        ("inspected", 0, 0.0, 0.9),
        ("masked", 0, 0.9, 0.1),
        ("inspected", 260, 0.0, 0.5),
        ("timeout", 260, 0.5, 0.4),
        ("masked", 260, 0.9, 0.1),
    ]


def test_lines_that_nobody_accounts_for_stay_empty():
    (run,) = coverage_runs([row(0, 500, "inspected")], 1000)
    assert run.width == COVERAGE_BINS // 2


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.integers(1, 3))
def test_the_bar_is_full_wherever_there_is_coverage(lengths, lanes):
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    rows = [
        row(end - length, end, ("inspected", "overload", "masked")[(i + lane) % 3], lane=lane)
        for i, (end, length) in enumerate(zip(ends, lengths, strict=True))
        for lane in range(lanes)
    ]
    total = {}
    for run in coverage_runs(rows, ends[-1]):
        for x in range(run.x, run.x + run.width):
            total[x] = total.get(x, 0) + run.height
    assert sorted(total) == list(range(COVERAGE_BINS))
    assert all(math.isclose(share, 1, abs_tol=0.002) for share in total.values())


@pytest.mark.parametrize(("rows", "lines"), [([], 100), ([row(0, 1, "inspected")], 0)])
def test_no_coverage_is_no_bar(rows, lines):
    assert coverage_runs(rows, lines) == []


def test_every_reason_has_a_colour_of_its_own():
    colours = status_colours({"timeout", "overload", "inspected"})
    assert len({colours[s] for s in ("inspected", "masked", "timeout", "overload")}) == 4


def test_a_gap_of_one_line_in_ten_kilometres_is_seen():
    lines = 20_000_000
    rows = [row(0, 10_000_000, "inspected"), row(10_000_000, 10_000_001, "timeout")]
    (track,) = gap_tracks(rows, lines, 0.0005)
    ((first, end),) = track.stretches
    assert end - first == pytest.approx(SMALLEST_GAP, abs=0.02)
    assert first < COVERAGE_BINS / 2 < end
    assert track.metres == pytest.approx(0.0005)


def test_each_reason_has_a_track_and_the_metres_of_its_lanes_count_once():
    rows = [
        row(0, 100, "timeout", lane=0),
        row(50, 150, "timeout", (10, 20), lane=1),
        row(300, 310, "overload"),
        row(0, 1000, "masked"),
    ]
    overload, timeout = gap_tracks(rows, 1000, 0.5)
    assert (overload.status, timeout.status) == ("overload", "timeout")
    assert (timeout.metres, overload.metres) == (75.0, 5.0)
    assert len(timeout.stretches) == 1


@given(st.lists(st.tuples(st.integers(0, 990), st.integers(1, 200)), min_size=1, max_size=20))
def test_tracks_stay_in_the_bar_and_do_not_overlap(spans):
    rows = [row(a, min(a + n, 1000), "timeout") for a, n in spans]
    (track,) = gap_tracks(rows, 1000, 1.0)
    last = -1.0
    for first, end in track.stretches:
        assert last < first < end <= COVERAGE_BINS
        assert first >= 0
        last = end


def test_marks_that_touch_become_one():
    marks = [Mark(0, 10, 5, 2), Mark(10, 5, 5, 2), Mark(40, 1, 5, 2), Mark(3, 4, 9, 2)]
    found = sorted((m.x, m.width, m.y) for m in merged_marks(marks))
    assert found == [(0, 15, 5), (3, 4, 9), (40, 1, 5)]


def test_cameras_have_their_columns_from_left_to_right():
    rows = [
        CoverageRow("b", 0, Interval(0, 9), Interval(50, 100), "inspected"),
        CoverageRow("a", 0, Interval(0, 9), Interval(0, 30), "inspected"),
        CoverageRow("a", 1, Interval(0, 9), Interval(30, 50), "timeout"),
    ]
    spans = camera_spans(rows, 0.5)
    assert [(s.camera, s.first_mm, s.end_mm) for s in spans] == [("a", 0, 25), ("b", 25, 50)]
    assert (camera_at(spans, 10), camera_at(spans, 30), camera_at(spans, 60)) == ("a", "b", "")
