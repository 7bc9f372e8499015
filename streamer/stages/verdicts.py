"""What the sink knows of a roll: ledger, coverage, stitched strips; no sockets, no files."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer import stitching
from streamer.message import Gap, GapReason, LedgerRow, ScoreMap
from streamer.stages.latency import LatencyHistogram
from streamer.web import Coverage, Strip

if TYPE_CHECKING:
    from streamer.stitching import StitchState

_LOG = logging.getLogger(__name__)
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class RollVerdicts:
    """Takes every tile's verdict once, whatever arrives twice, and accounts for every pixel."""

    roll: str
    stitch: StitchState
    coverage: Coverage = field(default_factory=Coverage)
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    duplicates: int = 0
    last_line: int = 0
    next_sequence: int = 0
    profiles: dict[str, str] = field(default_factory=dict)  # by lane, the last one used
    models: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)

    def add_row(self, row: LedgerRow) -> bool:
        """Announce a row; False when it is already known."""
        before = self.stitch
        self.stitch = stitching.add_row(before, row)
        if self.stitch is before:
            return False
        web = masked = 0
        for lane in range(len(row.lane_columns)):
            lane_web, lane_masked = stitching.lane_area(row, lane)
            web, masked = web + lane_web, masked + lane_masked
        self.coverage = self.coverage.add_captured(web + masked).add_masked(masked)
        self.last_line = max(self.last_line, row.first_line + row.line_count)
        self.next_sequence = max(self.next_sequence, row.sequence + 1)
        self._account_early(row)
        return True

    def _account_early(self, row: LedgerRow) -> None:
        """Maps and gaps that came before their row count now that its size is known."""
        for lane, verdict in self.stitch.rows[row.sequence].lanes.items():
            self._account(row, lane, verdict.reason if isinstance(verdict, Gap) else None)

    def _account(self, row: LedgerRow, lane: int, reason: GapReason | None) -> None:
        web, _ = stitching.lane_area(row, lane)
        if reason is None:
            self.coverage = self.coverage.add_inspected(web)
        else:
            self.coverage = self.coverage.add_not_inspected(reason, web)

    def add_map(self, score_map: ScoreMap, now_ns: int) -> bool:
        """Take a score map; False when the tile already had a verdict or has another size."""
        if self._is_repeated(score_map.lane, score_map.sequence):
            return False
        if not self._settle(stitching.paste(self.stitch, score_map), score_map.sequence):
            return False
        row = self.stitch.rows[score_map.sequence].ledger
        if row is not None:
            self._account(row, score_map.lane, None)
        self.latency.add((now_ns - score_map.captured_ns) / NS_PER_S)
        self.profiles[str(score_map.lane)] = score_map.profile_digest
        self.models.add(score_map.model_digest)
        self.workers.add(score_map.worker)
        return True

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
                self._account(row, gap.lane, gap.reason)
        return bool(settled)

    def _settle(self, stitch: StitchState, sequence: int) -> bool:
        """Go on with `stitch`; False when its verdict for the row was refused."""
        if stitch is self.stitch:
            _LOG.warning("dropped a verdict that does not fit row %d", sequence)
            return False
        self.stitch = stitch
        return True

    def has_verdict(self, lane: int, sequence: int) -> bool:
        """Whether nothing more is to come for this tile."""
        return stitching.is_settled(self.stitch, lane, sequence)

    def _is_repeated(self, lane: int, sequence: int) -> bool:
        repeated = self.has_verdict(lane, sequence)
        self.duplicates += repeated
        return repeated

    def unsettled_gaps(self, reason: GapReason, detail: str) -> tuple[Gap, ...]:
        """Gaps for every tile that still waits for its verdict."""
        return tuple(
            Gap(
                row.roll,
                row.camera,
                lane,
                row.sequence,
                1,
                row.first_line,
                row.line_count,
                reason,
                detail,
            )
            for row, lane in self.stitch.unsettled
        )

    def take_strips(self) -> tuple[Strip, ...]:
        """Strips that became complete, in down-web order."""
        self.stitch, strips = stitching.take_strips(self.stitch)
        return strips
