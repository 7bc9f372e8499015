"""What the sink knows of a roll: ledger, coverage, stitched strips; no sockets, no files."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer import stitching
from streamer.message import Gap, GapReason, ScoreMap
from streamer.stages.latency import LatencyHistogram
from streamer.web import Coverage, Strip

if TYPE_CHECKING:
    from streamer.protocol import LedgerRow
    from streamer.stitching import LaneVerdict, StitchState

_LOG = logging.getLogger(__name__)
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
LOST_ROW = "ledger row lost"


@dataclass(slots=True)
class RollVerdicts:
    """Takes every tile's verdict once, whatever arrives twice, and accounts for every pixel."""

    roll: str
    stitch: StitchState
    coverage: Coverage = field(default_factory=Coverage)
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    duplicates: int = 0
    last_line: int = 0
    last_captured_ns: int = 0  # of the row that ends there
    next_sequence: int = 0
    profiles: dict[str, str] = field(default_factory=dict)  # by lane, the last one used
    models: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    self_judged_px: int = 0
    drift: dict[str, float] = field(default_factory=dict)  # of the profile by lane, the last one
    articles: dict[str, list[int]] = field(default_factory=dict)  # first lines by lane
    _arrived_ns: dict[int, int] = field(default_factory=dict)  # by row, until it is a strip

    def add_row(self, row: LedgerRow, now_ns: int) -> bool:
        """Announce a row; False when it is already known."""
        before = self.stitch
        self.stitch = stitching.add_row(before, row)
        if self.stitch is before:
            return False
        self._announce(row, now_ns)
        return True

    def close_hole(self, following: LedgerRow, now_ns: int) -> tuple[Gap, ...]:
        """Rows before `following` that never came are announced as not inspected; their gaps.

        Rows of one capture come in order, and nobody sends a lost one again.
        """
        gaps: list[Gap] = []
        for row in self._lost_rows(following):
            tiles = ((row, lane) for lane in range(len(row.lane_columns)))
            lost = tuple(_gap(*tile, GapReason.CAMERA_LOSS, LOST_ROW) for tile in tiles)
            self.stitch = stitching.add_lost_row(self.stitch, row, lost)
            self._announce(row, now_ns)
            gaps += lost
        return tuple(gaps)

    def _lost_rows(self, following: LedgerRow) -> tuple[LedgerRow, ...]:
        """Rows in place of the lost ones; none if there are too few lines to share out.

        How their lines were cut is not known: the first takes all but one for each of the others.
        """
        count = following.sequence - self.next_sequence
        spare = following.first_line - self.last_line - count
        if count <= 0 or spare < 0:
            return ()
        row = replace(
            following,
            sequence=self.next_sequence,
            first_line=self.last_line,
            line_count=1 + spare,
            starts_piece=True,
            masked=(),
        )
        first, line = row.sequence, row.first_line + spare
        others = range(1, count)
        return row, *(
            replace(row, sequence=first + n, first_line=line + n, line_count=1) for n in others
        )

    def _announce(self, row: LedgerRow, now_ns: int) -> None:
        web = masked = 0
        for lane in range(len(row.lane_columns)):
            lane_web, lane_masked = stitching.lane_area(row, lane)
            web, masked = web + lane_web, masked + lane_masked
        self.coverage = self.coverage.add_captured(web + masked).add_masked(masked)
        if row.first_line + row.line_count > self.last_line:
            self.last_line = row.first_line + row.line_count
            self.last_captured_ns = row.captured_ns
        self.next_sequence = max(self.next_sequence, row.sequence + 1)
        self._arrived_ns[row.sequence] = now_ns
        self._account_early(row)

    def _account_early(self, row: LedgerRow) -> None:
        """Maps and gaps that came before their row count now that its size is known."""
        for lane, verdict in self.stitch.rows[row.sequence].lanes.items():
            self._account(row, lane, verdict)

    def _account(self, row: LedgerRow, lane: int, verdict: LaneVerdict) -> None:
        web, _ = stitching.lane_area(row, lane)
        if isinstance(verdict, Gap):
            self.coverage = self.coverage.add_not_inspected(verdict.reason, web)
            return
        self.coverage = self.coverage.add_inspected(web)
        self.self_judged_px += web * verdict.self_judged

    def add_map(self, score_map: ScoreMap, now_ns: int) -> bool:
        """Take a score map; False when the tile already had a verdict or has another size."""
        if self._is_repeated(score_map.lane, score_map.sequence):
            return False
        if not self._settle(stitching.paste(self.stitch, score_map), score_map.sequence):
            return False
        row = self.stitch.rows[score_map.sequence]
        if row.ledger is not None:
            self._account(row.ledger, score_map.lane, row.lanes[score_map.lane])
        self.latency.add((now_ns - score_map.captured_ns) / NS_PER_S)
        self._note_profile(score_map)
        self.models.add(score_map.model_digest)
        self.workers.add(score_map.worker)
        return True

    def _note_profile(self, score_map: ScoreMap) -> None:
        lane = str(score_map.lane)
        self.profiles[lane] = score_map.profile_digest
        self.drift[lane] = score_map.profile_drift
        known = self.articles.setdefault(lane, [])
        if score_map.article_line > max(known, default=0):
            known.append(score_map.article_line)

    def is_new_article(self, score_map: ScoreMap) -> bool:
        """Whether this map is the first to tell that its lane shows another article."""
        known = self.articles.get(str(score_map.lane), [])
        return score_map.article_line > max(known, default=0)

    def add_gap(self, gap: Gap) -> bool:
        """Settle the tiles of a gap as not inspected; False when all had a verdict.

        A gap in a lane that the row does not have settles nothing.
        """
        news = [
            sequence
            for sequence in range(gap.first_sequence, gap.first_sequence + gap.tile_count)
            if not self._is_repeated(gap.lane, sequence)
        ]
        settled = [s for s in news if self._settle(stitching.mark_gap(self.stitch, s, gap), s)]
        for sequence in settled:
            row = self.stitch.rows[sequence].ledger
            if row is not None:
                self._account(row, gap.lane, gap)
        return bool(settled)

    def _settle(self, stitch: StitchState, sequence: int) -> bool:
        """Go on with `stitch`; False when its verdict for the row was refused."""
        if stitch is self.stitch:
            _LOG.warning("dropped a verdict that does not fit row %d", sequence)
            return False
        self.stitch = stitch
        return True

    @property
    def oldest_ns(self) -> int:
        """When the oldest row that waits for verdicts was captured; 0: none waits."""
        waiting = (row.ledger for row in self.stitch.rows.values() if row.ledger is not None)
        return min((ledger.captured_ns for ledger in waiting), default=0)

    def has_verdict(self, lane: int, sequence: int) -> bool:
        """Whether nothing more is to come for this tile."""
        return stitching.is_settled(self.stitch, lane, sequence)

    def _is_repeated(self, lane: int, sequence: int) -> bool:
        repeated = self.has_verdict(lane, sequence)
        self.duplicates += repeated
        return repeated

    def unsettled_gaps(self, reason: GapReason, detail: str) -> tuple[Gap, ...]:
        """Gaps for every tile that still waits for its verdict."""
        return tuple(_gap(row, lane, reason, detail) for row, lane in self.stitch.unsettled)

    def overdue_gaps(self, limit_ms: int, now_ns: int) -> tuple[Gap, ...]:
        """Gaps for tiles that wait for longer than `limit_ms` though their lane has gone on.

        A tile still in capture's queue has no such successor: tiles of a lane go out in order.
        """
        oldest_ns = now_ns - limit_ms * NS_PER_MS
        if min(self._arrived_ns.values(), default=now_ns) >= oldest_ns:
            return ()
        passed, detail = self.stitch.worked_on, f"no verdict in {limit_ms} ms"
        return tuple(
            _gap(row, lane, GapReason.TIMEOUT, detail)
            for row, lane in self.stitch.unsettled
            if self._arrived_ns[row.sequence] < oldest_ns and row.sequence < passed.get(lane, 0)
        )

    def take_strips(self) -> tuple[Strip, ...]:
        """Strips that became complete, in down-web order."""
        first = self.stitch.next_sequence
        self.stitch, strips = stitching.take_strips(self.stitch)
        for sequence in range(first, self.stitch.next_sequence):
            del self._arrived_ns[sequence]
        return strips


def _gap(row: LedgerRow, lane: int, reason: GapReason, detail: str) -> Gap:
    """The gap of one tile."""
    lines = row.first_line, row.line_count
    return Gap(row.roll, row.camera, lane, row.sequence, 1, *lines, reason, detail)
