"""Verdicts: each tile once, every pixel accounted for, whatever order things come in."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.message import Gap, GapReason, Interval, ScoreMap
from streamer.protocol import LedgerRow
from streamer.stages.verdicts import RollVerdicts
from streamer.stitching import StitchState

LANES = (Interval(0, 16), Interval(16, 32), Interval(32, 36))
S = 1_000_000_000
MS = 1_000_000


def row(sequence, first_line=None, lines=16, masked=()):
    first = sequence * 16 if first_line is None else first_line
    return LedgerRow("r", "c", sequence, first, lines, sequence == 0, LANES, masked, 0)


def score_map(sequence, lane, lines=16, columns=None, **fields):
    columns = columns or LANES[lane]
    shape = (-(-lines // 8), -(-columns.size // 8))
    values = {
        "profile_digest": f"p{lane}", "model_digest": "m", "captured_ns": 0, "worker": "w",
        "self_judged": False,
    } | fields  # fmt: skip
    return ScoreMap(
        "r",
        "c",
        lane,
        sequence,
        sequence * 16,
        lines,
        columns.first,
        columns.size,
        8,
        np.zeros(shape, np.float32),
        0.0,
        1.0,
        values["profile_digest"],
        values["model_digest"],
        values["captured_ns"],
        2,
        values["worker"],
        self_judged=values["self_judged"],
    )


def gap(sequence, lane, tiles=1, reason=GapReason.TIMEOUT):
    return Gap("r", "c", lane, sequence, tiles, sequence * 16, 16 * tiles, reason, "late")


@pytest.fixture
def verdicts():
    return RollVerdicts("r", StitchState(columns=36, stride=8))


def test_rows_count_as_captured_once(verdicts):
    assert verdicts.add_row(row(0), 0)
    assert not verdicts.add_row(row(0), 0)
    assert verdicts.coverage.captured == 16 * 36
    assert (verdicts.last_line, verdicts.next_sequence) == (16, 1)


def test_masked_columns_are_captured_and_masked(verdicts):
    verdicts.add_row(row(0, masked=(Interval(30, 36),)), 0)
    assert verdicts.coverage.masked == 6 * 16
    for lane in range(2):
        verdicts.add_map(score_map(0, lane), 0)
    assert verdicts.coverage.is_exact
    assert len(verdicts.take_strips()) == 1


def test_a_tile_that_arrives_twice_counts_once(verdicts):
    verdicts.add_row(row(0), 0)
    assert verdicts.add_map(score_map(0, 0), 0)
    assert not verdicts.add_map(score_map(0, 0), 0)
    assert not verdicts.add_gap(gap(0, 0))
    assert verdicts.coverage.inspected == 256
    assert verdicts.duplicates == 2
    assert verdicts.latency.total == 1


def test_a_gap_before_the_map_wins_and_the_other_way_round(verdicts):
    verdicts.add_row(row(0), 0)
    assert verdicts.add_gap(gap(0, 1))
    assert not verdicts.add_map(score_map(0, 1), 0)
    assert verdicts.coverage.not_inspected == {GapReason.TIMEOUT: 256}
    assert verdicts.coverage.inspected == 0


def test_a_gap_over_several_tiles_settles_those_that_are_open(verdicts):
    for sequence in range(3):
        verdicts.add_row(row(sequence), 0)
    verdicts.add_map(score_map(1, 0), 0)
    assert verdicts.add_gap(gap(0, 0, tiles=3))
    assert verdicts.coverage.not_inspected_total == 2 * 256


def test_verdicts_may_come_before_their_row(verdicts):
    assert verdicts.add_map(score_map(0, 0), 0)
    assert verdicts.add_gap(gap(0, 1))
    assert verdicts.coverage.inspected == 0
    verdicts.add_row(row(0), 0)
    assert (verdicts.coverage.inspected, verdicts.coverage.not_inspected_total) == (256, 256)


def test_a_verdict_after_its_strip_changes_nothing(verdicts):
    verdicts.add_row(row(0), 0)
    for lane in range(3):
        verdicts.add_map(score_map(0, lane), 0)
    assert len(verdicts.take_strips()) == 1
    before = verdicts.coverage
    assert not verdicts.add_map(score_map(0, 0), 0)
    assert not verdicts.add_row(row(0), 0)
    assert verdicts.coverage == before


@pytest.mark.parametrize(
    "stray",
    [
        score_map(0, 0, lines=40),
        score_map(0, 2, columns=Interval(32, 72)),
        score_map(0, 0, columns=Interval(8, 24)),
        gap(0, 3),
    ],
    ids=["lines", "beyond the web", "across lanes", "no such lane"],
)
@pytest.mark.parametrize("early", [True, False])
def test_a_verdict_of_another_size_is_no_verdict(verdicts, stray, early, caplog):
    def add():
        if isinstance(stray, Gap):
            return verdicts.add_gap(stray)
        return verdicts.add_map(stray, 0)

    if early:
        add()
        verdicts.add_row(row(0), 0)
    else:
        verdicts.add_row(row(0), 0)
        assert not add()
        assert "does not fit row 0" in caplog.text
    assert len(verdicts.stitch.unsettled) == 3
    for lane in range(3):
        assert verdicts.add_map(score_map(0, lane), 0)
    assert verdicts.coverage.is_exact
    assert len(verdicts.take_strips()) == 1


def test_what_is_open_is_named_with_its_place(verdicts):
    verdicts.add_row(row(0), 0)
    verdicts.add_row(row(1), 0)
    verdicts.add_map(score_map(0, 1), 0)
    gaps = verdicts.unsettled_gaps(GapReason.CAMERA_LOSS, "gone")
    assert [(g.lane, g.first_sequence, g.first_line) for g in gaps] == [
        (0, 0, 0), (2, 0, 0), (0, 1, 16), (1, 1, 16), (2, 1, 16),
    ]  # fmt: skip
    for each in gaps:
        verdicts.add_gap(each)
    assert verdicts.unsettled_gaps(GapReason.CAMERA_LOSS, "gone") == ()
    assert verdicts.coverage.is_exact


def test_who_decided_with_what_is_remembered(verdicts):
    verdicts.add_row(replace(row(0), captured_ns=1 * S), 0)
    verdicts.add_map(score_map(0, 0, worker="a", captured_ns=1 * S), 3 * S)
    verdicts.add_map(score_map(0, 1, worker="b", model_digest="n", captured_ns=1 * S), 3 * S)
    verdicts.add_map(score_map(1, 0, profile_digest="later"), 3 * S)
    assert verdicts.workers == {"a", "b", "w"}
    assert verdicts.models == {"m", "n"}
    assert verdicts.profiles == {"0": "later", "1": "p1"}
    assert verdicts.latency.quantile(0.0) == pytest.approx(2.0, rel=0.05)


def test_area_judged_by_itself_is_summed_once(verdicts):
    verdicts.add_row(row(0, masked=(Interval(0, 4),)), 0)
    own = [score_map(n, lane, self_judged=True) for n in (0, 1) for lane in (0, 0)]
    for each in (*own, score_map(0, 1), score_map(1, 1)):
        verdicts.add_map(each, 0)
    assert verdicts.self_judged_px == 12 * 16
    verdicts.add_row(row(1), 0)  # its maps came before it
    assert verdicts.self_judged_px == 12 * 16 + 16 * 16
    verdicts.add_gap(gap(0, 2))
    assert verdicts.self_judged_px == 12 * 16 + 16 * 16


@pytest.mark.parametrize(
    ("sequence", "first_line", "expected"),
    [
        (2, 32, [(1, 16, 16)]),
        (3, 48, [(1, 16, 31), (2, 47, 1)]),
        (3, 18, [(1, 16, 1), (2, 17, 1)]),
    ],
)
def test_lost_rows_are_announced_as_not_inspected(verdicts, sequence, first_line, expected):
    verdicts.add_row(row(0), 0)
    for lane in range(3):
        verdicts.add_map(score_map(0, lane), 0)
    following = row(sequence, first_line, masked=(Interval(0, 4),))
    gaps = verdicts.close_hole(following, 0)
    assert {(g.first_sequence, g.first_line, g.line_count) for g in gaps} == set(expected)
    assert {(g.reason, g.detail) for g in gaps} == {(GapReason.CAMERA_LOSS, "ledger row lost")}
    assert len(gaps) == 3 * len(expected)
    strips = verdicts.take_strips()
    assert [(s.first_line, s.line_count) for s in strips[1:]] == [e[1:] for e in expected]
    assert all(strip.starts_piece for strip in strips)
    assert verdicts.coverage.captured == first_line * 36
    assert verdicts.coverage.not_inspected_total == (first_line - 16) * 36
    assert verdicts.coverage.is_exact
    assert (verdicts.last_line, verdicts.next_sequence) == (first_line, sequence)
    assert verdicts.close_hole(following, 0) == ()


def test_fewer_lines_than_lost_rows_cannot_be_shared_out(verdicts):
    verdicts.add_row(row(0), 0)
    assert verdicts.close_hole(row(3, 17), 0) == ()
    assert verdicts.close_hole(row(3, 0), 0) == ()
    assert (verdicts.last_line, verdicts.next_sequence) == (16, 1)


def test_a_map_of_a_lost_row_is_no_verdict_for_the_row_in_its_place(verdicts):
    verdicts.add_map(score_map(0, 0), 0)
    assert len(verdicts.close_hole(row(1), 0)) == 3
    assert verdicts.coverage.inspected == 0
    assert verdicts.coverage.is_exact


def overdue(verdicts, now_ms):
    gaps = verdicts.overdue_gaps(1000, now_ms * MS)
    return [(g.lane, g.first_sequence, g.reason) for g in gaps]


def test_a_tile_that_its_lane_has_passed_is_overdue_after_a_while(verdicts):
    for sequence in range(3):
        verdicts.add_row(row(sequence), sequence * MS)
    assert overdue(verdicts, 9000) == []  # all may wait in capture's queue
    verdicts.add_map(score_map(1, 0), 0)
    assert overdue(verdicts, 1000) == []
    assert overdue(verdicts, 1001) == [(0, 0, GapReason.TIMEOUT)]
    assert verdicts.overdue_gaps(1000, 1001 * MS)[0].detail == "no verdict in 1000 ms"


@pytest.mark.parametrize(
    ("reason", "passed"),
    [
        (GapReason.OVERLOAD, False),  # never left capture
        (GapReason.CAMERA_LOSS, False),
        (GapReason.ENGINE_ERROR, True),
        (GapReason.TIMEOUT, True),
    ],
)
def test_a_gap_shows_that_its_lane_went_on_if_a_worker_had_the_tile(verdicts, reason, passed):
    verdicts.add_row(row(0), 0)
    verdicts.add_row(row(1), 0)
    verdicts.add_gap(gap(1, 2, reason=reason))
    assert overdue(verdicts, 5000) == [(2, 0, GapReason.TIMEOUT)] * passed


def test_nothing_is_kept_of_rows_that_became_strips(verdicts):
    for sequence in range(50):
        verdicts.add_row(row(sequence), 0)
        for lane in range(3):
            verdicts.add_map(score_map(sequence, lane), 0)
        verdicts.take_strips()
    assert (verdicts.stitch.rows, verdicts._arrived_ns) == ({}, {})


def _events(rows, masked):
    tiles = list(itertools.product(range(rows), range(3)))
    return (
        [("row", row(n, masked=masked)) for n in range(rows)]
        + [("map", score_map(n, lane)) for n, lane in tiles]
        + [("gap", gap(n, lane, reason=GapReason.OVERLOAD)) for n, lane in tiles]
        + [("map", score_map(n, lane)) for n, lane in tiles]
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4), st.sampled_from([(), (Interval(0, 4), Interval(30, 36))]), st.data())
def test_any_order_of_arrival_accounts_for_every_pixel(rows, masked, data):
    verdicts = RollVerdicts("r", StitchState(columns=36, stride=8))
    events = data.draw(st.permutations(_events(rows, masked)))
    strips = []
    for kind, event in events:
        if kind == "row":
            verdicts.add_row(event, 0)
        elif kind == "map":
            verdicts.add_map(event, 0)
        else:
            verdicts.add_gap(event)
        if data.draw(st.booleans()):
            strips += verdicts.take_strips()
    strips += verdicts.take_strips()
    coverage = verdicts.coverage
    assert coverage.captured == rows * 16 * 36
    assert coverage.inspected + coverage.masked + coverage.not_inspected_total == coverage.captured
    assert [strip.first_line for strip in strips] == [n * 16 for n in range(rows)]
    by_strips = {"masked": 0, "inspected": 0, "overload": 0}
    for strip in strips:
        for part in strip.coverage:
            by_strips[part.status] += part.columns.size * strip.line_count
    assert by_strips == {
        "masked": coverage.masked,
        "inspected": coverage.inspected,
        "overload": coverage.not_inspected_total,
    }


def test_new_articles_and_the_drift_of_each_lane_are_remembered(verdicts):
    def told(sequence, article_line, drift=0.0, lane=0):
        made = replace(score_map(sequence, lane), article_line=article_line, profile_drift=drift)
        news = verdicts.is_new_article(made)
        verdicts.add_map(made, 0)
        return news

    assert not told(0, 0, 0.1)
    assert told(1, 16)
    assert not told(2, 16, 0.2)
    assert not told(1, 0)  # a worker before tells it late
    assert told(3, 48, 0.3)
    assert told(3, 16, 0.4, lane=1)
    assert verdicts.articles == {"0": [16, 48], "1": [16]}
    assert verdicts.drift == {"0": 0.3, "1": 0.4}
