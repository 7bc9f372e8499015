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
    """One field of an event; `kind` is a built-in type of OPC UA."""

    name: str
    kind: str
    read: Callable[[Alarm], FieldValue]


def utc(time_ns: int) -> datetime | None:
    """A time in nanoseconds since 1970; None for 0."""
    return datetime.fromtimestamp(time_ns / _NS_PER_S, UTC) if time_ns else None


FIELDS = (
    Field("AlarmId", "String", lambda a: a.id),
    Field("AlarmSequence", "Int64", lambda a: a.sequence),
    Field("AlarmKind", "String", lambda a: a.kind.value),
    Field("AlarmState", "String", lambda a: a.state.value),
    Field("AlarmCondition", "String", lambda a: a.condition.value),
    Field("AlarmBy", "String", lambda a: a.by),
    Field("Signal", "String", lambda a: a.signal),  # NE 107, of a system alarm
    Field("Roll", "String", lambda a: a.roll),
    Field("Camera", "String", lambda a: a.camera),
    Field("DownFirst", "Double", lambda a: a.region.down_first),  # all four in mm
    Field("DownEnd", "Double", lambda a: a.region.down_end),
    Field("CrossFirst", "Double", lambda a: a.region.cross_first),
    Field("CrossEnd", "Double", lambda a: a.region.cross_end),
    Field("EncoderFirst", "Int64", lambda a: a.encoder_first),
    Field("EncoderEnd", "Int64", lambda a: a.encoder_end),
    Field("Peak", "Double", lambda a: a.peak),  # in units of the alarm level
    Field("Threshold", "String", lambda a: a.threshold),
    Field("TravelDistance", "Double", lambda a: a.travel_mm),  # mm, from capture to this message
    Field("CapturedTime", "DateTime", lambda a: utc(a.captured_ns)),
    Field("ScoredTime", "DateTime", lambda a: utc(a.scored_ns)),
    Field("ConfigDigest", "String", lambda a: a.config_digest),
    Field("ModelDigest", "String", lambda a: a.model_digest),
)
# Columns of the list of active alarms: arrays, for many a PLC reads no structures.
COLUMNS = (
    Field("Id", "String", lambda a: a.id),
    Field("Kind", "String", lambda a: a.kind.value),
    Field("Condition", "String", lambda a: a.condition.value),
    Field("Severity", "UInt16", lambda a: SEVERITIES[a.severity]),
    Field("Signal", "String", lambda a: a.signal),
    Field("DownFirst", "Double", lambda a: a.region.down_first),
    Field("DownEnd", "Double", lambda a: a.region.down_end),
    Field("CrossFirst", "Double", lambda a: a.region.cross_first),
    Field("CrossEnd", "Double", lambda a: a.region.cross_end),
    Field("EncoderFirst", "Int64", lambda a: a.encoder_first),
    Field("EncoderEnd", "Int64", lambda a: a.encoder_end),
    Field("Text", "String", lambda a: a.text),
)


def message(alarm: Alarm) -> str:
    """One line for a person."""
    return f"{alarm.kind.value} {alarm.state.value}: {alarm.text or alarm.id}"


def listed(alarms: Sequence[Alarm]) -> tuple[Alarm, ...]:
    """At most MOST_LISTED of them: those put aside last, severe before others, by sequence."""
    urgent = sorted(alarms, key=lambda a: (a.condition in _ASIDE, -SEVERITIES[a.severity]))
    return tuple(sorted(urgent[:MOST_LISTED], key=lambda a: a.sequence))
