"""The alarm store: nothing is announced twice, nothing forgotten, and damage stops no alarm."""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings, BookState
from streamer.message import AlarmCondition, Severity
from streamer.outputs.alarm_store import MOST_PENDING, RESTARTED, AlarmStore, open_book
from streamer.outputs.storage import StorageError
from tests.streamer.alarm_book.steps import END, NEW, START_NS, SYSTEM, UPDATE, S, alarm, ask, steps

SETTINGS = BookSettings(latch=Severity.LOW)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rolls" / "alarms.sqlite"


@pytest.fixture
def store(path):
    opened = AlarmStore(path)
    yield opened
    opened.close()


def keep(store, book, messages):
    for told in (*book.take_withheld(), *messages):
        store.publish(told)
    store.commit(book.state)


def rows(path, query):
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()


def test_a_new_store_knows_nothing(store, path):
    assert store.load() == BookState()
    assert path.is_file()


def test_what_was_committed_is_there_again_all_of_it(path):
    book = AlarmBook(BookSettings(latch=Severity.LOW, debounce_ms=500, flood_per_10min=2))
    store = AlarmStore(path)
    told = [each for number in range(4) for each in book.take(alarm(number), START_NS)]
    told += book.take(SYSTEM, START_NS)
    for kind, target, seconds in [
        ("acknowledge", "r/c/defect-0", 0),
        ("shelve", "r/c/defect-1", 60),
        ("suppress", "r/c/maintenance", 0),
        ("out_of_service", "elsewhere", 0),
    ]:
        answer, messages = book.command(ask(kind, target, seconds), START_NS)
        assert answer.ok
        told += messages
    keep(store, book, told)
    store.close()
    again = AlarmStore(path)
    assert again.load() == book.state
    again.close()
    assert rows(path, "SELECT condition, target FROM rules ORDER BY target") == [
        ("out_of_service", "elsewhere"),
        ("shelved", "r/c/defect-1"),
        ("suppressed", "r/c/maintenance"),
    ]


def test_what_was_not_committed_is_not_there(path):
    store, book = AlarmStore(path), AlarmBook(SETTINGS)
    for told in book.take(alarm(), START_NS):
        store.publish(told)
    store.close()
    again = AlarmStore(path)
    assert again.load() == BookState()
    again.close()
    assert rows(path, "SELECT * FROM history") == []


@given(steps)
@hypothesis_settings(max_examples=15)
def test_a_restart_at_any_moment_announces_nothing_twice(tmp_path_factory, chosen):
    path = tmp_path_factory.mktemp("store") / "alarms.sqlite"
    choice = BookSettings(Severity.MEDIUM, debounce_ms=500, flood_per_10min=2, most_latched=2)
    steady, restarted, now_ns = AlarmBook(choice), AlarmBook(choice), START_NS
    AlarmStore(path).close()
    for step in chosen:
        now_ns += step.after_ns
        with closing(AlarmStore(path)) as store:
            restarted = AlarmBook(choice, store.load())
            messages = step.run(restarted, now_ns)
            assert messages == step.run(steady, now_ns)
            keep(store, restarted, messages)
    assert restarted.present == steady.present
    published = [
        row for (row,) in rows(path, "SELECT sequence FROM history ORDER BY number") if row
    ]
    assert published == list(range(1, steady.sequence + 1))


