"""Capture: lines into tiles, tiles to workers, the ledger to the sink; knows no scoring."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.dispatch import Dispatcher, DispatchSettings
from streamer.message import Gap, GapReason, LineBlock, ProfileState, StageState
from streamer.protocol import Ack, Credit, EndOfRoll, Hello, ProfileQuery, Resume, TileFailed
from streamer.stages.gap_log import GapLog
from streamer.stages.rated_log import RatedLog
from streamer.stages.reader import SourceEnd, SourceReader
from streamer.tiling import Origin, TileGrid, TilingState, cut, finish, start_tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.message import LineLoss
    from streamer.ports import LineSource, Link, Switchboard, Waiting
    from streamer.stages.pulse import Pulse
    from streamer.stages.recorder_feed import RecorderFeed
    from streamer.tiling import Allocate, TileRow

_LOG = logging.getLogger(__name__)
NS_PER_S = 1_000_000_000
MAX_OUTBOX = 10_000
MAX_SILENCE_S = 30.0
RECORDER_PATIENCE_NS = NS_PER_S
GREETING_S = 1.0
LAST_WORDS_S = 1.5
TRUTH_LIMIT_MS = 60_000  # a simulated web that was resumed renders its earlier defects again
STOPPED_ON_REQUEST = "stopped on request"


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """What one capture process does."""

    origin: Origin
    grid: TileGrid
    dispatch: DispatchSettings
    block_lines: int
    drain_timeout_ms: int
    incarnation: str
    source: str


@dataclass(slots=True)
class CaptureLinks:
    """Capture's connections: workers, the sink's ledger, and waiting on both.

    `allocate` gives the memory that tiles are cut into on their way to the workers; `recorder`
    takes what it can of everything that the source delivers.
    """

    workers: Switchboard
    ledger: Link
    wait: Waiting
    allocate: Allocate = np.empty
    recorder: RecorderFeed | None = None


@dataclass(slots=True)
class CaptureStage:
    """Runs one camera to the end of its source or until `stopping` says so."""

    plan: CapturePlan
    links: CaptureLinks
    pulse: Pulse
    open_source: Callable[[Resume], LineSource]
    stopping: Callable[[], bool]
    dispatcher: Dispatcher = field(init=False)
    _tiling: TilingState = field(init=False)
    _outbox: deque[object] = field(init=False, default_factory=deque)
    _resume: Resume | None = field(init=False, default=None)
    _reader: SourceReader | None = field(init=False, default=None)
    _progress_ns: int = field(init=False, default=0)
    _rows: int = field(init=False, default=0)
    _greeted_ns: int | None = field(init=False, default=None)
    _unasked: set[str] = field(init=False, default_factory=set)
    _gap_log: GapLog = field(init=False, default_factory=GapLog)
    _drops: RatedLog = field(init=False, default_factory=lambda: RatedLog("dropped messages"))

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher(self.plan.dispatch)

    def run(self) -> str:
        """Capture the roll; returns what ended it too early, or ""."""
        resume = self._greet()
        if resume is None:
            # The sink must not wait for a roll that does not come.
            self._end_roll(0, b"", STOPPED_ON_REQUEST)
            return STOPPED_ON_REQUEST
        start = start_tiling(self.plan.origin, self.plan.grid, resume.first_line, resume.sequence)
        self._tiling = replace(start, allocate=self.links.allocate)
        self._rows = resume.sequence
        if self.links.recorder is not None:
            self.links.recorder.begin(resume.first_line)
        source = self.open_source(resume)
        reader = self._reader = SourceReader(source, self.plan.block_lines)
        try:
            self.pulse.enter(StageState.RUNNING)
            fault = self._capture(reader)
            fault = self._drain() or fault
        finally:
            reader.stop()
        self.pulse.figures.update(reader.health)
        self.pulse.announce_busy(TRUTH_LIMIT_MS)
        self._end_roll(self._tiling.next_line, source.truth, fault)
        self._end_recording(self._tiling.next_line, source.truth)
        return fault

    def _greet(self) -> Resume | None:
        """Say hello until the sink tells where the roll stands; it may start later than this."""
        plan, grid = self.plan, self.plan.grid
        hello = Hello(
            plan.origin.roll,
            plan.origin.camera,
            plan.incarnation,
            grid.lanes,
            grid.columns,
            plan.source,
        )
        while self._resume is None and not self.stopping():
            self._say_hello(hello)
            self._serve(100)
        return self._resume

    def _say_hello(self, hello: Hello) -> None:
        now_ns, said_ns = self.pulse.now_ns(), self._greeted_ns
        if said_ns is None or now_ns - said_ns >= GREETING_S * NS_PER_S:
            self._greeted_ns = now_ns
            if hello not in self._outbox:
                self._outbox.append(hello)

    def _capture(self, reader: SourceReader) -> str:
        while not self.stopping():
            if self.dispatcher.is_full or len(self._outbox) >= MAX_OUTBOX:
                self._serve(5)
                continue
            block = reader.take(0.0)
            if isinstance(block, SourceEnd):
                return block.fault or self._stop_or_end()
            if block is not None:
                self._take_piece(block)
            self._serve(0 if block is not None else 5)
        if reader.is_live:
            self._hear_last_words(reader)
        return STOPPED_ON_REQUEST

    def _stop_or_end(self) -> str:
        """A live source ends because it was told to, which may be noticed here before the stop."""
        return STOPPED_ON_REQUEST if self.stopping() else ""

    def _hear_last_words(self, reader: SourceReader) -> None:
        """A live source that is told to stop says what is lost by now, behind what waits."""
        deadline_ns = self.pulse.now_ns() + round(LAST_WORDS_S * NS_PER_S)
        while self.pulse.now_ns() < deadline_ns:
            is_full = self.dispatcher.is_full or len(self._outbox) >= MAX_OUTBOX
            block = None if is_full else reader.take(0.0)
            if isinstance(block, SourceEnd):
                return
            if block is not None:
                self._take_piece(block)
            self._serve(0 if block is not None else 5)

    def _take_piece(self, piece: LineBlock | LineLoss) -> None:
        if self.links.recorder is not None:
            self.links.recorder.hand_over(piece)
        if isinstance(piece, LineBlock):
            self.pulse.notices = piece.notices
            self.pulse.figures["seen_line"] = piece.first_line + piece.valid_lines
        self._tiling, rows = cut(self._tiling, piece)
        self._take_rows(rows)

    def _take_rows(self, rows: tuple[TileRow, ...]) -> None:
        for row in rows:
            self._outbox.append(row.ledger)
            self._rows = row.ledger.sequence + 1
            self._report_gaps(row.gaps + self.dispatcher.add_row(row.tiles))
            self.pulse.last_line = row.ledger.first_line + row.ledger.line_count

    def _report_gaps(self, gaps: tuple[Gap, ...]) -> None:
        now_ns = self.pulse.now_ns()
        for gap in gaps:
            self._gap_log.add(gap, now_ns)
            self._progress_ns = now_ns
        self._outbox.extend(gaps)

    def _serve(self, timeout_ms: int) -> None:
        """Hear workers and sink, send what can be sent, notice who is silent, beat."""
        self.links.wait(timeout_ms)
        while (request := self.links.workers.receive()) is not None:
            self._hear_worker(*request)
        while (answer := self.links.ledger.receive()) is not None:
            self._hear_sink(answer)
        self._report_gaps(self.dispatcher.expire(self.pulse.now_ns()))
        self.dispatcher.balance()
        self._ask_for_profiles()
        self._send_tiles()
        self._flush()
        self.pulse.queue_depth = self.dispatcher.waiting
        if self._reader is not None and self.pulse.is_due:
            # Tile memory and recorder feed keep counts of their own in it.
            self.pulse.figures.update(self._reader.health)
        self.pulse.beat()

    def _hear_worker(self, peer: str, request: object) -> None:
        match request:
            case Credit():
                if request.worker not in self.dispatcher.workers:
                    self._unasked.add(request.worker)
                self.dispatcher.credit(request, self.pulse.now_ns())
            case ProfileState() if self._is_ours(request):
                self.dispatcher.adopt_profile(request, peer)
            case TileFailed():
                detail = f"{request.worker}: {request.detail}"
                self._report_gaps(self.dispatcher.failed(request.address, detail))
            case _:
                self._drop(request, "a worker")

    def _is_ours(self, state: ProfileState) -> bool:
        origin = self.plan.origin
        return (state.roll, state.camera) == (origin.roll, origin.camera)

    def _drop(self, message: object, sender: str) -> None:
        self._drops.add(f"dropped {type(message).__name__} from {sender}", self.pulse.now_ns())

    def _hear_sink(self, answer: object) -> None:
        match answer:
            case Ack():
                self.dispatcher.settle(answer.addresses)
                self._progress_ns = self.pulse.now_ns()
            case Resume():
                self._resume = self._resume or answer  # each hello is answered; the first counts
            case _:
                self._drop(answer, "the sink")

    def _ask_for_profiles(self) -> None:
        """What the lanes' profiles are is known to workers that outlived the capture before."""
        query = ProfileQuery(self.plan.origin.roll, self.plan.origin.camera)
        alive = self._unasked.intersection(self.dispatcher.workers)
        self._unasked = {w for w in sorted(alive) if not self.links.workers.send(w, query)}

    def _send_tiles(self) -> None:
        for sending in self.dispatcher.sendings(self.pulse.now_ns()):
            if not self.links.workers.send(sending.worker, sending.content):
                self._report_gaps(self.dispatcher.unsent(sending))

    def _flush(self) -> None:
        while self._outbox and self.links.ledger.send(self._outbox[0]):
            self._outbox.popleft()

    def _drain(self) -> str:
        """Wait for the verdicts of what was captured, as long as they keep coming."""
        self._tiling, rows = finish(self._tiling)
        self._take_rows(rows)
        self.pulse.enter(StageState.DRAINING)
        self._progress_ns = self.pulse.now_ns()
        while self.dispatcher.waiting:
            self._serve(20)
            if self.pulse.now_ns() - self._progress_ns > self.plan.drain_timeout_ms * 1_000_000:
                detail = f"no progress for {self.plan.drain_timeout_ms} ms while draining"
                self._report_gaps(self.dispatcher.abandon(GapReason.WORKER_LOST, detail))
                return detail
        return ""

    def _end_roll(self, last_line: int, truth: bytes, fault: str) -> None:
        origin = self.plan.origin
        end = EndOfRoll(origin.roll, origin.camera, last_line, self._rows, not fault, fault, truth)
        self._gap_log.flush()
        self._drops.flush()
        self._outbox.append(end)
        self._progress_ns = self.pulse.now_ns()
        while self._outbox:
            self._serve(20)
            if self.pulse.now_ns() - self._progress_ns > MAX_SILENCE_S * NS_PER_S:
                _LOG.error("the sink does not take the end of the roll")
                return
        self.pulse.enter(StageState.STOPPED)

    def _end_recording(self, last_line: int, truth: bytes) -> None:
        """Tell the recorder where the roll ended, with all done that anybody waits for."""
        recorder, deadline_ns = self.links.recorder, self.pulse.now_ns() + RECORDER_PATIENCE_NS
        if recorder is None:
            return
        self.pulse.announce_busy(int(MAX_SILENCE_S * 1000))
        while not recorder.end(last_line, truth):
            if self.pulse.now_ns() > deadline_ns:
                _LOG.error("the recorder does not take the end of the roll")
                return
            self.links.wait(20)
