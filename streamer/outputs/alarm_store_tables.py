"""The tables of the alarm store and what their rows mean; opens no file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from streamer.alarm_book.state import BookState, Entry, Rule
from streamer.outputs.storage import utc_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from streamer.message import Alarm

SCHEMA_VERSION = 1
_TABLES = """
CREATE TABLE present (
    id TEXT PRIMARY KEY, place TEXT NOT NULL, roll TEXT NOT NULL, kind TEXT NOT NULL,
    severity TEXT NOT NULL, state TEXT NOT NULL, condition TEXT NOT NULL,
    acknowledged INTEGER NOT NULL, entry TEXT NOT NULL) STRICT;
CREATE TABLE rules (
    number INTEGER PRIMARY KEY, condition TEXT NOT NULL, target TEXT NOT NULL,
    by TEXT NOT NULL, since_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL,
    reason TEXT NOT NULL) STRICT;
CREATE TABLE book (number INTEGER PRIMARY KEY CHECK (number = 1), rest TEXT NOT NULL) STRICT;
CREATE TABLE history (
    number INTEGER PRIMARY KEY, sequence INTEGER, told_ns INTEGER NOT NULL, told_utc TEXT NOT NULL,
    id TEXT NOT NULL, roll TEXT NOT NULL, camera TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, severity TEXT NOT NULL, condition TEXT NOT NULL, by TEXT NOT NULL,
    until_ns INTEGER NOT NULL, down_first_mm REAL NOT NULL, cross_first_mm REAL NOT NULL,
    peak REAL NOT NULL, signal TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX history_by_id ON history (id);
"""
_PUT = """
INSERT INTO present VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    place = excluded.place, severity = excluded.severity, state = excluded.state,
    condition = excluded.condition, acknowledged = excluded.acknowledged, entry = excluded.entry
"""
_APPEND = f"INSERT INTO history VALUES (NULL, {', '.join('?' * 17)})"
_PUT_RULE = "INSERT INTO rules VALUES (NULL, ?, ?, ?, ?, ?, ?)"


class UnknownContentError(ValueError):
    """The file holds something else than an alarm store of this version."""


def create_tables(file: sqlite3.Connection) -> None:
    """Make the tables in an empty file, or check those that are there.

    Raises:
        UnknownContentError: they are of another version, or damaged.
    """
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == 0 and tables == 0:
        file.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        msg = f"version must be {SCHEMA_VERSION}, got {version}"
        raise UnknownContentError(msg)
    (verdict,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        msg = f"content must be whole, got {verdict}"
        raise UnknownContentError(msg)


def read_state(file: sqlite3.Connection) -> BookState:
    """What the book knew when it was stored last.

    Raises:
        UnknownContentError: a row cannot be read.
    """
    entries = file.execute("SELECT entry FROM present ORDER BY rowid").fetchall()
    columns = "condition, target, by, since_ns, until_ns, reason"
    rules = file.execute(f"SELECT {columns} FROM rules ORDER BY number").fetchall()
    rest = file.execute("SELECT rest FROM book").fetchone()
    try:
        return replace(
            msgspec.json.decode(rest[0], type=BookState) if rest else BookState(),
            entries=tuple(msgspec.json.decode(row[0], type=Entry) for row in entries),
            rules=tuple(msgspec.convert(_named(row, columns), Rule) for row in rules),
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"rows must be readable, got: {error}"
        raise UnknownContentError(msg) from None


def write_changes(file: sqlite3.Connection, known: BookState, state: BookState) -> None:
    """Bring the tables from one state to another; entries that are the same object stay."""
    before = {entry.alarm.id: entry for entry in known.entries}
    changed = [entry for entry in state.entries if before.get(entry.alarm.id) is not entry]
    gone = before.keys() - {entry.alarm.id for entry in state.entries}
    file.executemany("DELETE FROM present WHERE id = ?", [(alarm_id,) for alarm_id in gone])
    file.executemany(_PUT, map(_entry_row, changed))
    if state.rules != known.rules:
        file.execute("DELETE FROM rules")
        file.executemany(_PUT_RULE, map(_rule_row, state.rules))
    rest = msgspec.json.encode(replace(state, entries=(), rules=())).decode()
    file.execute("INSERT OR REPLACE INTO book VALUES (1, ?)", (rest,))


def append_history(file: sqlite3.Connection, messages: Iterable[Alarm]) -> None:
    """Append messages; those that were never published have no sequence."""
    file.executemany(_APPEND, map(_history_row, messages))


def prune_history(file: sqlite3.Connection, most_rows: int) -> None:
    """Delete the oldest rows above the limit."""
    file.execute(
        "DELETE FROM history WHERE number <= (SELECT max(number) FROM history) - ?", (most_rows,)
    )


def _named(row: tuple[object, ...], columns: str) -> dict[str, object]:
    return dict(zip(columns.split(", "), row, strict=True))


def _entry_row(entry: Entry) -> tuple[object, ...]:
    alarm = entry.alarm
    return (
        *(alarm.id, entry.place.value, alarm.roll, alarm.kind.value, alarm.severity.value),
        *(alarm.state.value, alarm.condition.value, entry.acknowledged),
        msgspec.json.encode(entry).decode(),
    )


def _rule_row(rule: Rule) -> tuple[object, ...]:
    times = (rule.since_ns, rule.until_ns)
    return (rule.condition.value, rule.target, rule.by, *times, rule.reason)


def _history_row(alarm: Alarm) -> tuple[object, ...]:
    return (
        *(alarm.sequence or None, alarm.raised_ns, utc_text(alarm.raised_ns)),
        *(alarm.id, alarm.roll, alarm.camera, alarm.kind.value, alarm.state.value),
        *(alarm.severity.value, alarm.condition.value, alarm.by, alarm.until_ns),
        *(alarm.region.down_first, alarm.region.cross_first),
        *(alarm.peak, alarm.signal, alarm.text),
    )
