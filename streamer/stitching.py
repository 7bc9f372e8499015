"""Pastes score maps by web coordinate into strips in down-web order; pure; knows no transport."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Gap, GapReason, Interval, ScoreArray, require
from streamer.web import INSPECTED, MASKED, LaneCoverage, Strip, covered, intersect_intervals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.message import ScoreMap
    from streamer.protocol import LedgerRow


# A tile that ends so was handed to a worker, as one with a score map was.
_WORKED_ON = (GapReason.ENGINE_ERROR, GapReason.WORKER_LOST, GapReason.TIMEOUT)


@dataclass(frozen=True, slots=True)
class PastedMap:
    """Scores of one lane of a row in units of the alarm level; `first_column` is a grid column."""

    scores: ScoreArray
    first_column: int
    first_line: int
    captured_ns: int
    self_judged: bool = False
    scored_ns: int = 0


LaneVerdict = PastedMap | Gap


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A tile row until all its lanes have a verdict; maps may come before the ledger row."""

    ledger: LedgerRow | None = None
    lanes: dict[int, LaneVerdict] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every lane that holds web has a verdict."""
        if self.ledger is None:
            return False
        return all(
            lane in self.lanes or is_masked(self.ledger, lane)
            for lane in range(len(self.ledger.lane_columns))
        )


@dataclass(frozen=True, slots=True)
class StitchState:
    """Rows that wait; `next_sequence` is the first one not yet turned into a strip."""

    columns: int
    stride: int
    next_sequence: int = 0
    next_line: int = 0
    rows: dict[int, OpenRow] = field(default_factory=dict)

    @property
    def unsettled(self) -> tuple[tuple[LedgerRow, int], ...]:
        """(row, lane) pairs that are known to exist and have no verdict."""
        return tuple(
            (row.ledger, lane)
            for row in self.rows.values()
            if row.ledger is not None
            for lane in range(len(row.ledger.lane_columns))
            if lane not in row.lanes and not is_masked(row.ledger, lane)
        )

    @property
    def worked_on(self) -> dict[int, int]:
        """By lane, the last row that waits of which a worker has had the lane's tile."""
        return {
            lane: sequence
            for sequence, row in sorted(self.rows.items())
            for lane, verdict in row.lanes.items()
            if isinstance(verdict, PastedMap) or verdict.reason in _WORKED_ON
        }


def is_masked(row: LedgerRow, lane: int) -> bool:
    """Whether the lane holds no web in this row."""
    columns = row.lane_columns[lane]
    return covered(intersect_intervals(row.masked, columns)) == columns.size


def add_row(state: StitchState, row: LedgerRow) -> StitchState:
    """Announce a row; one that is already known changes nothing."""
    known = state.rows.get(row.sequence, OpenRow())
    if row.sequence < state.next_sequence or known.ledger is not None:
        return state
    # A worker may still have had tiles of a capture that died before it announced their row.
    lanes = {lane: v for lane, v in known.lanes.items() if _fits(row, lane, v, state.stride)}
    return replace(state, rows={**state.rows, row.sequence: OpenRow(row, lanes)})


def add_lost_row(state: StitchState, row: LedgerRow, gaps: tuple[Gap, ...]) -> StitchState:
    """Announce a row with one gap for each lane; verdicts that came for it are forgotten."""
    opened = OpenRow(row, {gap.lane: gap for gap in gaps})
    return replace(state, rows={**state.rows, row.sequence: opened})


