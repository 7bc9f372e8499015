"""The tables of the alarm store: states come back as they were, whatever came between."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given

from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings, BookState
from streamer.message import Severity
from streamer.outputs.alarm_store_tables import (
    SCHEMA_VERSION,
    UnknownContentError,
    append_history,
    create_tables,
    prune_history,
    read_state,
    write_changes,
)
from tests.streamer.alarm_book.steps import ALARM, alarm, played, steps


@pytest.fixture
def file():
    with closing(sqlite3.connect(":memory:")) as opened:
        create_tables(opened)
        yield opened


def test_an_empty_file_has_an_empty_state(file):
    assert read_state(file) == BookState()
    assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_tables_that_are_there_stay(file):
    append_history(file, [ALARM])
    file.commit()
    create_tables(file)
    assert file.execute("SELECT sequence, id FROM history").fetchall() == [(7, ALARM.id)]


def test_another_version_is_no_store_of_ours(file):
    file.execute("PRAGMA user_version=9")
    with pytest.raises(UnknownContentError, match="version must be 1, got 9"):
        create_tables(file)


def test_tables_of_somebody_else_are_no_store():
    with closing(sqlite3.connect(":memory:")) as other:
        other.execute("CREATE TABLE things (name TEXT)")
        with pytest.raises(UnknownContentError, match="version must be 1, got 0"):
            create_tables(other)


@given(steps)
def test_written_step_by_step_it_reads_as_a_whole(chosen):
    settings = BookSettings(Severity.LOW, debounce_ms=500, flood_per_10min=2, most_latched=2)
    book, known = AlarmBook(settings), BookState()
    with closing(sqlite3.connect(":memory:")) as file:
        create_tables(file)
        for _ in played(book, chosen):
            write_changes(file, known, book.state)
            known = book.state
        found = read_state(file)
    by_id = {entry.alarm.id: entry for entry in found.entries}
    assert by_id == {entry.alarm.id: entry for entry in known.entries}
    assert (found.rules, found.flood, found.over) == (known.rules, known.flood, known.over)
    assert (found.sequence, found.held_back) == (known.sequence, known.held_back)


def test_only_what_has_changed_is_written(file):
    book = AlarmBook(BookSettings())
    for number in range(100):
        book.take(alarm(number), 1)
    known = book.state
    write_changes(file, BookState(), known)
    book.take(alarm(3), 2)
    before = file.total_changes
    write_changes(file, known, book.state)
    assert file.total_changes - before == 2  # the alarm's row and the book's


def test_rows_that_cannot_be_read_are_named(file):
    file.execute('INSERT INTO book VALUES (1, \'{"sequence": "many"}\')')
    with pytest.raises(UnknownContentError, match="rows must be readable, got: Expected `int`"):
        read_state(file)


def test_the_oldest_of_the_history_leave(file):
    append_history(file, [ALARM] * 20)
    prune_history(file, 5)
    assert file.execute("SELECT min(number), max(number) FROM history").fetchone() == (16, 20)
    prune_history(file, 500)
    assert file.execute("SELECT count(*) FROM history").fetchone() == (5,)
