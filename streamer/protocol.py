"""What the stages say to each other about their work: greetings, credit, verdicts, places."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamer.message import Interval, LineBlock, LineLoss, TileAddress, require

SEGMENT_PREFIX = "linescan-tiles-"
_SEGMENT = re.compile(SEGMENT_PREFIX + r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Hello:
    """Capture announces itself to the sink at start and after a restart."""

    roll: str
    camera: str
    incarnation: str
    lane_columns: tuple[Interval, ...]
    columns: int
    source: str


@dataclass(frozen=True, slots=True)
class Resume:
    """The sink's answer to Hello: where the ledger of this roll ends (0, 0 at the start).

    `captured_ns` (UTC) is when the web was last seen: the capture time of the last row, before the
    first row that of the roll's beginning; 0 when nobody has seen the web yet.
    """

    first_line: int
    sequence: int
    captured_ns: int = 0


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One tile row that capture knows to exist: every lane has a tile, a gap or a mask in it.

    `starts_piece`: the web before it is not its neighbour. `lane_columns` are the core columns of
    each lane, in order; `masked` are web columns without web in this row.
    """

    roll: str
    camera: str
    sequence: int
    first_line: int
    line_count: int
    starts_piece: bool
    lane_columns: tuple[Interval, ...]
    masked: tuple[Interval, ...]
    captured_ns: int

    def __post_init__(self) -> None:
        require(self.line_count > 0, "LedgerRow.line_count must be > 0", self.line_count)
        require(len(self.lane_columns) > 0, "LedgerRow must have a lane", self.lane_columns)


@dataclass(frozen=True, slots=True)
class Ack:
    """The sink has stored these verdicts; capture may forget the tiles."""

    addresses: tuple[TileAddress, ...]


@dataclass(frozen=True, slots=True)
class EndOfRoll:
    """No further line of this roll comes from this camera."""

    roll: str
    camera: str
    last_line: int
    rows: int
    complete: bool
    reason: str = ""
    truth: bytes = b""  # JSON ground truth, when the source knows it (simulator)


@dataclass(frozen=True, slots=True)
class ToRecord:
    """What capture has taken from its source, for the recorder: a block or a loss.

    `sequence` counts what this capture (`incarnation`) had to hand over, sent or not, so that a
    hole in it is a hole in the recording; a jump of lines without one is the source's own. It
    begins at 0 with the roll, and at 1 with a capture that goes on with a roll.
    """

    incarnation: str
    sequence: int
    columns: int
    channels: int
    bits: int
    source: str
    block: LineBlock | None = None
    loss: LineLoss | None = None

    def __post_init__(self) -> None:
        given = [type(part).__name__ for part in (self.block, self.loss) if part is not None]
        require(len(given) == 1, "ToRecord must be a block or a loss", given)


@dataclass(frozen=True, slots=True)
class EndOfRecording:
    """Capture hands over nothing more; lines up to `end_line` were taken from the source."""

    incarnation: str
    sequence: int
    end_line: int
    truth: bytes = b""


@dataclass(frozen=True, slots=True)
class ProfileQuery:
    """Capture asks a worker that is new to it for the lane profiles that it has of this roll."""

    roll: str
    camera: str


@dataclass(frozen=True, slots=True)
class Credit:
    """A worker asks for `tiles` more tiles; `held` are those it still works on.

    `window` is how many it takes at a time: what a capture goes by that does not know the worker,
    since credit given to the capture before it is lost.
    """

    worker: str
    tiles: int
    held: tuple[TileAddress, ...] = ()
    busy_until_ns: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class TileFailed:
    """A worker could not score a tile; capture decides about another attempt."""

    address: TileAddress
    worker: str
    detail: str


@dataclass(frozen=True, slots=True)
class Slot:
    """Where pixels lie in shared memory; `generation` counts what the slot was used for."""

    segment: str
    index: int
    generation: int
    size_bytes: int

    def __post_init__(self) -> None:
        # The name comes from another process and becomes that of a file.
        rule = f"Slot.segment must be {SEGMENT_PREFIX} and up to 100 letters, digits, _ or -"
        require(_SEGMENT.fullmatch(self.segment) is not None, rule, self.segment)
        require(self.index >= 0, "Slot.index must be >= 0", self.index)
        require(self.generation > 0, "Slot.generation must be > 0", self.generation)
        require(self.size_bytes > 0, "Slot.size_bytes must be > 0", self.size_bytes)


@dataclass(frozen=True, slots=True)
class SlotTile:
    """A tile whose pixels stay where capture has cut them.

    `header` is the first frame of the tile as `wire.encode` makes it, with shape and depth of the
    pixels; what would be the second frame are the first `size_bytes` bytes of the slot.
    """

    address: TileAddress
    slot: Slot
    header: bytes
