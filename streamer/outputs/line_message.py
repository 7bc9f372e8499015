"""Status of the line, commands and answers as JSON, with their schemas; knows no socket."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, TypeVar

import msgspec

from streamer.line_status import Command, CommandAnswer, LineStatus, MapRows
from streamer.message import Alarm, RegionMm, require
from streamer.outputs.alarm_message import ALARM_SCHEMA, SNAPSHOT_SCHEMA

STATUS_SCHEMA = "linescan.line-status/1"
COMMAND_SCHEMA = "linescan.command/1"
ANSWER_SCHEMA = "linescan.command-answer/1"
ROWS_SCHEMA = "linescan.map-rows/1"
LARGEST_COMMAND_BYTES = 4096
_T = TypeVar("_T", LineStatus, Command, CommandAnswer, MapRows)


def encode_status(status: LineStatus) -> bytes:
    """Compact UTF-8 JSON, as `status_schema` describes it."""
    return _encode(STATUS_SCHEMA, asdict(status))


def decode_status(frame: bytes) -> LineStatus:
    """The status in a frame.

    Raises:
        ValueError: it is no status of this version.
    """
    return _convert(_decode(STATUS_SCHEMA, frame), LineStatus)


def encode_command(command: Command) -> bytes:
    """Compact UTF-8 JSON, as `command_schema` describes it."""
    return _encode(COMMAND_SCHEMA, asdict(command))


def is_command(frame: bytes) -> bool:
    """Whether a request speaks of a command; anything else asks for a snapshot."""
    return COMMAND_SCHEMA.partition("/")[0].encode() in frame


def decode_command(frame: bytes) -> Command:
    """The command in a frame.

    Raises:
        ValueError: it is no command of this version, or one that cannot be meant.
    """
    limit = f"a command must have at most {LARGEST_COMMAND_BYTES} bytes"
    require(len(frame) <= LARGEST_COMMAND_BYTES, limit, len(frame))
    return _convert(_decode(COMMAND_SCHEMA, frame), Command)


def encode_answer(answer: CommandAnswer) -> bytes:
    """Compact UTF-8 JSON, as `answer_schema` describes it."""
    return _encode(ANSWER_SCHEMA, asdict(answer))


def decode_answer(frame: bytes) -> CommandAnswer | None:
    """The answer in a frame; None when it is something else (a snapshot).

    Raises:
        ValueError: it is no JSON object, or an answer of another version.
    """
    if ANSWER_SCHEMA.partition("/")[0].encode() not in frame[:100]:
        return None
    return _convert(_decode(ANSWER_SCHEMA, frame), CommandAnswer)


def encode_rows(rows: MapRows) -> tuple[bytes, bytes]:
    """Header and cells of rows of the live map."""
    known = {name: getattr(rows, name) for name in _ROW_FIELDS}
    return _encode(ROWS_SCHEMA, known), rows.cells


def decode_rows(header: bytes, cells: bytes) -> MapRows:
    """The rows in header and cells.

    Raises:
        ValueError: they are no rows of this version.
    """
    return _convert({**_decode(ROWS_SCHEMA, header), "cells": cells}, MapRows)


def decode_alarm(frame: bytes) -> tuple[str, Alarm]:
    """Publisher and alarm in a frame of `alarm_message`.

    Raises:
        ValueError: it is no alarm of this version.
    """
    record = _decode(ALARM_SCHEMA, frame)
    return _text(record, "publisher"), _alarm(record)


def decode_snapshot(frame: bytes) -> tuple[str, int, tuple[Alarm, ...]]:
    """Publisher, sequence and what is active, in a frame of `alarm_message`.

    Raises:
        ValueError: it is no snapshot of this version.
    """
    record = _decode(SNAPSHOT_SCHEMA, frame)
    active, sequence = record.get("active"), record.get("sequence")
    require(isinstance(sequence, int), "snapshot.sequence must be a count", sequence)
    require(isinstance(active, list), "snapshot.active must be a list", active)
    alarms = tuple(_alarm(one) for one in active)  # type: ignore[union-attr]
    return _text(record, "publisher"), sequence, alarms  # type: ignore[return-value]


def status_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a status."""
    return _schema(STATUS_SCHEMA, LineStatus)


def command_schema() -> dict[str, Any]:
    """JSON Schema of a command."""
    return _schema(COMMAND_SCHEMA, Command)


def answer_schema() -> dict[str, Any]:
    """JSON Schema of the answer to a command."""
    return _schema(ANSWER_SCHEMA, CommandAnswer)


_ROW_FIELDS = tuple(field.name for field in fields(MapRows) if field.name != "cells")


def _encode(schema: str, record: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"schema": schema, **record})


def _decode(schema: str, frame: bytes) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the last: "[[[[.."
        msg = f"a message must be JSON, got: {error}"
        raise ValueError(msg) from None
    require(isinstance(record, dict), "a message must be a JSON object", type(record).__name__)
    require(record.get("schema") == schema, f"schema must be {schema}", record.get("schema"))
    return record  # type: ignore[no-any-return]


def _convert(record: dict[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        msg = f"{kind.__name__} must be complete, got: {error}"
        raise ValueError(msg) from None


def _alarm(record: dict[str, Any]) -> Alarm:
    require(isinstance(record, dict), "an alarm must be a JSON object", type(record).__name__)
    try:
        region = msgspec.convert(record.get("region_mm"), RegionMm)
        return msgspec.convert({**record, "region": asdict(region)}, Alarm)
    except msgspec.ValidationError as error:
        msg = f"an alarm must be complete, got: {error}"
        raise ValueError(msg) from None


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    require(isinstance(value, str), f"{name} must be a text", value)
    return value  # type: ignore[return-value]


def _schema(title: str, kind: type) -> dict[str, Any]:
    inner = msgspec.json.schema(kind)
    name = inner["$ref"].rpartition("/")[2]
    body = inner["$defs"].pop(name)
    properties = {"schema": {"const": title}, **body["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "$defs": inner["$defs"],
        "type": "object",
        "properties": properties,
        "required": ["schema", *body.get("required", ())],
    }
