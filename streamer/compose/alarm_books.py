"""The alarm book as configured, with what an earlier sink left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.alarm_book.state import BookSettings
from streamer.message import Severity
from streamer.outputs.alarm_store import STORE_NAME, AlarmStore, open_book
from streamer.stages.queued_memory import QueuedMemory

if TYPE_CHECKING:
    from streamer.alarm_book.book import AlarmBook
    from streamer.config import Config
    from streamer.message import Alarm


def open_alarm_book(
    config: Config, now_ns: int
) -> tuple[AlarmBook, QueuedMemory, tuple[Alarm, ...]]:
    """The book, its memory (close it), and the ends of alarms that a dead sink left active.

    Raises:
        StorageError: the file cannot be written, or another line uses it.
    """
    store = AlarmStore(config.alarms.store or config.roll.folder / STORE_NAME)
    try:
        book, first = open_book(store, book_settings(config), now_ns)
    except OSError:
        store.close()
        raise
    return book, QueuedMemory(store), first


def book_settings(config: Config) -> BookSettings:
    """How alarms are kept."""
    alarms = config.alarms
    latch = None if alarms.latch == "off" else Severity(alarms.latch)
    return BookSettings(latch, alarms.debounce_ms, alarms.flood_per_10min)
