"""What peers are told of alarms, in which order it is kept, and what their commands do."""

from dataclasses import dataclass, field

import pytest

from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings
from streamer.line_status import Command, CommandKind
from streamer.message import AlarmCondition, DefectState
from streamer.outputs.storage import StorageError
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.publisher import STATUS_MS, Publisher
from streamer.web import WebGeometry
from tests.streamer.alarm_book.steps import END, NEW, alarm
from tests.streamer.stages.fakes import FakeMemory, FakeOutput, FakePeers, FakeRecord

ORIGIN = AlarmOrigin("r", "cam0", "digest", WebGeometry(32, 1.0, 1.0, 60.0))
S = 1_000_000_000


@dataclass
class Watched:
    """An output that notes how much of the book was kept when it was told."""

    memory: FakeMemory
    kept: list = field(default_factory=list)

    def publish(self, told):
        self.kept.append(self.memory.states[-1].sequence - told.sequence)

    def poll(self):
        pass


def publisher(*outputs, settings=None, memory=None):
    book = AlarmBook(settings or BookSettings())
    memory = memory or FakeMemory()
    return Publisher(outputs, FakePeers(), FakeRecord(), ORIGIN, book, memory)


def ask(made, kind, name="", now_ns=2 * S, **fields):
    made.peers.wishes.append(([b"peer"], Command("c1", kind, alarm=name, by="operator", **fields)))
    made.serve(lambda: "status", now_ns)
    (address, answer) = made.peers.answers[-1]
    assert address == [b"peer"]
    return answer


def test_an_alarm_is_kept_before_anybody_is_told():
    memory = FakeMemory()
    watched = Watched(memory)
    made = publisher(watched, memory=memory)
    made.publish(alarm(1, NEW), 1)
    made.publish(alarm(2, NEW), 2)
    made.publish(alarm(1, END), 3)
    assert watched.kept == [0, 0, 0]
    assert [told.sequence for told in made.record.alarms] == [1, 2, 3]
    assert memory.messages == made.record.alarms


def test_nothing_to_tell_is_told_to_nobody():
    output = FakeOutput()
    made = publisher(output)
    made.publish(None, 1)
    assert output.published == made.record.alarms == made.memory.states == []


def test_a_memory_that_fails_silences_no_alarm():
    output = FakeOutput()
    made = publisher(output, memory=FakeMemory(StorageError("alarm store must be writable")))
    made.publish(alarm(1, NEW), 1)
    assert [told.id for told in output.published] == [alarm(1).id]
    assert made.faults == 1


def test_an_output_that_fails_silences_no_other():
    broken, sound = FakeOutput(OSError("gone")), FakeOutput()
    made = publisher(broken, sound)
    made.publish(alarm(1, NEW), 1)
    assert len(sound.published) == 1
    assert made.faults == 1


@pytest.mark.parametrize("kind", [CommandKind.ACKNOWLEDGE, CommandKind.SUPPRESS])
def test_what_a_peer_asks_of_an_alarm_is_answered_and_told_to_all(kind):
    output = FakeOutput()
    made = publisher(output)
    made.publish(alarm(1, NEW), 1)
    assert ask(made, kind, alarm(1).id).ok
    conditions = [told.condition for told in output.published]
    assert conditions[0] is AlarmCondition.UNACKNOWLEDGED
    wanted = {
        CommandKind.ACKNOWLEDGE: AlarmCondition.ACKNOWLEDGED,
        CommandKind.SUPPRESS: AlarmCondition.SUPPRESSED,
    }
    assert conditions[1:] == [wanted[kind]]
    assert output.published[1].by == "operator"


def test_what_is_kept_covers_an_answer_that_says_yes():
    made = publisher()
    made.publish(alarm(1, NEW), 1)
    ask(made, CommandKind.SHELVE, alarm(1).id, seconds=60.0)
    (rule,) = made.memory.states[-1].rules
    assert rule.target == alarm(1).id


def test_an_unknown_alarm_is_refused_and_nothing_is_told():
    output = FakeOutput()
    answer = ask(publisher(output), CommandKind.ACKNOWLEDGE, "r/cam0/defect-9")
    assert not answer.ok
    assert "must be an active one" in answer.text
    assert output.published == []


def test_a_shelf_that_expires_is_told_without_being_asked():
    output = FakeOutput()
    made = publisher(output)
    made.publish(alarm(1, NEW), 1)
    ask(made, CommandKind.SHELVE, alarm(1).id, now_ns=2 * S, seconds=5.0)
    made.serve(lambda: "status", 6 * S)
    assert output.published[-1].condition is AlarmCondition.SHELVED
    made.serve(lambda: "status", 8 * S)
    assert output.published[-1].condition is AlarmCondition.UNACKNOWLEDGED


def test_what_is_held_back_is_kept_and_not_told():
    output = FakeOutput()
    made = publisher(output, settings=BookSettings(flood_per_10min=1))
    for number in range(1, 5):
        made.publish(alarm(number, NEW), number)
    told = {message.id for message in output.published}
    kept = {message.id for message in made.memory.messages}
    held = kept - told
    assert held
    assert held <= {alarm(number).id for number in range(1, 5)}


def test_stop_is_remembered_for_the_parent():
    made = publisher()
    assert ask(made, CommandKind.STOP).ok
    assert made.stop_requested


def test_status_is_told_when_it_is_time():
    made = publisher()
    for now_ms in range(0, 1000, 10):
        made.serve(lambda: "status", S + now_ms * 1_000_000)
    assert len(made.peers.told) == 1000 // STATUS_MS


def test_an_alarm_that_ended_is_normal_where_nothing_latches():
    output = FakeOutput()
    made = publisher(output)
    made.publish(alarm(1, NEW), 1)
    made.publish(alarm(1, END), 2)
    last = output.published[-1]
    assert (last.state, last.condition) == (DefectState.END, AlarmCondition.NORMAL)
    assert made.book.active == 0
