"""The shared vocabulary: what crosses a process; imports numpy and knows no transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import TypeAlias

import numpy as np

PixelArray: TypeAlias = np.ndarray  # uint8 or uint16, (lines, columns[, 3])
ScoreArray: TypeAlias = np.ndarray  # float32, (rows, columns) of the grid

# (whole raw lines, first column, memory of the lines' number and of any width) -> the columns from
# the first one on, corrected, in that memory; not in that of the lines, which stay as they are.
Correction: TypeAlias = Callable[[PixelArray, int, PixelArray], None]


class GapReason(StrEnum):
    """Why lines of the web were not inspected."""

    CAMERA_LOSS = "camera_loss"
    PARTIAL_FRAME = "partial_frame"
    OVERLOAD = "overload"
    WORKER_LOST = "worker_lost"
    TIMEOUT = "timeout"
    OVERSPEED = "overspeed"
    NO_WEB = "no_web"
    CORRUPT_INPUT = "corrupt_input"
    ENGINE_ERROR = "engine_error"
    TOO_SHORT = "too_short"


class LineFlag(IntFlag):
    """What is special about a block of lines."""

    NONE = 0
    PARTIAL = 1
    REVERSE = 2
    OVERSPEED = 4
    SEAM = 8  # the first line does not continue the web before it: a new piece starts


class StageState(StrEnum):
    """What a stage is doing."""

    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


class DefectState(StrEnum):
    """Life of a defect: announced, grown, can grow no more."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


class AlarmKind(StrEnum):
    """What an alarm is about."""

    DEFECT = "defect"
    NOT_INSPECTED = "not_inspected"
    SYSTEM = "system"


class Severity(StrEnum):
    """How much an alarm matters, ascending."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def require(holds: bool, rule: str, given: object) -> None:
    """Raise ValueError "<rule>, got <given>" unless `holds`."""
    if not holds:
        msg = f"{rule}, got {given!r}"
        raise ValueError(msg)


def require_pixels(name: str, pixels: PixelArray) -> None:
    """Raise ValueError unless `pixels` is (lines, columns[, 3]) uint8 or uint16."""
    require(pixels.dtype in (np.uint8, np.uint16), f"{name} must be uint8 or uint16", pixels.dtype)
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    require(shaped, f"{name} must be (lines, columns) or (lines, columns, 3)", pixels.shape)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Half-open interval [first, end) of lines or columns."""

    first: int
    end: int

    def __post_init__(self) -> None:
        require(0 <= self.first <= self.end, "interval must have 0 <= first <= end", self)

    @property
    def size(self) -> int:
        """Number of members."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Consecutive lines as a source delivers them.

    `pixels` is (lines, columns[, 3]); only the first `valid_lines` are web, the rest is filler.
    They are as the camera saw them where a `correction` is still due, the same for every line: who
    looks at the web takes `corrected` or `copy_into`, so that correcting is part of the only copy.
    `masked` are column intervals that hold no web (off-web, padding). `notices` say what of the
    camera or its light wants maintenance as these lines pass.
    """

    camera: str
    first_line: int
    pixels: PixelArray
    valid_lines: int
    captured_ns: int
    flags: LineFlag = LineFlag.NONE
    masked: tuple[Interval, ...] = ()
    encoder_first: int = 0
    encoder_last: int = 0
    notices: tuple[str, ...] = ()
    correction: Correction | None = None

    def __post_init__(self) -> None:
        require_pixels("LineBlock.pixels", self.pixels)
        require(self.first_line >= 0, "LineBlock.first_line must be >= 0", self.first_line)
        inside = 0 <= self.valid_lines <= self.pixels.shape[0]
        require(inside, "LineBlock.valid_lines must be within the pixels", self.valid_lines)

    @property
    def columns(self) -> int:
        """Width of the web in pixels."""
        return int(self.pixels.shape[1])

    def copy_into(self, memory: PixelArray, lines: slice, first_column: int = 0) -> None:
        """Fill (lines, columns[, 3]) with lines of the block, corrected, from a column on."""
        raw = self.pixels[lines]
        if self.correction is None:
            memory[:] = raw[:, first_column : first_column + memory.shape[1]]
        else:
            self.correction(raw, first_column, memory)

    def corrected(self, lines: slice, columns: Interval) -> PixelArray:
        """Some lines and columns of the block as the web is: a view if no correction is due."""
        across = slice(columns.first, columns.end)
        if self.correction is None:
            return self.pixels[lines, across]
        found = np.empty_like(self.pixels[lines, across], order="C")
        self.copy_into(found, lines, columns.first)
        return found


