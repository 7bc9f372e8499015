"""What the sink has heard of one camera of a roll; knows no socket and no file."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import GapReason, Interval
from streamer.protocol import LedgerRow, Resume

if TYPE_CHECKING:
    from streamer.message import Gap, TileAddress
    from streamer.protocol import EndOfRoll, Hello
    from streamer.side_by_side import CameraPlace
    from streamer.stages.verdicts import RollVerdicts

ENDED_EARLIER = "the camera ended before the others"


@dataclass(slots=True)
class CameraRoll:
    """Beginning and end of a camera's part, its verdicts, and what its capture must be told."""

    place: CameraPlace
    verdicts: RollVerdicts
    hello: Hello | None = None
    end: EndOfRoll | None = None
    capture_starts: int = 0
    began_ns: int = 0
    peer: str = ""
    acks: deque[TileAddress] = field(default_factory=deque)

    def greet(self, hello: Hello, peer: str, now_ns: int) -> bool:
        """Take a greeting; True when another capture of this camera greeted before."""
        known = self.hello
        is_new = known is None or known.incarnation != hello.incarnation
        self.hello, self.peer = hello, peer
        self.capture_starts += is_new
        if known is None:
            self.began_ns = now_ns
        return is_new and known is not None

    @property
    def resume(self) -> Resume:
        """Where its ledger ends, and when the web there was seen.

        A capture that died before its first row has seen web since it was greeted.
        """
        verdicts = self.verdicts
        seen_ns = verdicts.last_captured_ns
        if verdicts.next_sequence == 0 and self.capture_starts > 1:
            seen_ns = self.began_ns
        return Resume(verdicts.last_line, verdicts.next_sequence, seen_ns)

    @property
    def is_complete(self) -> bool:
        """Whether its capture has ended and every row that it announced is a strip."""
        end = self.end
        return end is not None and self.verdicts.stitch.next_sequence >= end.rows

    def row_after_end(self, now_ns: int) -> LedgerRow | None:
        """The row that would come next if it went on; None before both its ends are known."""
        hello, end = self.hello, self.end
        if hello is None or end is None:
            return None
        place = (end.rows, end.last_line, 1, True)
        return LedgerRow(end.roll, end.camera, *place, hello.lane_columns, (), now_ns)

    def extend_to(self, line: int, now_ns: int) -> tuple[Gap, ...]:
        """Announce its lines from its last one up to `line` as not inspected; their gaps.

        A camera that never greeted counts as one lane.
        """
        verdicts, first = self.verdicts, self.verdicts.last_line
        if line <= first:
            return ()
        whole = (Interval(0, self.place.columns.size),)
        lanes = self.hello.lane_columns if self.hello else whole
        origin = verdicts.roll, self.place.camera, verdicts.next_sequence
        verdicts.add_row(LedgerRow(*origin, first, line - first, True, lanes, (), now_ns), now_ns)
        return verdicts.unsettled_gaps(GapReason.CAMERA_LOSS, ENDED_EARLIER)

    @property
    def outcome(self) -> str:
        """What ended it too early, or "complete"; with rows that are missing, how many."""
        end = self.end
        if self.hello is None:
            return "stopped before the first line"
        if end is None:
            return "capture did not end the roll"
        if (missing := end.rows - self.verdicts.stitch.next_sequence) > 0:
            return f"{missing} rows never reached the ledger"
        return "complete" if end.complete else end.reason
