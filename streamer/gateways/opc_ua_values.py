"""What the OPC UA variables say of a line, by name, and how good it is; pure: knows no server."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from streamer.line_status import RunState
from streamer.message import DefectState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_ports import LineView
    from streamer.line_status import LineStatus

Scalar: TypeAlias = bool | int | float | str
OUT_OF_SPECIFICATION = "out_of_specification"
HEALTHY, DEGRADED, NO_DATA = 255, 100, 1  # ServiceLevel: OPC 10000-4, 6.6.2.4.2


class Quality(Enum):
    """How good a value is, by the names of OPC 10000-8."""

    GOOD = "Good"
    SILENT = "UncertainNoCommunicationLastUsableValue"  # the sink says nothing any more
    HUNG = "UncertainLastUsableValue"  # the gateway's own stage shows nothing any more
    UNHEARD = "BadWaitingForInitialData"


@dataclass(frozen=True, slots=True)
class Shown:
    """A view, and whether its stage still hands over new ones."""

    view: LineView
    is_live: bool

    @property
    def is_fresh(self) -> bool:
        """Whether the sink's figures are of now."""
        return self.is_live and self.view.is_fresh

    @property
    def quality(self) -> Quality:
        """Of whatever the sink alone knows."""
        if self.view.status is None:
            return Quality.UNHEARD
        if not self.is_live:
            return Quality.HUNG
        # Of an ended roll nothing more is to come: what it left stays right.
        is_over = self.view.state is RunState.HALTED
        return Quality.GOOD if self.view.is_fresh or is_over else Quality.SILENT

    @property
    def state(self) -> RunState:
        """The line's; ERROR when nothing is heard of it."""
        if self.is_live or self.view.state is RunState.PREOPERATIONAL:
            return self.view.state
        return RunState.ERROR

    @property
    def data_valid(self) -> bool:
        """Whether web is being inspected, as far as is known now."""
        return self.is_live and self.view.data_valid

    @property
    def reason(self) -> str:
        """Why the data is not valid; "" when it is."""
        return self.view.reason if self.is_live else "the gateway's own process stands still"

    @property
    def not_inspected(self) -> bool:
        """Whether web passes that nobody judges; yes whenever that is not known."""
        status = self.view.status
        if status is None or not self.is_live:
            return True
        is_silent = not self.view.is_fresh and self.view.state is not RunState.HALTED
        return is_silent or status.not_inspected_active

    @property
    def out_of_specification(self) -> bool:
        """Whether a system alarm says so that is not over (NAMUR NE 107)."""
        return any(
            alarm.signal == OUT_OF_SPECIFICATION and alarm.state is not DefectState.END
            for alarm in self.view.alarms
        )

    @property
    def service_level(self) -> int:
        """For clients that choose between servers."""
        if not self.is_fresh:
            return NO_DATA
        return HEALTHY if self.data_valid else DEGRADED


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: `kind` is a built-in type of OPC UA, `unit` a UNECE symbol or ""."""

    name: str
    kind: str
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class LineVariable(Variable):
    """What this gateway knows by itself: always good, and blind when in doubt."""

    read: Callable[[Shown], Scalar]


@dataclass(frozen=True, slots=True)
class SinkVariable(Variable):
    """What the sink alone knows: as good as what was heard of it last."""

    read: Callable[[LineStatus], Scalar]


LINE_VARIABLES = (
    LineVariable("RunState", "String", "", "State of the line", lambda s: s.state.value),
    LineVariable("DataValid", "Boolean", "", "Web is being inspected now", lambda s: s.data_valid),
    LineVariable("Reason", "String", "", "Why DataValid is false", lambda s: s.reason),
    LineVariable(
        "NotInspectedActive",
        "Boolean",
        "",
        "Web passes that nobody judges",
        lambda s: s.not_inspected,
    ),
    LineVariable(
        "OutOfSpecification",
        "Boolean",
        "",
        "A NE 107 alarm says so: latency nears the way to the actuator",
        lambda s: s.out_of_specification,
    ),
)
SINK_VARIABLES = (
    SinkVariable(
        "Heartbeat", "UInt32", "", "Count of the sink's work loop", lambda s: s.beat % 2**32
    ),
    SinkVariable("Roll", "String", "", "Name of the roll", lambda s: s.roll),
    SinkVariable("Speed", "Double", "m/min", "Speed of the web", lambda s: s.speed_m_min),
    SinkVariable("Position", "Double", "mm", "Web captured so far", lambda s: s.position_mm),
    SinkVariable("JudgedPosition", "Double", "mm", "Web judged so far", lambda s: _judged_mm(s)),
    SinkVariable("Encoder", "Int64", "", "Encoder counts at Position", lambda s: s.encoder),
    SinkVariable("Lag", "Double", "ms", "Age of the verdict", lambda s: s.lag_ms),
    SinkVariable("LagDistance", "Double", "mm", "The web's way in Lag", lambda s: s.lag_mm),
    SinkVariable(
        "LatencyP99",
        "Double",
        "ms",
        "From capture to verdict, 99 of 100",
        lambda s: s.latency_p99_ms,
    ),
    SinkVariable(
        "LatencyP99Distance",
        "Double",
        "mm",
        "The web's way in LatencyP99",
        lambda s: s.latency_p99_mm,
    ),
    SinkVariable(
        "ActuatorDistance",
        "Double",
        "mm",
        "Camera to actuator; 0: unknown",
        lambda s: s.actuator_mm,
    ),
    SinkVariable("Defects", "UInt32", "", "Defects of this roll", lambda s: s.defects),
    SinkVariable("ActiveAlarms", "UInt32", "", "Alarms that are active", lambda s: s.active_alarms),
    SinkVariable(
        "UnacknowledgedAlarms",
        "UInt32",
        "",
        "Alarms that nobody acknowledged",
        lambda s: s.unacknowledged,
    ),
    SinkVariable("ConfigDigest", "String", "", "Of the configuration", lambda s: s.config_digest),
    SinkVariable("ModelDigest", "String", "", "Of the model", lambda s: s.model_digest),
)
VARIABLES: tuple[Variable, ...] = (*LINE_VARIABLES, *SINK_VARIABLES)


def line_values(shown: Shown) -> dict[str, tuple[Scalar | None, Quality]]:
    """Value and quality of each of VARIABLES; None where nothing was heard yet."""
    values: dict[str, tuple[Scalar | None, Quality]] = {
        line.name: (line.read(shown), Quality.GOOD) for line in LINE_VARIABLES
    }
    status, quality = shown.view.status, shown.quality
    for sink in SINK_VARIABLES:
        values[sink.name] = (None if status is None else sink.read(status), quality)
    return values


def _judged_mm(status: LineStatus) -> float:
    judged = status.judged_line / status.last_line if status.last_line else 0.0
    return status.position_mm * judged
