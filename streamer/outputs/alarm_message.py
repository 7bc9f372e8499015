"""Alarms as JSON, with their schema; knows no socket."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streamer.message import AlarmCondition, AlarmKind, DefectState, Severity
from streamer.outputs.storage import utc_text

if TYPE_CHECKING:
    from enum import StrEnum

    from streamer.message import Alarm

ALARM_SCHEMA = "linescan.alarm/2"
SNAPSHOT_SCHEMA = "linescan.alarm-snapshot/2"
BEAT_SCHEMA = "linescan.alarm-beat/1"

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_ENCODER = {"type": "integer"}
_NUMBER = {"type": "number"}
_UTC = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
_REGION_SIDES = ("down_first", "down_end", "cross_first", "cross_end")


def alarm_record(alarm: Alarm, publisher: str) -> dict[str, Any]:
    """The alarm as `alarm_schema` describes it; every life of the sink is another `publisher`."""
    record = asdict(alarm)
    region = record.pop("region")
    return {
        "schema": ALARM_SCHEMA,
        "publisher": publisher,
        **record,
        "region_mm": region,
        "raised_utc": utc_text(alarm.raised_ns),
        "captured_utc": utc_text(alarm.captured_ns),
    }


def encode(record: dict[str, Any]) -> bytes:
    """Compact UTF-8 JSON.

    Raises:
        ValueError: a number is not finite; JSON has no word for it.
    """
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()


def alarm_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of an alarm message."""
    properties = {
        "schema": {"const": ALARM_SCHEMA},
        "publisher": {**_TEXT, "description": "another value: the sink was started anew"},
        "id": {**_TEXT, "description": "stays the same over the life of the alarm"},
        "sequence": {**_COUNT, "description": "counts messages of one publisher without holes"},
        "kind": _choice(AlarmKind),
        "state": {**_choice(DefectState), "description": "active until 'end'"},
        "severity": _choice(Severity),
        "roll": _TEXT,
        "camera": _TEXT,
        "region_mm": _region_schema(),
        "encoder_first": _ENCODER,
        "encoder_end": _ENCODER,
        "raised_ns": {**_COUNT, "description": "UTC since 1970, in nanoseconds"},
        "raised_utc": _UTC,
        "captured_ns": {**_COUNT, "description": "when its last line was captured"},
        "captured_utc": _UTC,
        "peak": {**_NUMBER, "description": "highest score; 1 is the alarm level"},
        "config_digest": _TEXT,
        "model_digest": _TEXT,
        "signal": {**_TEXT, "description": "NE 107 signal of a system alarm, else empty"},
        "text": _TEXT,
        "scored_ns": {**_COUNT, "description": "when the verdict was there; 0: nothing was scored"},
        "travel_mm": {**_NUMBER, "description": "the web's way from captured_ns to raised_ns"},
        "threshold": {**_TEXT, "description": "where the alarm level of a defect comes from"},
        "condition": {**_choice(AlarmCondition), "description": "as in ISA-18.2"},
        "condition_ns": _COUNT,
        "by": {**_TEXT, "description": "who brought the condition about"},
        "until_ns": {**_COUNT, "description": "when shelving ends; 0: it is not shelved"},
        "repeat_mm": {**_NUMBER, "description": "pitch of a mark that comes again, else 0"},
    }
    return _object(ALARM_SCHEMA, properties)


def snapshot_schema() -> dict[str, Any]:
    """JSON Schema of the answer to a snapshot request."""
    active = {"type": "array", "items": alarm_schema()}
    return _object(SNAPSHOT_SCHEMA, {**_envelope(SNAPSHOT_SCHEMA), "active": active})


def beat_schema() -> dict[str, Any]:
    """JSON Schema of the beat that lets a subscriber see that it lost the latest messages."""
    return _object(BEAT_SCHEMA, _envelope(BEAT_SCHEMA))


def _envelope(schema: str) -> dict[str, Any]:
    return {"schema": {"const": schema}, "publisher": _TEXT, "sequence": _COUNT}


def _choice(values: type[StrEnum]) -> dict[str, Any]:
    return {"enum": [value.value for value in values]}


def _region_schema() -> dict[str, Any]:
    region = _object("", dict.fromkeys(_REGION_SIDES, _NUMBER))
    return {**region, "description": "from the start of the roll and the left edge of the web"}


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {
        **(head if title else {}),
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
