"""What a PLC is shown: one alarm at a time, in order, none twice and none forgotten."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.modbus_queue import AlarmQueue, Told
from streamer.message import AlarmCondition, AlarmKind, DefectState, RegionMm, Severity
from tests.streamer.gateways.contract import alarm

ASIDE = (AlarmCondition.SHELVED, AlarmCondition.SUPPRESSED, AlarmCondition.OUT_OF_SERVICE)


def take_all(queue):
    """Acknowledge all that is shown; gives what was, in order."""
    taken = []
    while queue.shown is not None:
        taken.append(queue.shown.alarm)
        queue.acknowledge(queue.shown.number)
    return taken


def grown(one, end):
    region = replace(one.region, down_end=end)
    return replace(one, region=region, state=DefectState.UPDATE)


def over(one):
    return replace(one, state=DefectState.END, condition=AlarmCondition.NORMAL)


@pytest.fixture
def queue():
    return AlarmQueue(100)


def test_alarms_come_one_by_one_in_order_each_until_its_number_comes(queue):
    queue.take([alarm(1), alarm(2)])
    queue.take([alarm(3)])
    assert (queue.shown.number, queue.shown.alarm.id, len(queue)) == (1, alarm(1).id, 2)
    assert queue.acknowledge(1) == alarm(1)
    assert (queue.shown.number, queue.shown.alarm.id, len(queue)) == (2, alarm(2).id, 1)


def test_a_number_that_is_not_shown_changes_nothing_and_counts_once(queue):
    queue.take([alarm(1)])
    for number in (0, 9, 9, 9, 0, 7):
        assert queue.acknowledge(number) is None
    assert queue.shown.number == 1
    assert queue.refused == 2  # a PLC that writes in every cycle is no fault


def test_what_is_shown_stays_as_it_was_while_it_grows(queue):
    queue.take([alarm(1)])
    queue.take([grown(alarm(1), 300.0)])
    assert queue.shown.alarm.region == alarm(1).region
    assert [a.region.down_end for a in take_all(queue)] == [105.0, 300.0]


def test_what_waits_is_told_once_as_it_is_known_last(queue):
    queue.take([alarm(1), alarm(2), grown(alarm(2), 250.0), grown(alarm(2), 260.0), alarm(3)])
    told = take_all(queue)
    assert [a.id for a in told] == [alarm(n).id for n in (1, 2, 3)]
    assert told[1].region.down_end == 260.0


def test_what_says_nothing_new_is_not_told_again_and_what_is_more_severe_is(queue):
    queue.take([alarm(1)])
    take_all(queue)
    queue.take([replace(alarm(1), state=DefectState.UPDATE, condition=AlarmCondition.ACKNOWLEDGED)])
    assert queue.shown is None
    queue.take([replace(alarm(1), severity=Severity.HIGH)])
    assert [a.severity for a in take_all(queue)] == [Severity.HIGH]
    queue.take([over(replace(alarm(1), severity=Severity.HIGH))])
    assert queue.shown is None


def test_what_ended_before_it_was_taken_is_told_and_wants_no_acknowledgement(queue):
    queue.take([alarm(1), alarm(2)])
    queue.take([over(alarm(1)), over(alarm(2))])
    assert queue.acknowledge(1) is None  # the sink knows nothing of it any more
    assert queue.shown.alarm.id == alarm(2).id
    assert queue.acknowledge(2) is None


@pytest.mark.parametrize("condition", ASIDE)
def test_what_is_put_aside_does_not_wait_nor_when_it_ends_so(queue, condition):
    aside = replace(alarm(2), condition=condition)
    queue.take([alarm(1), alarm(2)])
    queue.take([aside])
    assert len(queue) == 0
    queue.take([over(alarm(2))])
    assert [a.id for a in take_all(queue)] == [alarm(1).id]


def test_what_comes_back_from_the_shelf_is_told(queue):
    queue.take([replace(alarm(1), condition=AlarmCondition.SHELVED)])
    assert queue.shown is None
    queue.take([alarm(1)])
    assert queue.shown.alarm == alarm(1)


def test_the_least_severe_gives_way_and_is_counted():
    queue = AlarmQueue(2)
    low = replace(alarm(2), severity=Severity.LOW)
    queue.take([alarm(1), low, alarm(3)])
    queue.take([replace(alarm(4), severity=Severity.LOW)])  # no room for one like that
    queue.take([replace(alarm(5), severity=Severity.HIGH)])
    assert queue.overflow == 2
    assert [a.id for a in take_all(queue)] == [alarm(n).id for n in (1, 3, 5)]


def test_the_most_severe_and_the_uninspected_are_seen_before_their_turn(queue):
    assert (queue.highest_rank, queue.not_inspected) == (0, False)
    blind = replace(alarm(3), kind=AlarmKind.NOT_INSPECTED, severity=Severity.HIGH)
    queue.take([replace(alarm(1), severity=Severity.LOW), alarm(2), blind])
    assert (queue.highest_rank, queue.not_inspected) == (3, True)
    queue.acknowledge(1)
    queue.acknowledge(2)
    assert (queue.highest_rank, queue.not_inspected) == (3, True)
    queue.acknowledge(3)
    assert (queue.highest_rank, queue.not_inspected) == (0, False)


def test_a_gateway_that_starts_anew_does_not_repeat_what_the_plc_has(queue):
    known = replace(alarm(1), condition=AlarmCondition.ACKNOWLEDGED, by="modbus")
    others = replace(alarm(2), condition=AlarmCondition.ACKNOWLEDGED, by="page")
    queue.take([known, others])
    assert [a.id for a in take_all(queue)] == [others.id]  # a person has seen it, the PLC not
    queue.take([grown(known, 400.0)])
    assert [a.id for a in take_all(queue)] == [known.id]


def test_another_sink_may_use_a_name_again(queue):
    queue.take([alarm(1), alarm(2)])
    take_all(queue)
    queue.keep_only([alarm(2).id])
    queue.take([alarm(1), alarm(2)])
    assert [a.id for a in take_all(queue)] == [alarm(1).id]


def test_numbers_wrap_without_zero():
    queue = AlarmQueue(10, next_number=2**32 - 1)
    queue.take([alarm(1), alarm(2)])
    assert queue.shown.number == 2**32 - 1
    queue.acknowledge(2**32 - 1)
    assert queue.shown.number == 1


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 6),  # which alarm
        st.floats(0, 50),  # how far it reaches
        st.sampled_from(Severity),
        st.sampled_from((*AlarmCondition, None)),  # None: the PLC acknowledges what is shown
    ),
    max_size=60,
)


def heard(event):
    number, reach, severity, condition = event
    region = RegionMm(100.0 * number - reach, 100.0 * number + reach, 0, reach)
    return replace(alarm(number), region=region, severity=severity, condition=condition)


@given(EVENTS)
def test_whatever_happens_nothing_is_forgotten_and_nothing_told_for_nothing(events):
    queue, told, numbers = AlarmQueue(1000), [], []
    for event in events:
        if event[3] is not None:
            before = queue.shown
            queue.take([heard(event)])
            is_kept = before is None or before.number == queue.shown.number
            assert is_kept  # only the PLC itself moves on
        elif queue.shown is not None:
            told.append(queue.shown.alarm)
            numbers.append(queue.shown.number)
            queue.acknowledge(queue.shown.number)
    waiting = len(queue) + (queue.shown is not None)
    rest = take_all(queue)
    assert len(rest) == waiting
    assert numbers == list(range(1, len(numbers) + 1))
    last = {e[0]: heard(e) for e in events if e[3] is not None}
    for one in last.values():
        has_it = one.condition is AlarmCondition.ACKNOWLEDGED
        if one.condition in ASIDE or has_it or one.condition is AlarmCondition.NORMAL:
            continue
        mine = [Told.of(a) for a in (*told, *rest) if a.id == one.id]
        assert any(known.holds(Told.of(one)) for known in mine)


@given(EVENTS, st.integers(1, 3))
def test_what_waits_is_bounded_and_the_counts_agree_with_it(events, capacity):
    queue = AlarmQueue(capacity)
    for event in events:
        if event[3] is not None:
            queue.take([heard(event)])
        elif queue.shown is not None:
            queue.acknowledge(queue.shown.number)
        assert len(queue) <= capacity
        assert (queue.highest_rank == 0) == (queue.shown is None)
