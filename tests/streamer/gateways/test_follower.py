"""Which alarms are active, whatever is lost, doubled or begun anew."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.follower import AlarmFollower
from streamer.message import Alarm, AlarmCondition, AlarmKind, DefectState, RegionMm, Severity

ALARM = Alarm(
    id="a",
    sequence=1,
    kind=AlarmKind.DEFECT,
    state=DefectState.NEW,
    severity=Severity.LOW,
    roll="r",
    camera="c",
    region=RegionMm(0, 1, 0, 1),
    encoder_first=0,
    encoder_end=1,
    raised_ns=1,
    captured_ns=1,
    peak=1.0,
    config_digest="",
    model_digest="",
)
NORMAL = AlarmCondition.NORMAL


def alarm(sequence, name="a", condition=AlarmCondition.UNACKNOWLEDGED):
    return replace(ALARM, id=name, sequence=sequence, condition=condition)


class Sink:
    """Publishes alarms and answers with snapshots."""

    def __init__(self, publisher):
        self.publisher, self.sequence, self.active = publisher, 0, {}

    def publish(self, name, ends):
        self.sequence += 1
        made = alarm(self.sequence, name, NORMAL if ends else AlarmCondition.UNACKNOWLEDGED)
        self.active.pop(name, None)
        if not ends:
            self.active[name] = made
        return made


def test_nothing_is_known_before_a_snapshot():
    follower = AlarmFollower()
    follower.add("p", alarm(1))
    assert follower.needs_snapshot
    assert follower.active == {}
    assert follower.take_news() == ()


def test_what_came_before_the_snapshot_is_applied_after_it_once():
    follower = AlarmFollower()
    follower.add("p", alarm(2, "a"))
    follower.add("p", alarm(3, "b"))
    follower.add("old", alarm(9, "z"))
    follower.take_snapshot("p", 2, (alarm(2, "a"),))
    assert not follower.needs_snapshot
    assert [a.id for a in follower.take_news()] == ["a", "b"]
    assert follower.take_news() == ()
    assert set(follower.active) == {"a", "b"}


def test_a_hole_asks_for_a_snapshot_and_counts_what_is_missing():
    follower = AlarmFollower()
    follower.take_snapshot("p", 0, ())
    follower.add("p", alarm(3))
    assert (follower.needs_snapshot, follower.lost) == (True, 2)


def test_a_status_shows_that_the_latest_messages_are_missing():
    follower = AlarmFollower()
    follower.take_snapshot("p", 4, ())
    follower.note("p", 4)
    assert not follower.needs_snapshot
    follower.note("p", 5)
    assert follower.needs_snapshot


def test_another_sink_makes_all_of_its_alarms_news():
    follower = AlarmFollower()
    follower.take_snapshot("p", 7, (alarm(7, "a"),))
    follower.take_news()
    follower.note("q", 1)
    assert follower.needs_snapshot
    follower.take_snapshot("q", 1, (alarm(1, "b"),))
    assert [a.id for a in follower.take_news()] == ["b"]
    assert set(follower.active) == {"b"}


def test_an_answer_that_comes_late_changes_nothing():
    follower = AlarmFollower()
    follower.take_snapshot("p", 1, (alarm(1, "a"),))
    follower.add("p", alarm(2, "a", NORMAL))
    follower.take_snapshot("p", 1, (alarm(1, "a"),))
    assert follower.active == {}


def test_normal_alarms_leave():
    follower = AlarmFollower()
    follower.take_snapshot("p", 0, ())
    follower.add("p", alarm(1))
    follower.add("p", alarm(2, condition=NORMAL))
    assert follower.active == {}
    assert [a.sequence for a in follower.take_news()] == [1, 2]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "lose", "double", "status", "answer", "restart"]),
        st.sampled_from("abc"),
        st.booleans(),
    ),
    max_size=60,
)


@given(EVENTS)
def test_after_an_answer_the_active_alarms_are_the_sinks(events):
    sink, follower, lives = Sink("p0"), AlarmFollower(), 0
    for what, name, ends in events:
        if what == "restart":
            lives += 1
            sink = Sink(f"p{lives}")
        elif what == "status":
            follower.note(sink.publisher, sink.sequence)
        elif what == "answer":
            if follower.needs_snapshot:
                active = tuple(sink.active.values())
                follower.take_snapshot(sink.publisher, sink.sequence, active)
        else:
            made = sink.publish(name, ends)
            for _ in range({"publish": 1, "lose": 0, "double": 2}[what]):
                follower.add(sink.publisher, made)
    follower.note(sink.publisher, sink.sequence)
    if follower.needs_snapshot:
        follower.take_snapshot(sink.publisher, sink.sequence, tuple(sink.active.values()))
    assert follower.active == sink.active
    assert not follower.needs_snapshot
