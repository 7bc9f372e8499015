"""Alarms for recorders: each gets each, in order, however slow another one is."""

import dataclasses

import pytest

from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs import recorder_alarms
from streamer.outputs.recorder_alarms import RecorderAlarms
from streamer.transport.memory import MemoryLink


def alarm(sequence, kind=AlarmKind.DEFECT):
    place = ("r", "cam0", RegionMm(0, 1, 0, 1), 0, 8, 1, 1, 1.5, "", "")
    return Alarm("a", sequence, kind, DefectState.NEW, Severity.LOW, *place)


def test_each_recorder_gets_the_alarms_of_defects(monkeypatch):
    links = [MemoryLink(), MemoryLink()]
    output = RecorderAlarms(links)
    for kind in AlarmKind:
        output.publish(alarm(1, kind))
    for link in links:
        assert list(link.outbox) == [alarm(1)]


def test_one_that_takes_nothing_holds_up_no_other_and_gets_all_later():
    slow, quick = MemoryLink(capacity=0), MemoryLink()
    output = RecorderAlarms([slow, quick])
    for sequence in range(3):
        output.publish(alarm(sequence))
    assert (len(slow.outbox), len(quick.outbox)) == (0, 3)
    slow.capacity = 100
    output.poll()
    assert list(slow.outbox) == [alarm(n) for n in range(3)]
    output.close()


@pytest.mark.parametrize("most", [1, 4])
def test_what_waits_is_bounded(monkeypatch, most):
    monkeypatch.setattr(recorder_alarms, "MOST_WAITING", most)
    link = MemoryLink(capacity=0)
    output = RecorderAlarms([link])
    for sequence in range(10):
        output.publish(alarm(sequence))
    link.capacity = 100
    output.close()
    assert [one.sequence for one in link.outbox] == list(range(10 - most, 10))
    assert dataclasses.is_dataclass(link.outbox[0])
