"""Everything reaches the record in order, from a thread; its faults come back by the next call."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from streamer.stages import queued_record
from streamer.stages.queued_record import QueuedRecord

PATIENCE_S = 10.0


@dataclass
class Record:
    """Notes what it is told, and by which thread; waits while `works` is clear."""

    works: threading.Event = field(default_factory=threading.Event)
    told: list = field(default_factory=list)
    threads: set = field(default_factory=set)
    fault: Exception | None = None
    closed: int = 0

    def __post_init__(self):
        self.works.set()

    def _take(self, *told):
        self.works.wait(PATIENCE_S)
        self.threads.add(threading.get_ident())
        if self.fault:
            raise self.fault
        self.told.append(told)

    def add_strip(self, strip):
        self._take("strip", strip)

    def add_evidence(self, score_map):
        self._take("evidence", score_map)

    def add_defect(self, defect):
        self._take("defect", defect)

    def add_repeat(self, repeat):
        self._take("repeat", repeat)

    def add_alarm(self, alarm):
        self._take("alarm", alarm)

    def finish(self, summary, on_step):
        on_step()
        self._take("finish", summary)

    def close(self):
        self.closed += 1


@pytest.fixture
def record():
    return Record()


@pytest.fixture
def queued(record):
    made = QueuedRecord(lambda: record)
    yield made
    record.works.set()
    made.close()


def until(holds):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_everything_comes_in_order_by_a_thread_of_its_own(record, queued):
    queued.add_strip(1)
    queued.add_evidence(2)
    queued.add_defect(3)
    queued.add_repeat(31)
    queued.add_alarm(4)
    queued.finish(5, lambda: None)
    assert record.told == [
        *(("strip", 1), ("evidence", 2), ("defect", 3), ("repeat", 31), ("alarm", 4), ("finish", 5))
    ]
    assert len(record.threads) == 1
    assert threading.get_ident() not in record.threads


def test_a_disk_that_hangs_delays_nobody_and_is_seen_by_the_backlog(record, queued):
    record.works.clear()
    for number in range(100):
        queued.add_strip(number)
    assert queued.backlog >= 99  # one may be in its hands
    record.works.set()
    until(lambda: len(record.told) == 100)
    assert queued.backlog == 0


def test_a_fault_is_raised_by_the_next_call_and_nothing_is_written_after_it(record, queued):
    record.fault = OSError("disk is full")
    queued.add_strip(1)
    until(lambda: record.closed)
    for call in (queued.add_strip, queued.add_evidence, queued.add_defect, queued.add_alarm):
        with pytest.raises(OSError, match="disk is full"):
            call(2)
    assert record.told == []


def test_a_fault_while_it_finishes_is_raised_by_finish(record, queued):
    record.fault = OSError("disk is full")
    with pytest.raises(OSError, match="disk is full"):
        queued.finish(1, lambda: None)


def test_finishing_gives_signs_of_life_from_the_caller(record, queued, monkeypatch):
    monkeypatch.setattr(queued_record, "WAIT_S", 0.001)
    record.works.clear()
    steps = []

    def step():
        steps.append(threading.get_ident())
        if len(steps) == 5:
            record.works.set()

    queued.finish(1, step)
    assert set(steps) == {threading.get_ident()}
    assert record.told == [("finish", 1)]


@pytest.mark.parametrize("error", [OSError("no room"), ValueError("another version")])
def test_a_record_that_cannot_be_opened_is_raised_at_once(error):
    def fail():
        raise error

    with pytest.raises(type(error), match=str(error)):
        QueuedRecord(fail)


def test_closing_writes_what_waits_and_may_come_twice(record):
    queued = QueuedRecord(lambda: record)
    record.works.clear()
    queued.add_strip(1)
    record.works.set()
    queued.close()
    queued.close()
    assert (record.told, record.closed) == ([("strip", 1)], 1)


def test_what_cannot_be_written_at_the_end_is_said(record, monkeypatch, caplog):
    queued = QueuedRecord(lambda: record)
    monkeypatch.setattr(queued_record, "CLOSE_S", 0.01)
    record.works.clear()
    queued.add_strip(1)
    queued.close()
    assert "could not be written: the disk hangs" in caplog.text
    record.works.set()
    until(lambda: record.closed)
