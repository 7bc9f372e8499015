"""The two ends of a hand-over of tiles: the real stages with a paced source and an idle scorer."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from streamer.dispatch import DispatchSettings
from streamer.message import LineBlock, ScoreMap, Tile
from streamer.ports import Verdict, WebFormat
from streamer.protocol import Ack, EndOfRoll, Hello, Resume
from streamer.stages.capture import CaptureLinks, CapturePlan, CaptureStage
from streamer.stages.pulse import Pulse
from streamer.stages.score import ScoreLinks, ScoreStage
from streamer.tiling import Origin, TileGrid
from streamer.transport.segment import SegmentPlan, make_segment
from streamer.transport.shared_memory import OUTSIDE, SlotLink, SlotSwitchboard, TileMemory
from streamer.transport.zeromq import ZmqHub

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from streamer.message import PixelArray, ProfileState
    from streamer.transport.zeromq import ZmqSwitchboard

Kind: TypeAlias = Literal["sockets", "shared_memory"]
HALO, BLOCK_LINES, CAPACITY = 8, 256, 8
STAMP = 2  # (taken, read) of each tile
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class EndNotes:
    """What one end noted: `rows` of (tiles, 2) times or (samples, 2) bytes, CPU seconds in all.

    `outside` are tiles that found no slot.
    """

    rows: np.ndarray
    cpu_s: float
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """So many tiles of `side` x `side` bytes; `rate_mb_s` None: as fast as they go.

    With `samples`, both ends note their resident bytes so many times; else times in nanoseconds of
    the monotonic clock, which processes of one machine share, for every tile.
    """

    kind: Kind
    side: int
    tiles: int
    rate_mb_s: float | None
    samples: int = 0

    @property
    def grid(self) -> TileGrid:
        """One lane, whose tiles with their halo are `side` lines."""
        core = self.side - 2 * HALO
        return TileGrid(self.side, core, self.side, HALO, HALO, HALO, HALO)

    @property
    def block_lines(self) -> int:
        """Lines of a camera's block: no tile waits for others that the same block completes."""
        return min(BLOCK_LINES, max(1, self.grid.tile_lines // 4))

    @property
    def lines(self) -> int:
        """Lines of the whole web, so that every row but the last is a whole tile."""
        return self.tiles * self.grid.tile_lines

    @property
    def sample_tiles(self) -> int:
        """Tiles from one sample to the next."""
        return max(1, self.tiles // self.samples) if self.samples else 1


class Notes:
    """Figures of tiles in memory that is there from the start, so that it does not grow."""

    def __init__(self, job: Job) -> None:
        self._job = job
        rows = job.samples or job.tiles
        self.rows = np.full((rows, STAMP), -1, np.int64)

    def take(self, tile: int, *stamps_ns: int) -> None:
        """Note the times of a tile, or now and then the memory of this process."""
        if not self._job.samples:
            if tile < len(self.rows):
                self.rows[tile, : len(stamps_ns)] = stamps_ns
        elif tile % self._job.sample_tiles == 0:
            self.rows[min(tile // self._job.sample_tiles, len(self.rows) - 1), 0] = resident_bytes()


def resident_bytes() -> int:
    """Resident memory of this process, what it shares included."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


class PacedSource:
    """Lines of a made-up web at a steady rate, as a driver would copy them; see ports."""

    truth = b""

    def __init__(self, job: Job) -> None:
        self.format = WebFormat(job.side, 1, 8, "paced")
        self._job, self._line, self._started = job, 0, time.monotonic()
        random = np.random.default_rng(0)
        self._web = random.integers(0, 255, (job.block_lines, job.side), np.uint8)

    def read_into(self, buffer: PixelArray) -> LineBlock | None:
        """The next block when it is due."""
        first, count = self._line, min(len(buffer), self._job.lines - self._line)
        if count <= 0:
            return None
        buffer[:count] = self._web[:count]
        self._line += count
        if self._job.rate_mb_s is not None:
            due = self._started + self._line * self._job.side / (self._job.rate_mb_s * 1e6)
            time.sleep(max(0.0, due - time.monotonic()))
        return LineBlock("cam0", first, buffer[:count], count, time.time_ns())

    def close(self) -> None:
        """Nothing to release."""


def run_capture_end(job: Job, folder: Path) -> EndNotes:
    """Capture the web and note when each tile's cut began (or bytes)."""
    began_cpu_s = time.process_time()
    hub, notes, cut = ZmqHub(), Notes(job), iter(range(1 << 62))
    board = hub.bind_switchboard(f"ipc://{folder}/tiles")
    ledger = hub.connect_link(f"ipc://{folder}/ledger", "capture")
    slots = SegmentPlan.of_tiles(2 * CAPACITY, job.side**2)
    shared = job.kind == "shared_memory"
    memory = TileMemory(make_segment(slots, "bench")) if shared else None
    give = memory.allocate if memory else np.empty

    def allocate(shape: tuple[int, ...], dtype: np.dtype) -> PixelArray:
        notes.take(next(cut), time.monotonic_ns())
        return give(shape, dtype)

    outlet = SlotSwitchboard(board, memory) if memory else board
    plan = CapturePlan(
        Origin("bench", "cam0", "none"),
        job.grid,
        DispatchSettings("block", CAPACITY, 2, 10_000, 60_000),
        job.block_lines,
        30_000,
        "one",
        "paced",
    )
    pulse = Pulse("capture", "capture", (), 200, time.time_ns)
    links = CaptureLinks(outlet, ledger, hub.wait, allocate)
    try:
        fault = CaptureStage(plan, links, pulse, lambda _: PacedSource(job), lambda: False).run()
    finally:
        hub.close()
        if memory:
            memory.close()
    if fault:
        raise RuntimeError(fault)
    outside = int(memory.figures.get(OUTSIDE, 0)) if memory else 0
    return EndNotes(notes.rows, time.process_time() - began_cpu_s, outside)


class SinkEnd:
    """Stands in for the sink within the worker's process: says where to begin, acknowledges."""

    def __init__(self, hub: ZmqHub, ledger: ZmqSwitchboard) -> None:
        self.ended = False
        self._hub, self._ledger = hub, ledger

    def wait(self, timeout_ms: int) -> None:
        """See ports.Waiting; also hears capture."""
        self._hub.wait(timeout_ms)
        while (heard := self._ledger.receive()) is not None:
            if isinstance(heard[1], Hello):
                self._ledger.send("capture", Resume(0, 0))
            self.ended |= isinstance(heard[1], EndOfRoll)

    def send(self, message: object) -> bool:
        """Acknowledge a score map; see ports.Outlet."""
        return not isinstance(message, ScoreMap) or self._ledger.send(
            "capture", Ack((message.address,))
        )

    def close(self) -> None:
        """Nothing to release."""


class IdleScorer:
    """Notes when it has a tile and when it has read every byte of it; scores nothing."""

    description = "idle"

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def score(self, tile: Tile) -> Verdict:
        """See ports.TileScorer."""
        taken_ns = time.monotonic_ns()
        np.bitwise_xor.reduce(tile.pixels.reshape(-1).view(np.uint64))
        self._notes.take(tile.sequence, taken_ns, time.monotonic_ns())
        scores = np.zeros((1, 1), np.float32)
        place = (tile.lane, tile.sequence, tile.first_line, tile.line_count, 0, tile.column_count)
        stride = max(tile.line_count, tile.column_count)
        made = ("p", "m", tile.captured_ns, tile.captured_ns, "w")
        score_map = ScoreMap(tile.roll, tile.camera, *place, stride, scores, 0.0, 1.0, *made)
        return Verdict(score_map, None)

    def adopt(self, state: ProfileState) -> None:
        """There is nothing to learn."""


def run_worker_end(job: Job, folder: Path, answer: Connection) -> None:
    """Take tiles until capture ends the roll; sends EndNotes to `answer`."""
    began_cpu_s = time.process_time()
    hub, notes = ZmqHub(), Notes(job)
    ledger = hub.bind_switchboard(f"ipc://{folder}/ledger")
    sink = SinkEnd(hub, ledger)
    tiles = SlotLink(hub.connect_link(f"ipc://{folder}/tiles", "w"), "w")
    pulse = Pulse("score", "w", (), 200, time.time_ns)
    links = ScoreLinks({"cam0": tiles}, sink, sink.wait, tiles.holds)
    ScoreStage("w", links, pulse, IdleScorer(notes), lambda: sink.ended, 30_000).run()
    answer.send(EndNotes(notes.rows, time.process_time() - began_cpu_s))
    answer.close()
    hub.close()
