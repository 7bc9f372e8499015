"""Keeps a roll in a thread of its own, so that no disk delays a verdict; knows no file."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.message import Alarm, Defect, ScoreMap
    from streamer.ports import RollRecord, RollSummary
    from streamer.repeats import Repeat
    from streamer.web import Strip

_LOG = logging.getLogger(__name__)
WAIT_S = 0.05
CLOSE_S = 10.0


class QueuedRecord:
    """Hands everything on, in order, to a record that lives in the thread; see ports.RollRecord.

    What the record raises is raised by the next call here, and nothing is written after it.
    """

    def __init__(self, open_record: Callable[[], RollRecord]) -> None:
        """Open the record.

        Raises:
            OSError: what `open_record` raises.
        """
        self._open_record = open_record
        self._tasks: queue.SimpleQueue[Callable[[RollRecord], None] | None] = queue.SimpleQueue()
        self._opened = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()
        self._opened.wait()
        self._raise_fault()

    @property
    def backlog(self) -> int:
        """See ports.RollRecord."""
        return self._tasks.qsize()

    def add_strip(self, strip: Strip) -> None:
        """See ports.RollRecord."""
        self._put(lambda record: record.add_strip(strip))

    def add_evidence(self, score_map: ScoreMap) -> None:
        """See ports.RollRecord."""
        self._put(lambda record: record.add_evidence(score_map))

    def add_defect(self, defect: Defect) -> None:
        """See ports.RollRecord."""
        self._put(lambda record: record.add_defect(defect))

    def add_repeat(self, repeat: Repeat) -> None:
        """See ports.RollRecord."""
        self._put(lambda record: record.add_repeat(repeat))

    def add_alarm(self, alarm: Alarm) -> None:
        """See ports.RollRecord."""
        self._put(lambda record: record.add_alarm(alarm))

    def finish(self, summary: RollSummary, on_step: Callable[[], object]) -> None:
        """See ports.RollRecord; `on_step` is called here, not in the thread, about every 50 ms."""
        finished = threading.Event()
        self._put(lambda record: record.finish(summary, lambda: None))
        self._put(lambda _: finished.set())
        while not finished.wait(WAIT_S):
            on_step()
            self._raise_fault()

    def close(self) -> None:
        """See ports.RollRecord; a disk that hangs is waited for ten seconds."""
        self._tasks.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            _LOG.error(
                "%d last entries of the roll could not be written: the disk hangs", self.backlog
            )

    def _put(self, task: Callable[[RollRecord], None]) -> None:
        self._raise_fault()
        self._tasks.put(task)

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _work(self) -> None:
        try:
            record = self._open_record()
        except (OSError, ValueError) as error:
            self._fault = error
            return
        finally:
            self._opened.set()
        try:
            while (task := self._tasks.get()) is not None:
                task(record)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: raised by the next call
            self._fault = error
        finally:
            record.close()