@dataclass(frozen=True, slots=True)
class LineLoss:
    """Lines that a source knows to exist but cannot deliver."""

    camera: str
    first_line: int
    line_count: int
    reason: GapReason
    captured_ns: int
    detail: str = ""

    def __post_init__(self) -> None:
        require(self.line_count > 0, "LineLoss.line_count must be > 0", self.line_count)


@dataclass(frozen=True, slots=True)
class Halo:
    """Pixels around the core of a tile; 0 at the web's own edge.

    `top` and `left` are multiples of the stride, so that the core starts on a grid line.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        smallest = min(self.top, self.bottom, self.left, self.right)
        require(smallest >= 0, "halo must be >= 0 on every side", self)


@dataclass(frozen=True, slots=True)
class Tile:
    """One core rectangle of a lane with its halo, ready for the backbone.

    `first_line`, `first_column`, `line_count`, `column_count` describe the core in web pixels; the
    pixels are the core plus halo, extended by their mirror image to a multiple of the stride at the
    web's right edge and a piece's last line. `masked` are web columns without web.
    """

    roll: str
    camera: str
    lane: int
    sequence: int
    first_line: int
    line_count: int
    first_column: int
    column_count: int
    halo: Halo
    pixels: PixelArray
    captured_ns: int
    config_digest: str
    masked: tuple[Interval, ...] = ()

    def __post_init__(self) -> None:
        require_pixels("Tile.pixels", self.pixels)
        require(self.lane >= 0 and self.sequence >= 0, "Tile address must be >= 0", self.address)
        core = self.line_count > 0 and self.column_count > 0
        require(core, "Tile core must not be empty", (self.line_count, self.column_count))
        lines = self.halo.top + self.line_count + self.halo.bottom
        columns = self.halo.left + self.column_count + self.halo.right
        fits = self.pixels.shape[0] >= lines and self.pixels.shape[1] >= columns
        require(fits, "Tile.pixels must hold core and halo", self.pixels.shape)

    @property
    def address(self) -> TileAddress:
        """Camera, lane and sequence."""
        return TileAddress(self.camera, self.lane, self.sequence)


@dataclass(frozen=True, slots=True, order=True)
class TileAddress:
    """What identifies a tile within a roll."""

    camera: str
    lane: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Tiles of one lane that were not inspected, and why."""

    roll: str
    camera: str
    lane: int
    first_sequence: int
    tile_count: int
    first_line: int
    line_count: int
    reason: GapReason
    detail: str = ""

    def __post_init__(self) -> None:
        require(self.tile_count > 0, "Gap.tile_count must be > 0", self.tile_count)
        require(self.line_count > 0, "Gap.line_count must be > 0", self.line_count)


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Anomaly scores of the core of one tile, on the grid of the backbone's stride.

    `scores` is (ceil(line_count / stride), ceil(column_count / stride)) float32. A score s reads
    as (s - background) / (alarm_level - background): 0 is typical texture, 1 the alarm level. It is
    NaN only where its cell touches a masked column. `evidence` is the core's pixels when a score
    reached the evidence level, else None. `self_judged`: the profile is the tile's own, not the
    lane's. The lane's present article began at line `article_line`; `profile_drift` is how far what
    counts as normal has moved since (mean absolute difference, as share of the feature range).
    """

    roll: str
    camera: str
    lane: int
    sequence: int
    first_line: int
    line_count: int
    first_column: int
    column_count: int
    stride: int
    scores: ScoreArray
    background: float
    alarm_level: float
    profile_digest: str
    model_digest: str
    captured_ns: int
    scored_ns: int
    worker: str
    masked: tuple[Interval, ...] = ()
    evidence: PixelArray | None = None
    self_judged: bool = False
    article_line: int = 0
    profile_drift: float = 0.0

    def __post_init__(self) -> None:
        require(self.scores.dtype == np.float32, "scores must be float32", self.scores.dtype)
        rows, columns = -(-self.line_count // self.stride), -(-self.column_count // self.stride)
        require(
            self.scores.shape == (rows, columns),
            f"scores must be {rows, columns}",
            self.scores.shape,
        )
        ordered = self.alarm_level > self.background
        require(ordered, "alarm_level must be > background", (self.background, self.alarm_level))
        finite = bool(np.isfinite((self.background, self.alarm_level)).all())
        require(finite, "levels must be finite", (self.background, self.alarm_level))
        self._require_scores()

    def _require_scores(self) -> None:
        """A score that is no number would read as typical texture."""
        allowed = np.zeros(self.scores.shape[1], bool)
        for interval in self.masked:
            first, end = (max(c - self.first_column, 0) for c in (interval.first, interval.end))
            allowed[first // self.stride : -(-end // self.stride)] |= end > first
        stray = ~np.isfinite(self.scores) & ~(allowed & np.isnan(self.scores))
        require(not stray.any(), "scores must be finite where there is web", int(stray.sum()))

    @property
    def address(self) -> TileAddress:
        """Camera, lane and sequence."""
        return TileAddress(self.camera, self.lane, self.sequence)


@dataclass(frozen=True, slots=True)
class ProfileState:
    """What a lane has learnt before tile `sequence`, as bytes of a safetensors-like container.

    A lane that goes on learning sends one state after the other: each follows from the one before
    and the tiles between. `learnt_from` is the first tile that the lane learnt from; None: nothing
    is learnt after this state.
    """

    roll: str
    camera: str
    lane: int
    sequence: int
    digest: str
    profile: bytes
    learnt_from: int | None = None


@dataclass(frozen=True, slots=True)
class RegionMm:
    """Bounding box on the web in millimetres from the start of the roll and its left edge."""

    down_first: float
    down_end: float
    cross_first: float
    cross_end: float


@dataclass(frozen=True, slots=True)
class Defect:
    """A connected anomalous region; scores are in units of the alarm level (1 = alarm)."""

    id: int
    state: DefectState
    region: RegionMm
    peak: float
    mean: float
    area_mm2: float
    first_line: int
    end_line: int
    captured_ns: int
    defect_class: str = "unknown"


class AlarmCondition(StrEnum):
    """Where an alarm stands with those who must act on it (ISA-18.2).

    Latched: it has ended before anybody acknowledged it. Normal: it has ended and needs nobody.
    """

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    NORMAL = "normal"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a PLC or a person is told; `sequence` counts published messages without holes.

    Times are UTC in nanoseconds: `captured_ns` when its last line was captured, `scored_ns` when
    the verdict on it was there (0: nothing was scored), `raised_ns` when this message was made;
    `travel_mm` is the web's way from the first to the last of them. `condition_ns` is the time of
    `condition`, `by` who brought it about, `until_ns` when shelving ends. `threshold` says where
    the alarm level of a defect comes from; `repeat_mm` is the pitch of a mark that comes again, of
    others 0.
    """

    id: str
    sequence: int
    kind: AlarmKind
    state: DefectState
    severity: Severity
    roll: str
    camera: str
    region: RegionMm
    encoder_first: int
    encoder_end: int
    raised_ns: int
    captured_ns: int
    peak: float
    config_digest: str
    model_digest: str
    signal: str = ""  # NE 107 signal of a system alarm
    text: str = ""
    scored_ns: int = 0
    travel_mm: float = 0.0
    threshold: str = ""
    condition: AlarmCondition = AlarmCondition.UNACKNOWLEDGED
    condition_ns: int = 0
    by: str = ""
    until_ns: int = 0
    repeat_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Proof of work from a stage's loop.

    Past `busy_until_ns` (announced before a call that may outlast a beat) the stage is stalled.
    `figures` are numbers for the display, by name with unit; `notices` are what wants maintenance.
    """

    stage: str
    process: str
    state: StageState
    sent_ns: int
    busy_until_ns: int
    last_line: int
    queue_depth: int
    backend: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
