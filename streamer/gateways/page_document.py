"""What the operator page is told, as JSON and as server-sent events; pure, knows no socket."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from streamer.line_status import LONGEST_TEXT, Command, CommandKind
from streamer.message import require
from streamer.outputs.alarm_message import alarm_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.gateways.page_board import Shown
    from streamer.line_status import MapRows
    from streamer.message import Alarm

STATUS_SCHEMA = "linescan.page-status/1"
ALARMS_SCHEMA = "linescan.page-alarms/1"
MOST_ALARMS = 100  # in one event; more than anybody reads, and the count says that there are more
ALARM_COMMANDS = frozenset(CommandKind) - {CommandKind.STOP}


def encode(document: object) -> bytes:
    """Compact UTF-8 JSON; a number that is not finite becomes null."""
    return msgspec.json.encode(document)


def event(name: str, document: object) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2)."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode(document))


def status_document(shown: Shown) -> dict[str, Any]:
    """How the line stands; `line` is the sink's status, null as long as it is not of now."""
    status = shown.view.status
    return {
        "schema": STATUS_SCHEMA,
        "data_valid": shown.data_valid,
        "reason": shown.reason,
        "state": shown.state,
        "is_fresh": shown.is_fresh,
        "beat": status.beat if status else None,
        "silent_s": shown.silent_s if status else None,
        "line": status if shown.is_fresh else None,
    }


def alarms_document(
    alarms: Sequence[Alarm], publisher: str, is_synchronised: bool, most: int
) -> dict[str, Any]:
    """The first `most` alarms, each as in `alarm_schema`; `total` counts all of them."""
    return {
        "schema": ALARMS_SCHEMA,
        "is_synchronised": is_synchronised,
        "total": len(alarms),
        "alarms": [alarm_record(alarm, publisher) for alarm in alarms[:most]],
    }


def rows_document(rows: MapRows) -> dict[str, Any]:
    """Rows of the live map, their cells in base64."""
    return {
        "roll": rows.roll,
        "first_mm": rows.first_mm,
        "end_mm": rows.end_mm,
        "width_mm": rows.width_mm,
        "rows": rows.rows,
        "columns": rows.columns,
        "cells": base64.b64encode(rows.cells).decode(),
    }


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A command as a peer posts it; `by` is who asks, by the peer's own word."""

    kind: CommandKind
    alarm: str
    seconds: float = 0.0
    reason: str = ""
    by: str = ""


def command_of(body: bytes, command_id: str) -> Command:
    """The command in a posted body.

    Raises:
        ValueError: it is none, or one that is not for a page (the line is stopped where it runs).
    """
    try:
        wish = msgspec.json.decode(body, type=Wish)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"a command must be JSON with kind and alarm, got: {error}"
        raise ValueError(msg) from None
    allowed = ", ".join(sorted(ALARM_COMMANDS))
    require(wish.kind in ALARM_COMMANDS, f"kind must be one of {allowed}", wish.kind.value)
    by = f"page:{wish.by}" if wish.by else "page"
    require(len(by) <= LONGEST_TEXT, "by must be shorter", len(by))
    return Command(command_id, wish.kind, wish.alarm, by, wish.seconds, wish.reason)