class TestAnotherSink:
    def left(self, path):
        """A sink that died with one alarm acknowledged, one not, and one latched before."""
        store, book = AlarmStore(path), AlarmBook(SETTINGS)
        told = [each for number in range(3) for each in book.take(alarm(number), START_NS)]
        told += book.take(alarm(0, END), START_NS)
        told += book.command(ask("acknowledge", "r/c/defect-1", by="ann"), START_NS)[1]
        told += book.command(ask("suppress", "r/c/system"), START_NS)[1]
        keep(store, book, told)
        store.close()
        return book

    def test_what_was_active_ends_and_says_why(self, path):
        dead = self.left(path)
        with closing(AlarmStore(path)) as store:
            book, told = open_book(store, SETTINGS, START_NS + S)
        assert [(each.id, each.state, each.condition) for each in told] == [
            ("r/c/defect-1", END, AlarmCondition.NORMAL),
            ("r/c/defect-2", END, AlarmCondition.LATCHED),
        ]
        assert [each.sequence for each in told] == [dead.sequence + 1, dead.sequence + 2]
        assert all(each.text == f"{RESTARTED}: scratch" for each in told)
        assert {each.id for each in book.present} == {"r/c/defect-0", "r/c/defect-2"}
        assert [rule.target for rule in book.state.rules] == ["r/c/system"]

    def test_they_end_once_however_often_it_is_restarted(self, path):
        self.left(path)
        for expected in (2, 0, 0):
            with closing(AlarmStore(path)) as store:
                book, told = open_book(store, SETTINGS, START_NS + S)
            assert len(told) == expected
        assert book.unacknowledged == 2

    def test_without_latching_they_are_normal(self, path):
        self.left(path)
        with closing(AlarmStore(path)) as store:
            book, told = open_book(store, BookSettings(), START_NS + S)
        assert {each.condition for each in told} == {AlarmCondition.NORMAL}
        assert [each.id for each in book.present] == ["r/c/defect-0"]  # latched by the rule of then


class TestHistory:
    def test_it_has_every_message_and_what_was_held_back(self, store, path):
        book = AlarmBook(BookSettings(flood_per_10min=1))
        keep(store, book, (*book.take(alarm(1), START_NS), *book.take(alarm(2), START_NS)))
        query = "SELECT sequence, id, told_utc FROM history ORDER BY number"
        utc = "2023-11-14T22:13:20.000000Z"
        assert rows(path, query) == [
            (None, "r/c/defect-2", "1970-01-01T00:00:00.000000Z"),
            (1, "r/c/defect-1", utc),
            (2, "r/c/flood-1", utc),
        ]

    def test_it_keeps_the_latest_rows(self, path):
        store, book = AlarmStore(path, most_rows=10), AlarmBook(SETTINGS)
        keep(store, book, book.take(alarm(), START_NS))
        for _ in range(35):
            keep(store, book, book.take(alarm(state=UPDATE), START_NS))
        store.close()
        ((count, last),) = rows(path, "SELECT count(*), max(sequence) FROM history")
        assert 10 <= count < 20
        assert last == 36


class TestFaults:
    def test_a_full_disk_has_a_clear_text_and_is_made_up_for(self, store, path):
        book = AlarmBook(SETTINGS)
        (pages,) = store._file.execute("PRAGMA page_count").fetchone()
        store._file.execute(f"PRAGMA max_page_count={pages}")
        told = [each for number in range(500) for each in book.take(alarm(number), START_NS)]
        full = "alarm store must be writable at .*alarms.sqlite, got: database or disk is full"
        with pytest.raises(StorageError, match=full):
            keep(store, book, told)
        assert rows(path, "SELECT count(*) FROM present") == [(0,)]
        store._file.execute("PRAGMA max_page_count=100000")
        keep(store, book, book.take(alarm(500), START_NS))
        assert rows(path, "SELECT count(*) FROM present") == [(501,)]
        assert rows(path, "SELECT count(*), max(sequence) FROM history") == [(501, 501)]

    def test_while_the_disk_takes_nothing_memory_is_bounded(self, store):
        store._file.execute("PRAGMA query_only=1")
        book = AlarmBook(SETTINGS)
        for _ in range(3):
            told = book.take(alarm(state=UPDATE), START_NS) * (MOST_PENDING // 2)
            with pytest.raises(StorageError, match="got: attempt to write a readonly database"):
                keep(store, book, told)
        assert len(store._pending) == MOST_PENDING

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="alarm store must be writable at .*file/a.sqlite"):
            AlarmStore(tmp_path / "file" / "a.sqlite")

    def test_two_sinks_cannot_share_it(self, store, path):
        with pytest.raises(StorageError, match=r"one sink alone, got .*; set alarms\.store"):
            AlarmStore(path)
        store.close()
        AlarmStore(path).close()

    def test_closing_twice(self, store):
        store.close()
        store.close()

    def damage_header(self, path):
        path.write_bytes(b"hello" * 1000)

    def damage_pages(self, path):
        content = bytearray(path.read_bytes())
        content[4096 : 4096 * 8] = os.urandom(4096 * 7)
        path.write_bytes(content)

    def damage_row(self, path):
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE present SET entry = '{\"alarm\": 5}'")
            file.commit()

    def damage_version(self, path):
        with closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA user_version=9")

    @pytest.mark.parametrize("kind", ["header", "pages", "row", "version"])
    def test_a_damaged_file_is_moved_aside_and_alarms_go_on(self, path, caplog, kind):
        store, book = AlarmStore(path), AlarmBook(SETTINGS)
        keep(store, book, book.take(alarm(), START_NS))
        store.close()
        getattr(self, f"damage_{kind}")(path)
        damaged = path.read_bytes()
        with caplog.at_level(logging.ERROR), closing(AlarmStore(path)) as again:
            book, told = open_book(again, SETTINGS, START_NS)
            assert (told, again.load()) == ((), BookState())
            keep(again, book, book.take(alarm(), START_NS))
        assert "is damaged" in caplog.text
        (aside,) = path.parent.glob("alarms.sqlite.damaged-*[0-9]")
        assert aside.read_bytes() == damaged
        assert rows(path, "SELECT id FROM present") == [("r/c/defect-1",)]


