"""Keeps the alarm book over restarts, in SQLite, with the history of its messages; decides none."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import time
from collections import deque
from typing import IO, TYPE_CHECKING

from streamer.alarm_book.book import AlarmBook
from streamer.outputs.alarm_store_tables import (
    UnknownContentError,
    append_history,
    create_tables,
    prune_history,
    read_state,
    write_changes,
)
from streamer.outputs.storage import StorageError, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.alarm_book.state import BookSettings, BookState
    from streamer.message import Alarm

_LOG = logging.getLogger(__name__)
STORE_NAME = "alarms.sqlite"
RESTARTED = "the sink was restarted"
MOST_ROWS = 100_000  # of the history; the oldest leave
PRUNE_EVERY = 1_000
MOST_PENDING = 10_000  # messages that wait while the disk does not take them
BUSY_MS = 500  # a reader may hold the file, but not the inspection
_BESIDE = ("", "-wal", "-shm")


class AlarmStore:
    """One file for one sink: the present alarms, the rules that put alarms aside, the history.

    Give it what the book publishes, then `commit` the book's state: both are stored in one
    transaction, or neither. After a commit a crash of this process loses nothing; a crash of the
    machine may lose the last commits, never the file (write-ahead log, synchronous=NORMAL). If the
    disk takes nothing, a later commit stores everything that is due. A file that cannot be
    understood is moved aside, since alarms matter more than their past. The history holds the
    latest `most_rows` messages, and those that were never announced, without a sequence.
    """

    def __init__(self, path: Path, most_rows: int = MOST_ROWS) -> None:
        """Open the file, or make one, and read what is there.

        Raises:
            StorageError: it cannot be written, or another process uses it.
        """
        self._path, self._most_rows = path, most_rows
        self._pending: deque[Alarm] = deque(maxlen=MOST_PENDING)
        self._since_prune = 0
        with contextlib.ExitStack() as opened, storage_errors(path, "alarm store"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = opened.enter_context(_locked(path))
            self._file, self._known = _opened(path)
            opened.pop_all()
        self._closed = False

    def load(self) -> BookState:
        """What the book knew at the last commit."""
        return self._known

    def publish(self, alarm: Alarm) -> None:
        """Take a message for the history; nothing is written before `commit`."""
        self._pending.append(alarm)

    def commit(self, state: BookState) -> None:
        """Store the book and what was published since the last commit.

        Raises:
            StorageError: the disk is full, gone or read-only; nothing was stored.
        """
        if state == self._known and not self._pending:
            return
        with storage_errors(self._path, "alarm store"):
            try:
                write_changes(self._file, self._known, state)
                append_history(self._file, self._pending)
                self._prune(len(self._pending))
                self._file.commit()
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._file.rollback()
                raise
        self._known = state
        self._pending.clear()

    def close(self) -> None:
        """Leave one file, without a log beside it if nobody reads it; may be called twice.

        Raises:
            StorageError: the disk is gone.
        """
        if self._closed:
            return
        self._closed = True
        with storage_errors(self._path, "alarm store"), self._lock:
            self._file.close()

    def _prune(self, added: int) -> None:
        self._since_prune += added
        if self._since_prune >= min(PRUNE_EVERY, self._most_rows):
            prune_history(self._file, self._most_rows)
            self._since_prune = 0


def open_book(
    store: AlarmStore, settings: BookSettings, now_ns: int
) -> tuple[AlarmBook, tuple[Alarm, ...]]:
    """The book that the store knows, and what is to be published first.

    These are the ends of alarms that a dead sink has left active. Both are stored already.

    Raises:
        StorageError: they cannot be stored.
    """
    book = AlarmBook(settings, store.load())
    told = book.end_left_over(now_ns, RESTARTED)
    for alarm in (*book.take_withheld(), *told):
        store.publish(alarm)
    store.commit(book.state)
    return book, told


def _locked(path: Path) -> IO[bytes]:
    """The open lock file; the kernel releases it when this process ends, however it does."""
    lock = path.with_name(f"{path.name}.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if not isinstance(error, BlockingIOError):
            raise
        hint = "set alarms.store to a file of its own for each line"
        msg = f"alarm store must be used by one sink alone, got {path} of another one; {hint}"
        raise StorageError(msg) from None
    return lock


def _opened(path: Path) -> tuple[sqlite3.Connection, BookState]:
    """The file and its content; what cannot be understood is moved aside for a new one."""
    try:
        return _connected(path)
    except (sqlite3.DatabaseError, UnknownContentError) as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # it is the disk, not the content
        aside = _move_aside(path)
        _LOG.error(
            "alarm store %s is damaged (%s): moved to %s; starting with an empty one, so "
            "acknowledgements and what was put aside are lost",
            *(path, error, aside),
        )
    return _connected(path)


def _connected(path: Path) -> tuple[sqlite3.Connection, BookState]:
    # One thread opens it, another may use it then, never both at once.
    file = sqlite3.connect(path, check_same_thread=False)
    try:
        file.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=NORMAL")
        create_tables(file)
        return file, read_state(file)
    except (sqlite3.Error, UnknownContentError):
        file.close()
        raise


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for ending in _BESIDE:
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
