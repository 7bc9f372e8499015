"""How the line stands and what its peers may ask of it; knows no protocol and no socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streamer.message import require

LONGEST_TEXT = 200  # of a reason or a name that a peer gives
LONGEST_SHELF_S = 7 * 24 * 3600.0


class RunState(StrEnum):
    """States of OPC 40100-1, flat: the last three are its Operational."""

    PREOPERATIONAL = "preoperational"  # nothing was heard of the line yet
    HALTED = "halted"  # the roll has ended, nothing runs
    ERROR = "error"  # a stage could not go on
    INITIALIZED = "initialized"  # engines are loading
    READY = "ready"  # waits for the first line
    CONTINUOUS_EXECUTION = "continuous_execution"  # a roll is being inspected


@dataclass(frozen=True, slots=True)
class StageView:
    """One process of the line as its last heartbeat told; `age_ms` counts past its busy call."""

    stage: str
    process: str
    state: str
    backend: str
    queue_depth: int
    last_line: int
    age_ms: float
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineStatus:
    """What the sink's work loop says about every 100 ms; its silence is a fault.

    `publisher` is another one whenever the sink was started anew, `sequence` that of its latest
    alarm, `beat` a count that rises by one with each status. `data_valid`: pixels are arriving and
    being inspected; else `reason` says what keeps them from it. `not_inspected_active`: web is
    passing now, or passed just before, that nobody has judged. Lines count from the start of the
    roll: `last_line` is the end of what was captured, `judged_line` of what has verdicts.
    `latency_p99_ms` is from the capture of a line to its verdict; `lag_mm` and `latency_p99_mm`
    are the web's way in that time. `actuator_mm` is the way from camera to actuator, 0: unknown.
    """

    publisher: str
    sequence: int
    beat: int
    sent_ns: int
    state: RunState
    roll: str
    data_valid: bool
    reason: str
    not_inspected_active: bool
    last_line: int
    judged_line: int
    encoder: int
    position_mm: float
    speed_m_min: float
    lag_ms: float
    lag_mm: float
    latency_p99_ms: float
    latency_p99_mm: float
    actuator_mm: float
    defects: int
    active_alarms: int
    unacknowledged: int
    config_digest: str
    model_digest: str
    figures: dict[str, float] = field(default_factory=dict)
    not_inspected_m: dict[str, float] = field(default_factory=dict)
    stages: tuple[StageView, ...] = ()


class CommandKind(StrEnum):
    """What a peer may ask."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Command:
    """A peer's wish: `alarm` is an alarm's id, "*" all that it can mean; "" with `stop`.

    Shelving lasts for `seconds`. For suppressing and taking out of service `alarm` is what the id
    begins with (ISA-18.2: by design, by an operator for maintenance). `by` names who asked.
    """

    id: str
    kind: CommandKind
    alarm: str
    by: str
    seconds: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        texts = (self.id, self.alarm, self.by, self.reason)
        rule = f"texts of a command must have at most {LONGEST_TEXT} characters"
        require(max(map(len, texts)) <= LONGEST_TEXT, rule, max(map(len, texts)))
        require(bool(self.id and self.by), "Command.id and by must be given", (self.id, self.by))
        named = bool(self.alarm) or self.kind is CommandKind.STOP
        require(named, "Command.alarm must be an alarm's id or *", self.alarm)
        lasts = 0 < self.seconds <= LONGEST_SHELF_S
        shelves = self.kind is CommandKind.SHELVE
        rule = f"Command.seconds must be within (0, {LONGEST_SHELF_S:g}] to shelve"
        require(lasts or not shelves, rule, self.seconds)


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """Whether a command was carried out, and else why not."""

    id: str
    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class MapRows:
    """Rows of the live map, coarse: the highest score of each cell, as a byte.

    `cells` holds `rows` times `columns` bytes, row by row: 0 to 250 are scores from 0 to 2.5 times
    the alarm level, 253 is masked, 254 not inspected. They show lines `first_line` to `end_line`.
    """

    roll: str
    first_line: int
    end_line: int
    first_mm: float
    end_mm: float
    width_mm: float
    rows: int
    columns: int
    cells: bytes

    MASKED = 253
    NOT_INSPECTED = 254

    def __post_init__(self) -> None:
        size = self.rows * self.columns
        require(len(self.cells) == size, f"MapRows.cells must have {size} bytes", len(self.cells))