_WRITER = """
import sys
from pathlib import Path
from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings
from streamer.message import DefectState, Severity
from streamer.outputs.alarm_store import AlarmStore
from tests.streamer.alarm_book.steps import alarm, ask
store, book = AlarmStore(Path(sys.argv[1])), AlarmBook(BookSettings(latch=Severity.LOW))
for number in range(1_000_000):
    told = book.take(alarm(number), 1 + number)
    told += book.command(ask("acknowledge", f"r/c/defect-{number}"), 2)[1] if number % 3 else ()
    told += book.take(alarm(number - 5, DefectState.END), 3)
    for message in told:
        store.publish(message)
    store.commit(book.state)
    print(book.sequence, flush=True)
"""


@pytest.mark.system
@pytest.mark.parametrize("after_commits", [1, 40, 170])
def test_after_a_kill_everything_is_there_that_was_committed(path, after_commits):
    command = [sys.executable, "-c", _WRITER, str(path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            said = [int(process.stdout.readline()) for _ in range(after_commits)]
        finally:
            process.send_signal(signal.SIGKILL)
    with closing(AlarmStore(path)) as store:
        state = store.load()
        published = rows(path, "SELECT sequence FROM history ORDER BY number")
        assert state.sequence >= said[-1]
        assert published == [(number,) for number in range(1, state.sequence + 1)]
        present = {json.loads(entry)["alarm"]["id"] for (entry,) in rows(path, _ENTRIES)}
        assert present == {entry.alarm.id for entry in state.entries}
        _, told = open_book(store, SETTINGS, START_NS)
    begun = rows(path, "SELECT count(DISTINCT id) FROM history WHERE state = 'new'")[0][0]
    active = [entry for entry in state.entries if not entry.has_ended]
    assert {each.id for each in told} == {entry.alarm.id for entry in active}
    assert len(active) == min(begun, 5)
    unseen = {entry.alarm.id for entry in state.entries if not entry.acknowledged}
    latched = {each.id for each in told if each.condition is AlarmCondition.LATCHED}
    assert latched == unseen & {entry.alarm.id for entry in active}
    assert all(each.state is not NEW for each in told)


_ENTRIES = "SELECT entry FROM present"


@given(st.integers(0, 40))
@hypothesis_settings(max_examples=5)
def test_present_alarms_are_rows_for_any_reader(tmp_path_factory, count):
    path = tmp_path_factory.mktemp("store") / "alarms.sqlite"
    with closing(AlarmStore(path)) as store:
        book = AlarmBook(SETTINGS)
        keep(store, book, [m for number in range(count) for m in book.take(alarm(number), 1)])
        query = "SELECT count(*) FROM present WHERE condition = 'unacknowledged'"
        assert rows(path, query) == [(count,)]
