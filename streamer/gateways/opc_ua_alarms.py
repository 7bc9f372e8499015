"""What an OPC UA event and the list of active alarms say of an alarm; pure: knows no server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from streamer.message import AlarmCondition, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamer.message import Alarm

FieldValue: TypeAlias = str | int | float | datetime | None
MOST_LISTED = 100  # alarms that can be read at once; ActiveAlarms counts all of them
SEVERITIES = {Severity.LOW: 200, Severity.MEDIUM: 500, Severity.HIGH: 800}  # 1-333, -666, -1000
_ASIDE = (AlarmCondition.SHELVED, AlarmCondition.SUPPRESSED, AlarmCondition.OUT_OF_SERVICE)
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event or column of the list; `kind` is a built-in type of OPC UA."""

    name: str
    kind: str
    text: str
    read: Callable[[Alarm], FieldValue]


def utc(time_ns: int) -> datetime | None:
    """A time in nanoseconds since 1970; None for 0."""
    return datetime.fromtimestamp(time_ns / _NS_PER_S, UTC) if time_ns else None


_PLACE = (
    Field(
        "DownFirst",
        "Double",
        "Begin down-web, in mm from the start of the roll",
        lambda a: a.region.down_first,
    ),
    Field("DownEnd", "Double", "End down-web, in mm", lambda a: a.region.down_end),
    Field(
        "CrossFirst",
        "Double",
        "Begin cross-web, in mm from the left edge",
        lambda a: a.region.cross_first,
    ),
    Field("CrossEnd", "Double", "End cross-web, in mm", lambda a: a.region.cross_end),
    Field("EncoderFirst", "Int64", "Encoder counts at the begin", lambda a: a.encoder_first),
    Field("EncoderEnd", "Int64", "Encoder counts at the end", lambda a: a.encoder_end),
)
_SIGNAL = Field(
    "Signal", "String", "NE 107 signal of a system alarm, else empty", lambda a: a.signal
)
FIELDS = (
    Field("AlarmId", "String", "Id, for Acknowledge", lambda a: a.id),
    Field(
        "AlarmSequence",
        "Int64",
        "Count of the sink's messages, without holes",
        lambda a: a.sequence,
    ),
    Field("AlarmKind", "String", "defect, not_inspected or system", lambda a: a.kind.value),
    Field("AlarmState", "String", "new, update or end", lambda a: a.state.value),
    Field(
        "AlarmCondition",
        "String",
        "Where it stands after ISA-18.2: unacknowledged, acknowledged, latched, normal, ...",
        lambda a: a.condition.value,
    ),
    Field("AlarmBy", "String", "Who brought the condition about", lambda a: a.by),
    _SIGNAL,
    Field("Roll", "String", "Name of the roll", lambda a: a.roll),
    Field("Camera", "String", "Name of the camera", lambda a: a.camera),
    *_PLACE,
    Field("Peak", "Double", "Highest score, in units of the alarm level", lambda a: a.peak),
    Field("Threshold", "String", "Where the alarm level comes from", lambda a: a.threshold),
    Field(
        "TravelDistance",
        "Double",
        "The web's way from capture to this message, in mm",
        lambda a: a.travel_mm,
    ),
    Field(
        "CapturedTime", "DateTime", "When its last line was captured", lambda a: utc(a.captured_ns)
    ),
    Field(
        "ScoredTime",
        "DateTime",
        "When the verdict was there; null: nothing was scored",
        lambda a: utc(a.scored_ns),
    ),
    Field("ConfigDigest", "String", "Of the configuration", lambda a: a.config_digest),
    Field("ModelDigest", "String", "Of the model", lambda a: a.model_digest),
)
# Columns of the list of active alarms: arrays, for many a PLC reads no structures.
COLUMNS = (
    Field("Id", "String", "Id, for Acknowledge", lambda a: a.id),
    Field("Kind", "String", "defect, not_inspected or system", lambda a: a.kind.value),
    Field("Condition", "String", "Where it stands after ISA-18.2", lambda a: a.condition.value),
    Field(
        "Severity",
        "UInt16",
        "1 to 1000: low 200, medium 500, high 800",
        lambda a: SEVERITIES[a.severity],
    ),
    _SIGNAL,
    *_PLACE,
    Field("Text", "String", "For a person", lambda a: a.text),
)


def message(alarm: Alarm) -> str:
    """One line for a person."""
    return f"{alarm.kind.value} {alarm.state.value}: {alarm.text or alarm.id}"


def listed(alarms: Sequence[Alarm]) -> tuple[Alarm, ...]:
    """At most MOST_LISTED of them: those put aside last, severe before others, by sequence."""
    urgent = sorted(alarms, key=lambda a: (a.condition in _ASIDE, -SEVERITIES[a.severity]))
    return tuple(sorted(urgent[:MOST_LISTED], key=lambda a: a.sequence))
