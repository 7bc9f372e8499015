"""Grade, plan and histogram of a roll agree with its log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.grading_section import Grading
from streamer.message import Interval
from streamer.outputs.defect_log import CoverageRow, LogContent, LoggedDefect, Piece
from streamer.outputs.report_grading import MOST_BINS, histogram, view_grading, web_width_mm

SEVERITIES = ("low", "medium", "high")


def manifest(metres=100.0, width_px=1000, masked=0.0):
    lines = round(metres / 0.0005)
    captured = lines * width_px
    return {
        "totals": {
            "metres": metres,
            "lines": lines,
            "coverage": {
                "captured_px": captured,
                "masked_px": round(captured * masked),
                "inspected_m2": metres * width_px * 0.5e-3 * (1 - masked),
            },
        },
        "web": {"pixel_mm": 0.5, "line_mm": 0.5},
    }


def defect(number, first_m, size_mm=10.0, severity="low"):
    first = 1000 * first_m
    box = (first, first + size_mm, 10.0, 20.0)
    return LoggedDefect(number, "end", severity, "unknown", *box, 100, 2, 1, 0, 8, "2023-01-01")


WHOLE = Piece(0, 0, 200_000)


def log(defects=(), coverage=(), pieces=(WHOLE,)):
    return LogContent(tuple(defects), tuple(coverage), tuple(pieces), 0)


def gap(first_m, end_m):
    lines = Interval(round(first_m / 0.0005), round(end_m / 0.0005))
    return CoverageRow("cam0", 0, lines, Interval(0, 1000), "timeout")


def test_a_roll_without_defects_is_one_piece():
    view = view_grading(manifest(), log(), Grading())
    assert (view.grade.points, view.grade.per_100m2) == (0, 0.0)
    ((first, end),) = [(p.first_m, p.end_m) for p in view.plan.pieces]
    assert (first, end) == (0.0, 100.0)
    assert view.plan.rest_m == 0.0


def test_points_and_area_make_the_grade():
    view = view_grading(manifest(), log([defect(1, 3), defect(2, 50, 200.0)]), Grading())
    assert view.points == {1: 1, 2: 3}
    assert view.grade.points == 4
    assert view.grade.per_100m2 == pytest.approx(100 * 4 / 50)


def test_what_was_not_inspected_and_seams_are_in_no_piece():
    pieces = (Piece(0, 0, 80_000), Piece(80_000, 10_000, 120_000))  # a seam at 40 m
    grading = Grading.model_validate({"pieces": {"min_m": 5, "max_m": 100}})
    view = view_grading(manifest(), log(coverage=[gap(70, 71)], pieces=pieces), grading)
    assert [(p.first_m, p.end_m) for p in view.plan.pieces] == [(0, 40), (40, 70), (71, 100)]
    assert view.plan.rests == ((70.0, 71.0),)


def test_a_piece_is_cut_where_too_many_defects_lie():
    crowd = [defect(n, 50 + n * 0.3, 250.0) for n in range(10)]
    grading = Grading.model_validate({"pieces": {"min_m": 10, "max_m": 100}, "limit_per_100m2": 5})
    plan = view_grading(manifest(), log(crowd), grading).plan
    assert all(piece.per_100m2 <= 5 for piece in plan.pieces)
    assert 0 < plan.first_quality_m < 100


def test_no_pieces_asked_for_is_no_plan():
    assert view_grading(manifest(), log(), Grading(pieces=None)).plan is None


def test_the_width_is_that_of_the_web_without_what_was_masked():
    assert web_width_mm(manifest(masked=0.25)) == pytest.approx(375)
    assert web_width_mm(manifest(metres=0.0)) == 0.0


def test_an_empty_roll_has_neither_plan_nor_histogram():
    view = view_grading(manifest(metres=0.0), log(pieces=()), Grading())
    assert view.plan is None
    assert view.grade.per_100m2 is None
    assert histogram((), (), 0.0) == []


@given(
    st.floats(0.01, 20_000),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from(SEVERITIES)), max_size=50),
)
def test_the_histogram_holds_every_defect_once_and_covers_the_roll(metres, found):
    defects = [defect(n, share * metres, severity=s) for n, (share, s) in enumerate(found)]
    bins = histogram(defects, (), metres)
    assert 1 <= len(bins) <= MOST_BINS
    assert sum(one.total for one in bins) == len(found)
    for severity in SEVERITIES:
        assert sum(one.defects[severity] for one in bins) == [s for _, s in found].count(severity)
    assert (bins[0].first_m, bins[-1].end_m) == (0.0, metres)
    assert all(a.end_m == b.first_m for a, b in zip(bins, bins[1:], strict=False))