def _fits(row: LedgerRow, lane: int, verdict: LaneVerdict, stride: int) -> bool:
    """Whether a verdict is of this row's lines and has the size of its lane in this row."""
    if lane >= len(row.lane_columns) or isinstance(verdict, Gap):
        return lane < len(row.lane_columns)
    if (verdict.first_line, verdict.captured_ns) != (row.first_line, row.captured_ns):
        return False
    rows, columns = verdict.scores.shape
    first, lane_columns = verdict.first_column * stride, row.lane_columns[lane]
    inside = lane_columns.first <= first and first + (columns - 1) * stride < lane_columns.end
    return rows == -(-row.line_count // stride) and inside


def is_settled(state: StitchState, lane: int, sequence: int) -> bool:
    """Whether this tile already has a verdict."""
    if sequence < state.next_sequence:
        return True
    row = state.rows.get(sequence)
    return row is not None and lane in row.lanes


def paste(state: StitchState, score_map: ScoreMap) -> StitchState:
    """Add a score map, normalised to units of the alarm level; the first verdict stays.

    One of other lines than the row's, or of another size than its lane, changes nothing.

    Raises:
        ValueError: the map's stride is not the state's.
    """
    require(score_map.stride == state.stride, f"stride must be {state.stride}", score_map.stride)
    scale = score_map.alarm_level - score_map.background
    scores = ((score_map.scores - score_map.background) / scale).astype(np.float32)
    pasted = PastedMap(
        scores,
        score_map.first_column // state.stride,
        score_map.first_line,
        score_map.captured_ns,
        score_map.self_judged,
        score_map.scored_ns,
    )
    return _settle(state, score_map.lane, score_map.sequence, pasted)


def mark_gap(state: StitchState, sequence: int, gap: Gap) -> StitchState:
    """Settle one tile of a gap as not inspected; the first verdict stays."""
    return _settle(state, gap.lane, sequence, gap)


def _settle(state: StitchState, lane: int, sequence: int, verdict: LaneVerdict) -> StitchState:
    if is_settled(state, lane, sequence):
        return state
    row = state.rows.get(sequence, OpenRow())
    if row.ledger is not None and not _fits(row.ledger, lane, verdict, state.stride):
        return state
    settled = replace(row, lanes={**row.lanes, lane: verdict})
    return replace(state, rows={**state.rows, sequence: settled})


def take_strips(state: StitchState) -> tuple[StitchState, tuple[Strip, ...]]:
    """All strips that are complete and next in down-web order."""
    rows = dict(state.rows)
    sequence, line = state.next_sequence, state.next_line
    strips: list[Strip] = []
    while sequence in rows and rows[sequence].is_complete:
        row = rows.pop(sequence)
        strip = _strip(state, row, line)
        strips.append(strip)
        sequence, line = sequence + 1, strip.first_line + strip.line_count
    return replace(state, rows=rows, next_sequence=sequence, next_line=line), tuple(strips)


def _strip(state: StitchState, row: OpenRow, next_line: int) -> Strip:
    ledger = row.ledger
    if ledger is None:
        msg = "row must be in the ledger before it becomes a strip"
        raise ValueError(msg)
    rows, columns = -(-ledger.line_count // state.stride), -(-state.columns // state.stride)
    scores = np.full((rows, columns), np.nan, np.float32)
    for verdict in row.lanes.values():
        if isinstance(verdict, PastedMap):
            end = verdict.first_column + verdict.scores.shape[1]
            scores[:, verdict.first_column : end] = verdict.scores
    starts = ledger.starts_piece or ledger.first_line != next_line
    return Strip(
        ledger.first_line,
        ledger.line_count,
        state.stride,
        scores,
        starts,
        ledger.captured_ns,
        tuple(_coverage(ledger, row.lanes)),
        max((v.scored_ns for v in row.lanes.values() if isinstance(v, PastedMap)), default=0),
    )


def _coverage(ledger: LedgerRow, lanes: dict[int, LaneVerdict]) -> Iterator[LaneCoverage]:
    """What became of every column of a row, left to right."""
    for lane, columns in enumerate(ledger.lane_columns):
        verdict = lanes.get(lane)
        status, detail = INSPECTED, ""
        if isinstance(verdict, Gap):
            status, detail = verdict.reason.value, verdict.detail
        first = columns.first
        for masked in intersect_intervals(ledger.masked, columns):
            if masked.first > first:
                yield LaneCoverage(lane, Interval(first, masked.first), status, detail)
            yield LaneCoverage(lane, masked, MASKED)
            first = masked.end
        if first < columns.end:
            yield LaneCoverage(lane, Interval(first, columns.end), status, detail)


def lane_area(row: LedgerRow, lane: int) -> tuple[int, int]:
    """(web, masked) area of a lane in a row, in pixels."""
    columns = row.lane_columns[lane]
    masked = covered(intersect_intervals(row.masked, columns))
    return (columns.size - masked) * row.line_count, masked * row.line_count
