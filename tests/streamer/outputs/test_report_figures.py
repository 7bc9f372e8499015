"""Figures of the report: honest headlines, bars that add up, marks inside their band."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Interval
from streamer.outputs.defect_log import CoverageRow, LoggedDefect
from streamer.outputs.report_figures import (
    BAND_WIDTH_PX,
    COVERAGE_BINS,
    MOST_BANDS,
    SMALLEST_MARK_PX,
    Band,
    bands,
    coverage_runs,
    inspected_percent,
    percent_text,
    status_colours,
    verdict,
)


def manifest(lost=0.0, outcome="complete", is_exact=True):
    coverage = {"not_inspected_percent": lost, "is_exact": is_exact}
    return {"outcome": outcome, "totals": {"coverage": coverage}}


def defect(severity="low"):
    return LoggedDefect(
        1, "end", severity, "unknown", 0, 1, 0, 1, 1.0, 1.2, 1.0, 0, 8, "2023-01-01", None
    )


@pytest.mark.parametrize(
    ("given_manifest", "severities", "title", "tone"),
    [
        (manifest(), [], "No defects", "good"),
        (manifest(lost=0.001), [], "No defects in what was inspected", "warn"),
        (manifest(outcome="interrupted"), [], "No defects in what was inspected", "warn"),
        (manifest(is_exact=False), [], "No defects in what was inspected", "warn"),
        (manifest(), ["low"], "1 defect", "warn"),
        (manifest(), ["low", "high"], "2 defects", "bad"),
    ],
)
def test_the_headline_never_calls_the_unseen_good(given_manifest, severities, title, tone):
    found = verdict(given_manifest, [defect(s) for s in severities])
    assert (found.title, found.tone) == (title, tone)


def test_the_remarks_name_what_is_wrong():
    found = verdict(manifest(3.5, "stopped by the operator", False), [defect("high")])
    assert found.remarks == (
        "1 of high severity",
        "ended early: stopped by the operator",
        "3.50 % of the captured area not inspected",
        "the coverage does not add up to the captured area",
    )


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (0, "0.00 %"),
        (0.0001, "< 0.01 %"),
        (0.01, "0.01 %"),
        (99.9, "99.90 %"),
        (99.9999, "> 99.99 %"),
        (100, "100.00 %"),
    ],
)
def test_percent_never_rounds_a_loss_away(percent, text):
    assert percent_text(percent) == text


def test_the_inspected_share_is_of_the_web_without_what_is_masked():
    coverage = {"captured_px": 1000, "masked_px": 200, "inspected_px": 600}
    assert inspected_percent(coverage) == 75.0
    assert inspected_percent({"captured_px": 5, "masked_px": 5, "inspected_px": 0}) == 0.0


@given(st.floats(0.001, 20_000), st.floats(1, 5000))
def test_bands_cover_the_roll_once(length_m, width_mm):
    found = bands(length_m, width_mm)
    assert 1 <= len(found) <= MOST_BANDS
    assert found[0].first_m == 0
    assert found[-1].end_m == pytest.approx(length_m)
    assert all(a.end_m == b.first_m for a, b in zip(found, found[1:], strict=False))
    assert all(56 <= band.height_px <= 200 for band in found)


def test_an_empty_roll_has_no_band():
    assert bands(0.0, 500) == []


@given(st.floats(0.01, 10_000), st.floats(0, 0.99), st.floats(0.0001, 1), st.floats(0, 0.99))
def test_a_mark_is_visible_and_inside_its_band(length_m, first, size, cross):
    band = Band(0.0, length_m, 90.0, 500.0)
    whole = length_m * 1000
    mark = band.mark((first * whole, first * whole + size * whole, cross * 500, cross * 500 + 5))
    assert mark.width >= SMALLEST_MARK_PX
    assert mark.height >= SMALLEST_MARK_PX
    assert 0 <= mark.x <= mark.x + mark.width <= BAND_WIDTH_PX + 0.02
    assert 0 <= mark.y <= mark.y + mark.height <= 90.02


def test_a_mark_lies_where_its_box_is():
    band = Band(5.0, 10.0, 100.0, 500.0)
    mark = band.mark((6000, 7000, 250, 500))
    assert (mark.x, mark.width) == (pytest.approx(208), pytest.approx(208))
    assert (mark.y, mark.height) == (50, 50)


def test_a_box_over_two_bands_is_marked_in_both_and_nowhere_else():
    three = [Band(a, a + 1.0, 90.0, 500.0) for a in range(3)]
    marks = [band.mark((500, 1500, 0, 10)) for band in three]
    assert marks[0].x + marks[0].width == pytest.approx(BAND_WIDTH_PX)
    assert marks[1].x == 0
    assert marks[2] is None


@given(st.floats(0, 10_000), st.floats(0.001, 5000))
def test_ticks_are_round_and_inside(first_m, span_m):
    band = Band(first_m, first_m + span_m, 90.0, 500.0)
    ticks = band.ticks()
    assert 4 <= len(ticks) <= 12
    assert all(-0.01 <= x <= BAND_WIDTH_PX + 0.01 for x, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


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
