"""Figures of the report: honest headlines, bars that add up, marks inside their band."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.outputs.defect_log import LoggedDefect
from streamer.outputs.report_figures import (
    BAND_WIDTH_PX,
    MOST_BANDS,
    SMALLEST_MARK_PX,
    Band,
    bands,
    inspected_percent,
    percent_text,
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
