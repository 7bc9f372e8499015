"""Pasting score maps: any order of arrival, every row once, in down-web order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import stitching
from streamer.message import Gap, GapReason, Interval, ScoreMap
from streamer.protocol import LedgerRow
from streamer.stitching import StitchState

LANES = (Interval(0, 16), Interval(16, 32), Interval(32, 36))


def row(sequence, first_line=None, lines=16, masked=(), starts=False):
    first = sequence * 16 if first_line is None else first_line
    return LedgerRow("r", "c", sequence, first, lines, starts, LANES, masked, 1)


def score_map(sequence, lane, value, lines=16, stride=8):
    columns = LANES[lane]
    shape = (-(-lines // stride), -(-columns.size // stride))
    return ScoreMap(
        "r",
        "c",
        lane,
        sequence,
        sequence * 16,
        lines,
        columns.first,
        columns.size,
        stride,
        np.full(shape, value, np.float32),
        1.0,
        3.0,
        "p",
        "m",
        1,
        2,
        "w",
    )


def gap(lane, sequence):
    return Gap("r", "c", lane, sequence, 1, sequence * 16, 16, GapReason.TIMEOUT, "late")


def state():
    return StitchState(columns=36, stride=8)


def test_scores_are_pasted_in_units_of_the_alarm_level():
    s = stitching.add_row(state(), row(0))
    for lane, value in enumerate((1.0, 2.0, 3.0)):
        s = stitching.paste(s, score_map(0, lane, value))
    s, strips = stitching.take_strips(s)
    expected = [[0, 0, 0.5, 0.5, 1]] * 2
    np.testing.assert_allclose(strips[0].scores, expected)
    assert (strips[0].first_line, strips[0].line_count, s.next_line) == (0, 16, 16)


def test_a_row_waits_for_all_lanes_and_for_the_rows_before():
    s = stitching.add_row(stitching.add_row(state(), row(0)), row(1))
    for lane in range(3):
        s = stitching.paste(s, score_map(1, lane, 1))
    s, strips = stitching.take_strips(s)
    assert strips == ()
    for lane in range(2):
        s = stitching.paste(s, score_map(0, lane, 1))
    assert stitching.take_strips(s)[1] == ()
    s, strips = stitching.take_strips(stitching.paste(s, score_map(0, 2, 1)))
    assert [strip.first_line for strip in strips] == [0, 16]


def test_a_map_may_come_before_its_ledger_row():
    s = state()
    for lane in range(3):
        s = stitching.paste(s, score_map(0, lane, 1))
    assert stitching.take_strips(s)[1] == ()
    assert len(stitching.take_strips(stitching.add_row(s, row(0)))[1]) == 1


def test_the_first_verdict_stays():
    s = stitching.add_row(state(), row(0))
    s = stitching.mark_gap(s, 0, gap(0, 0))
    assert stitching.paste(s, score_map(0, 0, 1)) is s
    assert stitching.mark_gap(s, 0, gap(0, 0)) is s
    assert stitching.add_row(s, row(0)) is s


def test_a_verdict_for_a_row_that_is_gone_changes_nothing():
    s = stitching.add_row(state(), row(0))
    for lane in range(3):
        s = stitching.paste(s, score_map(0, lane, 1))
    s, _ = stitching.take_strips(s)
    assert stitching.is_settled(s, 0, 0)
    assert stitching.paste(s, score_map(0, 0, 2)) is s
    assert stitching.add_row(s, row(0)) is s


def test_a_gap_is_nan_and_the_rest_of_the_row_is_not():
    s = stitching.add_row(state(), row(0))
    s = stitching.paste(stitching.paste(s, score_map(0, 0, 1)), score_map(0, 2, 1))
    s = stitching.mark_gap(s, 0, gap(1, 0))
    scores = stitching.take_strips(s)[1][0].scores
    assert np.isnan(scores[:, 2:4]).all()
    assert not np.isnan(scores[:, [0, 1, 4]]).any()


def test_a_masked_lane_needs_no_verdict_and_unsettled_names_the_others():
    masked = row(0, masked=(Interval(30, 36),))
    s = stitching.add_row(state(), masked)
    assert [lane for _, lane in s.unsettled] == [0, 1]
    assert stitching.lane_area(masked, 1) == (14 * 16, 2 * 16)
    assert stitching.lane_area(masked, 2) == (0, 4 * 16)
    for lane in range(2):
        s = stitching.paste(s, score_map(0, lane, 1))
    assert len(stitching.take_strips(s)[1]) == 1


def test_a_strip_says_of_all_columns_what_became_of_them():
    s = stitching.add_row(state(), row(0, masked=(Interval(0, 4), Interval(20, 24))))
    s = stitching.mark_gap(stitching.paste(s, score_map(0, 0, 1)), 0, gap(1, 0))
    s = stitching.paste(s, score_map(0, 2, 1))
    coverage = stitching.take_strips(s)[1][0].coverage
    assert [(c.lane, c.columns.first, c.columns.end, c.status) for c in coverage] == [
        (0, 0, 4, "masked"),
        (0, 4, 16, "inspected"),
        (1, 16, 20, "timeout"),
        (1, 20, 24, "masked"),
        (1, 24, 32, "timeout"),
        (2, 32, 36, "inspected"),
    ]
    assert coverage[2].detail == "late"


@pytest.mark.parametrize("map_first", [True, False])
def test_a_map_of_a_row_that_was_cut_otherwise_is_not_its_verdict(map_first):
    stale, cut_again = score_map(1, 0, 1), row(1, first_line=20, lines=8)
    s = stitching.add_row(state(), row(0))
    if map_first:
        s = stitching.add_row(stitching.paste(s, stale), cut_again)
    else:
        s = stitching.paste(stitching.add_row(s, cut_again), stale)
    assert not stitching.is_settled(s, 0, 1)
    assert [(r.sequence, lane) for r, lane in s.unsettled if r.sequence == 1] == [
        (1, 0),
        (1, 1),
        (1, 2),
    ]


@pytest.mark.parametrize("other", [{"first_line": 24}, {"captured_ns": 2}])
@pytest.mark.parametrize("map_first", [True, False])
def test_a_map_of_a_capture_before_this_one_is_not_the_rows_verdict(map_first, other):
    stale = replace(score_map(1, 0, 9), **other)
    s = stitching.add_row(state(), row(0))
    if map_first:
        s = stitching.add_row(stitching.paste(s, stale), row(1))
    else:
        s = stitching.add_row(s, row(1))
        assert stitching.paste(s, stale) is s
    assert not stitching.is_settled(s, 0, 1)
    assert stitching.is_settled(stitching.paste(s, score_map(1, 0, 1)), 0, 1)


def test_a_lost_row_is_complete_and_forgets_what_came_for_it():
    s = stitching.paste(state(), score_map(0, 0, 1))
    s = stitching.add_lost_row(s, row(0), tuple(gap(lane, 0) for lane in range(3)))
    s, strips = stitching.take_strips(s)
    assert np.isnan(strips[0].scores).all()
    assert {part.status for part in strips[0].coverage} == {"timeout"}


def test_a_worker_has_had_the_tiles_before_the_last_one_it_judged():
    s = stitching.paste(stitching.paste(state(), score_map(2, 0, 1)), score_map(1, 0, 1))
    s = stitching.mark_gap(s, 1, gap(1, 1))
    s = stitching.mark_gap(s, 5, replace(gap(1, 5), reason=GapReason.OVERLOAD))
    assert s.worked_on == {0: 2, 1: 1}


def test_another_stride_is_refused():
    with pytest.raises(ValueError, match="stride must be 8, got 4"):
        stitching.paste(state(), score_map(0, 0, 1, stride=4))


def test_a_jump_of_the_lines_starts_a_piece():
    s = stitching.add_row(state(), row(0, first_line=100))
    for lane in range(3):
        s = stitching.mark_gap(s, 0, gap(lane, 0))
    assert stitching.take_strips(s)[1][0].starts_piece


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_order_of_arrival_does_not_matter(random, rows):
    events = [("row", n, 0) for n in range(rows)]
    events += [("map", n, lane) for n in range(rows) for lane in range(3)]
    events += random.sample(events, len(events) // 2)  # some arrive twice
    random.shuffle(events)
    s, strips = state(), []
    for kind, n, lane in events:
        if kind == "row":
            s = stitching.add_row(s, row(n, starts=n == 2))
        elif (n, lane) == (1, 1):
            s = stitching.mark_gap(s, n, gap(lane, n))
        else:
            s = stitching.paste(s, score_map(n, lane, 1 + n + 10 * lane))
        s, more = stitching.take_strips(s)
        strips += more
    assert [strip.first_line for strip in strips] == [16 * n for n in range(rows)]
    assert s.rows == {}
    for n, strip in enumerate(strips):
        assert strip.starts_piece == (n == 2)
        values = [n / 2, n / 2, (n + 10) / 2, (n + 10) / 2, (n + 20) / 2]
        expected = np.array([values] * 2, np.float32)
        if n == 1:
            expected[:, 2:4] = np.nan
        np.testing.assert_array_equal(strip.scores, expected)
