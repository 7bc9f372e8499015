"""A disk that works is waited for, one that hangs is not, and what is due is kept later."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from streamer.alarm_book.state import BookState
from streamer.outputs.storage import StorageError
from streamer.stages import queued_memory
from streamer.stages.queued_memory import QueuedMemory
from tests.streamer.alarm_book.steps import alarm

PATIENCE_S = 10.0


@dataclass
class Disk:
    """A memory whose commits wait while `works` is clear, and fail while `fault` is given."""

    works: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None
    due: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    states: list = field(default_factory=list)
    closed: bool = False

    def __post_init__(self):
        self.works.set()

    def publish(self, message):
        self.due.append(message)

    def commit(self, state):
        self.works.wait(PATIENCE_S)
        if self.fault:
            raise self.fault
        self.kept += self.due
        self.due.clear()
        self.states.append(state.sequence)

    def close(self):
        self.closed = True


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def memory(disk):
    made = QueuedMemory(disk)
    yield made
    disk.works.set()
    made.close()


def until(holds):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def commit_late(memory, sequence):
    """A commit that is not kept yet says so."""
    with pytest.raises(TimeoutError, match="a disk that takes longer"):
        memory.commit(BookState(sequence=sequence))


def patient(monkeypatch):
    """A loaded machine must not look like a disk that hangs."""
    monkeypatch.setattr(queued_memory, "WAIT_S", PATIENCE_S)


def test_a_commit_returns_when_it_is_kept(disk, memory, monkeypatch):
    patient(monkeypatch)
    memory.publish(alarm(1))
    memory.commit(BookState(sequence=1))
    assert (disk.kept, disk.states) == ([alarm(1)], [1])


def test_a_disk_that_hangs_delays_one_commit_for_a_moment(disk, memory, monkeypatch):
    monkeypatch.setattr(queued_memory, "WAIT_S", 0.01)
    disk.works.clear()
    commit_late(memory, 1)
    monkeypatch.setattr(queued_memory, "WAIT_S", 1000.0)  # nobody waits so long again
    for number in range(2, 500):
        memory.publish(alarm(number))
        commit_late(memory, number)
    assert disk.states == []
    disk.works.set()
    until(lambda: disk.states[-1:] == [499])
    assert len(disk.states) <= 3  # the latest state is enough
    assert disk.kept == [alarm(number) for number in range(2, 500)]


def test_a_fault_is_raised_by_the_commit_and_the_next_keeps_what_is_due(disk, memory, monkeypatch):
    patient(monkeypatch)
    disk.fault = StorageError("disk is full")
    memory.publish(alarm(1))
    with pytest.raises(StorageError, match="disk is full"):
        memory.commit(BookState(sequence=1))
    disk.fault = None
    memory.commit(BookState(sequence=2))
    assert (disk.kept, disk.states) == ([alarm(1)], [2])


def test_the_history_that_waits_is_bounded(disk, memory, monkeypatch):
    monkeypatch.setattr(queued_memory, "WAIT_S", 0.01)
    disk.works.clear()
    commit_late(memory, 1)
    for _ in range(queued_memory.MOST_MESSAGES + 5):
        memory.publish(alarm(1))
    commit_late(memory, 2)
    disk.works.set()
    until(lambda: disk.states[-1:] == [2])
    assert len(disk.kept) == queued_memory.MOST_MESSAGES


def test_closing_keeps_what_is_due_and_closes_the_memory(disk, monkeypatch):
    memory = QueuedMemory(disk)
    monkeypatch.setattr(queued_memory, "WAIT_S", 0.01)
    disk.works.clear()
    commit_late(memory, 1)
    commit_late(memory, 2)
    disk.works.set()
    memory.close()
    assert (disk.states, disk.closed) == ([1, 2], True)
    memory.close()


def test_what_cannot_be_kept_at_the_end_is_said(disk, monkeypatch, caplog):
    memory = QueuedMemory(disk)
    monkeypatch.setattr(queued_memory, "WAIT_S", 0.01)
    monkeypatch.setattr(queued_memory, "CLOSE_S", 0.01)
    disk.works.clear()
    commit_late(memory, 1)
    memory.close()
    assert "the last alarms could not be kept" in caplog.text
    disk.works.set()
    until(lambda: disk.closed)


def test_a_memory_that_cannot_be_closed_is_logged(disk, monkeypatch, caplog):
    def fail():
        raise StorageError("disk is gone")

    monkeypatch.setattr(disk, "close", fail)
    QueuedMemory(disk).close()
    assert "disk is gone" in caplog.text
