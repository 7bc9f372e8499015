"""Keeps the alarm book in a thread, so that no disk delays an alarm for long; knows no file."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.alarm_book.state import BookState
    from streamer.line_ports import AlarmMemory
    from streamer.message import Alarm

_LOG = logging.getLogger(__name__)
WAIT_S = 0.05  # for a disk that works, many times what it needs
CLOSE_S = 2.0
MOST_MESSAGES = 10_000  # for the history, while the disk hangs


class QueuedMemory:
    """Hands everything on to a memory that is used in the thread; see line_ports.AlarmMemory.

    `commit` waits until it is kept, but not for a disk that hangs: it says so, and what is due is
    kept when the disk goes on, the latest state alone.
    """

    def __init__(self, memory: AlarmMemory) -> None:
        """Take over an open memory; it is this one's to close."""
        self._memory = memory
        self._messages: deque[Alarm] = deque(maxlen=MOST_MESSAGES)
        self._changed = threading.Condition()
        self._due: BookState | None = None
        self._is_busy = self._is_closing = False
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._work, name="alarm-memory", daemon=True)
        self._thread.start()

    def publish(self, alarm: Alarm) -> None:
        """See line_ports.AlarmMemory."""
        with self._changed:
            self._messages.append(alarm)

    def commit(self, state: BookState) -> None:
        """See line_ports.AlarmMemory.

        Raises:
            OSError: this commit, or one before that was not waited for, could not be kept; a
                TimeoutError: not yet.
        """
        with self._changed:
            hangs = self._is_busy
            self._due, self._is_busy = state, True
            self._changed.notify_all()
            if not hangs:
                self._changed.wait_for(lambda: not self._is_busy, WAIT_S)
            fault, self._fault = self._fault, None
            is_late = self._is_busy
        if fault is not None:
            raise fault
        if is_late:
            msg = f"alarms must be kept within {WAIT_S:g} s, got a disk that takes longer"
            raise TimeoutError(msg)

    def close(self) -> None:
        """See line_ports.AlarmMemory; a disk that hangs is waited for two seconds."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            _LOG.error("the last alarms could not be kept: the disk hangs")

    def _work(self) -> None:
        while (state := self._next()) is not None:
            fault = self._keep(state)
            with self._changed:
                self._fault = fault or self._fault
                self._is_busy = self._due is not None
                self._changed.notify_all()
        try:
            self._memory.close()
        except OSError as error:
            _LOG.error("alarm memory cannot be closed: %s", error)

    def _next(self) -> BookState | None:
        """The state to keep, with what is to be kept beside it; None: closed, and all is kept."""
        with self._changed:
            self._changed.wait_for(lambda: self._due is not None or self._is_closing)
            state, self._due = self._due, None
            if state is not None:
                for alarm in self._messages:
                    self._memory.publish(alarm)  # takes it, and writes nothing yet
                self._messages.clear()
            return state

    def _keep(self, state: BookState) -> OSError | None:
        try:
            self._memory.commit(state)
        except OSError as error:
            return error
        return None
