"""Recorder: what capture hands over, to a recording that names what it lacks; knows no file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import Alarm, GapReason, LineBlock, LineFlag, LineLoss, StageState
from streamer.ports import WebFormat
from streamer.protocol import EndOfRecording, ToRecord
from streamer.stages.rated_log import RatedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.ports import Inlet, Waiting, WebRecord
    from streamer.stages.pulse import Pulse

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
QUIET_MS = 300  # what was sent before the recorder was asked to stop has come by then
WRITE_LIMIT_MS = 10_000  # for a disk that is slow or wakes up
CLOSE_LIMIT_MS = 30_000
FELL_BEHIND = "recorder fell behind"
RESTARTED = "recorder was restarted"
NEW_CAPTURE = "capture was restarted"


@dataclass(slots=True)
class RecorderLinks:
    """The recorder's connections: captures and sink on one inlet, and waiting on it."""

    inlet: Inlet
    wait: Waiting


@dataclass(slots=True)
class RecorderStage:
    """Records one camera until it is stopped; everybody else goes on whatever it does."""

    camera: str
    links: RecorderLinks
    pulse: Pulse
    record: WebRecord
    stopping: Callable[[], bool]
    _next: tuple[str, int] | None = field(init=False, default=None)
    _form: WebFormat | None = field(init=False, default=None)
    _truth: bytes = field(init=False, default=b"")
    _heard_ns: int = field(init=False, default=0)
    _recorded: int = field(init=False, default=0)
    _lacking: int = field(init=False, default=0)
    _log: RatedLog = field(init=False, default_factory=lambda: RatedLog("holes in the recording"))

    def run(self) -> None:
        """Record until asked to stop and nothing more comes.

        Raises:
            OSError: the recording cannot be written; the text says why.
            ValueError: what comes does not fit the recording that is there.
        """
        self._heard_ns = self.pulse.now_ns()
        self.pulse.enter(StageState.READY)
        while not self._is_over():
            self.links.wait(20)
            self._hear()
            self._beat()
        self.pulse.announce_busy(CLOSE_LIMIT_MS)
        self.record.close(self._truth)
        self._log.flush()
        self.pulse.enter(StageState.STOPPED)

    def _is_over(self) -> bool:
        silent_ms = (self.pulse.now_ns() - self._heard_ns) / NS_PER_MS
        return silent_ms > QUIET_MS and self.stopping()

    def _hear(self) -> None:
        while (message := self.links.inlet.receive()) is not None:
            self._heard_ns = self.pulse.now_ns()
            announces = self.pulse.is_due
            self._beat(WRITE_LIMIT_MS)
            match message:
                case ToRecord(block=LineBlock() as item) | ToRecord(loss=LineLoss() as item):
                    self._take(message, item)
                case EndOfRecording():
                    self._take_end(message)
                case Alarm():
                    self.record.keep(message)
                case _:
                    _LOG.warning("dropped %s", type(message).__name__)
            if announces:  # The call is over: who hangs now is not to be waited for.
                self.pulse.beat_now()

    def _take(self, message: ToRecord, item: LineBlock | LineLoss) -> None:
        """Append what is new of an item, after the hole before it if there is one."""
        self._form = WebFormat(message.columns, message.channels, message.bits, message.source)
        self.pulse.state = StageState.RUNNING
        self._close_hole(message, item.first_line)
        rest = beyond(item, self.record.end_line)
        if rest is not None:
            self.record.append(self._form, rest)
            self._recorded += rest.valid_lines if isinstance(rest, LineBlock) else 0

    def _take_end(self, end: EndOfRecording) -> None:
        self._truth = end.truth
        self._close_hole(end, end.end_line)

    def _close_hole(self, message: ToRecord | EndOfRecording, line: int) -> None:
        """Name the lines before `line` that capture had and that did not get here.

        A jump of lines without one of sequence numbers is the source's: a replay shows it again.
        """
        known, self._next = self._next, (message.incarnation, message.sequence + 1)
        follows = known == (message.incarnation, message.sequence)
        begins = known is None and message.sequence == 0 and self.record.end_line == 0
        first = self.record.end_line
        if follows or begins or self._form is None or line <= first:
            return
        detail = RESTARTED if known is None else FELL_BEHIND
        if known is not None and known[0] != message.incarnation:
            detail = NEW_CAPTURE
        now_ns = self.pulse.now_ns()
        self._log.add(f"lines {first}..{line} are not recorded: {detail}", now_ns)
        loss = LineLoss(self.camera, first, line - first, GapReason.OVERLOAD, now_ns, detail)
        self.record.append(self._form, loss)
        self._lacking += loss.line_count

    def _beat(self, busy_ms: int = 0) -> None:
        self.pulse.last_line = self.record.end_line
        self.pulse.figures["recorded_lines"] = self._recorded
        self.pulse.figures["unrecorded_lines"] = self._lacking
        self.pulse.beat(busy_ms)


def beyond(item: LineBlock | LineLoss, line: int) -> LineBlock | LineLoss | None:
    """The part of a block or loss from `line` on; None when there is none.

    A capture that was restarted delivers again what the recording has already.
    """
    skip = line - item.first_line
    if skip <= 0:
        return item
    if isinstance(item, LineLoss):
        count = item.line_count - skip
        return replace(item, first_line=line, line_count=count) if count > 0 else None
    if skip >= item.valid_lines:
        return None
    counts = item.encoder_last - item.encoder_first
    return replace(
        item,
        first_line=line,
        pixels=item.pixels[skip:],
        valid_lines=item.valid_lines - skip,
        flags=item.flags & ~LineFlag.SEAM,
        encoder_first=item.encoder_first + counts * skip // max(item.valid_lines - 1, 1),
    )
