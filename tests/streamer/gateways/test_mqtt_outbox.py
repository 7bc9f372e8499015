"""What waits for a broker: bounded, in order, the latest state first, whatever breaks when."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.mqtt_messages import LOST_FIGURE, Topics, status_shown
from streamer.gateways.mqtt_outbox import (
    BYTES_PER_S,
    MOST_ANSWERS,
    MOST_COMMANDS,
    SILENT_S,
    Outbox,
)
from streamer.line_ports import LineView
from streamer.line_status import Command, CommandAnswer, CommandKind
from streamer.outputs.line_message import decode_status, encode_command
from tests.streamer.gateways.contract import alarm, view

INTERVAL_S = 0.5
STOP = encode_command(Command("7", CommandKind.STOP, "", "MES"))


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(clock):
    return Outbox(Topics("p"), most_waiting=10, interval_s=INTERVAL_S, clock=clock)


def unlisted(number, *alarms):
    """News before the list of active alarms is known, so that alarms alone are told."""
    return replace(view(number, news=alarms), is_synchronised=False)


def take(outbox):
    """Topic and record of what is told next, and has arrived."""
    message = outbox.next_message()
    if message is None:
        return None
    outbox.done()
    return message.topic, json.loads(message.payload)


def take_all(outbox):
    return list(iter(lambda: take(outbox), None))


def ask(outbox, payload=STOP, is_retained=False, is_open=True):
    outbox.ask(payload, is_retained=is_retained, is_open=is_open)


def test_an_alarm_stays_first_until_it_has_arrived(outbox):
    outbox.show(unlisted(1, alarm(1), alarm(2)))
    first = outbox.next_message()
    assert outbox.next_message() == first
    outbox.begin()  # The connection broke: nobody knows whether it arrived.
    assert outbox.next_message() == first
    outbox.done()
    assert [record["sequence"] for _, record in take_all(outbox)] == [2]
    assert outbox.waiting == 0


def test_a_receipt_of_something_that_was_pushed_out_takes_nothing_else_away(outbox):
    outbox.show(unlisted(1, alarm(1)))
    assert outbox.next_message() is not None
    outbox.show(unlisted(2, *[alarm(n) for n in range(2, 13)]))
    outbox.done()
    assert [record["sequence"] for _, record in take_all(outbox)] == list(range(3, 13))
    assert outbox.lost == 2


STEPS = st.lists(st.sampled_from(["alarm", "send", "arrive", "break"]), max_size=80)


@given(STEPS)
def test_whatever_breaks_alarms_arrive_in_order_and_only_the_last_one_twice(steps):
    outbox, number, told, under_way = Outbox(Topics("p"), 1000, INTERVAL_S), 0, [], False
    for step in [*steps, *["send", "arrive"] * 100]:
        if step == "alarm":
            number += 1
            outbox.show(unlisted(number, alarm(number)))
        elif step == "send" and not under_way:
            message = outbox.next_message()
            if message is not None:  # It always arrives, its receipt does not.
                told.append(json.loads(message.payload)["sequence"])
                under_way = True
        elif step == "arrive" and under_way:
            outbox.done()
            under_way = False
        elif step == "break":
            outbox.begin()
            under_way = False
    assert told == sorted(told)
    assert sorted(set(told)) == list(range(1, number + 1))
    assert len(told) - len(set(told)) <= steps.count("break")


@given(st.integers(1, 20), st.lists(st.integers(1, 30), max_size=10))
def test_what_waits_is_bounded_and_all_else_is_counted(most, batches):
    outbox, number = Outbox(Topics("p"), most, INTERVAL_S), 0
    for size in batches:
        outbox.show(unlisted(1, *[alarm(number + n + 1) for n in range(size)]))
        number += size
    assert outbox.waiting == min(most, number)
    assert outbox.lost == max(0, number - most)
    kept = [record["sequence"] for _, record in take_all(outbox)]
    assert kept == list(range(outbox.lost + 1, number + 1))


def test_a_state_is_told_at_intervals_unless_it_matters(outbox, clock):
    def told(shown):
        outbox.show(shown)
        return outbox.next_state()

    assert decode_status(told(view(1)).payload) == status_shown(view(1), 0)
    assert told(view(2)) is None
    clock.now_s += INTERVAL_S
    assert decode_status(told(view(3)).payload).beat == 3
    assert told(view(3)) is None  # Nothing is new.
    assert told(view(4, roll="roll-2")) is not None
    assert told(view(5, roll="roll-2", not_inspected_active=True)) is not None
    stale = replace(view(5, roll="roll-2", not_inspected_active=True), is_fresh=False)
    assert not decode_status(told(stale).payload).data_valid
    outbox.begin()
    assert outbox.next_state() is not None  # The broker may be another one.


def test_what_was_lost_is_said_in_the_state(outbox, clock):
    outbox.show(unlisted(1, *[alarm(n) for n in range(1, 14)]))
    assert decode_status(outbox.next_state().payload).figures[LOST_FIGURE] == 3


def test_a_stage_that_shows_nothing_any_more_is_not_vouched_for(outbox, clock):
    outbox.show(view(1))
    assert decode_status(outbox.next_state().payload).data_valid
    clock.now_s += SILENT_S + 0.1
    stalled = decode_status(outbox.next_state().payload)
    assert (stalled.data_valid, stalled.reason) == (False, "the gateway's own loop stands still")
    outbox.show(view(2))
    assert decode_status(outbox.next_state().payload).data_valid


def test_before_the_first_view_nothing_is_valid(outbox):
    assert not decode_status(outbox.next_state().payload).data_valid
    assert outbox.next_message() is None


def test_the_list_is_told_when_it_changes_and_known(outbox, clock):
    outbox.show(LineView(view(1).status, is_fresh=True, is_synchronised=False))
    assert take(outbox) is None
    outbox.show(view(1, alarm(4), news=()))
    topic, record = take(outbox)
    assert (topic, [one["sequence"] for one in record["active"]]) == ("p/active", [4])
    outbox.show(view(2, news=()))
    assert take(outbox) is None  # Not before the interval is over.
    clock.now_s += INTERVAL_S
    assert take(outbox)[1]["active"] == []
    clock.now_s += INTERVAL_S
    outbox.show(view(3, news=()))
    assert take(outbox) is None
    outbox.begin()
    assert take(outbox)[0] == "p/active"


def test_the_list_says_up_to_which_alarm_it_holds(outbox, clock):
    gone = alarm(5)
    outbox.show(view(1, alarm(4), news=(alarm(4), gone), sequence=3))
    assert take(outbox)[1]["sequence"] == 5
    clock.now_s += INTERVAL_S
    outbox.show(view(1, news=(), sequence=2, publisher="q"))  # Another sink counts anew.
    record = [record for topic, record in take_all(outbox) if topic == "p/active"][0]
    assert (record["publisher"], record["sequence"]) == ("q", 2)


def test_a_long_list_is_told_less_often(outbox, clock):
    many = [alarm(n) for n in range(1, 1001)]
    outbox.show(view(1, *many, news=()))
    size = len(outbox.next_message().payload)
    outbox.done()
    assert size > 2 * INTERVAL_S * BYTES_PER_S
    outbox.show(view(2, *many[1:], news=()))
    clock.now_s += 2 * INTERVAL_S
    assert take(outbox) is None
    clock.now_s += size / BYTES_PER_S
    assert take(outbox)[0] == "p/active"


def test_answers_go_first_and_are_bounded(outbox):
    answers = tuple(CommandAnswer(str(n), ok=True) for n in range(MOST_ANSWERS + 5))
    outbox.show(replace(unlisted(1, alarm(1)), answers=answers))
    told = take_all(outbox)
    assert [record["id"] for _, record in told[:-1]] == [str(n + 5) for n in range(MOST_ANSWERS)]
    assert told[-1][0] == "p/alarms/defect"


def test_answers_come_even_before_the_line_is_known(outbox):
    ask(outbox, b"{")
    outbox.show(LineView(None, is_fresh=False, is_synchronised=False))
    ((topic, record),) = take_all(outbox)
    assert (topic, record["ok"]) == ("p/answer", False)


def test_commands_are_taken_once(outbox):
    ask(outbox)
    assert [one.by for one in outbox.take_commands()] == ["mqtt:MES"]
    assert outbox.take_commands() == ()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"is_retained": True}, "must not be retained"),
        ({"is_open": False}, "must be switched on"),
        ({"payload": b"{}"}, "schema must be"),
    ],
)
def test_what_is_not_taken_is_answered(outbox, how, why):
    ask(outbox, **how)
    assert outbox.take_commands() == ()
    ((_, record),) = take_all(outbox)
    assert why in record["text"]


def test_a_flood_of_commands_is_answered_not_kept(outbox):
    for _ in range(MOST_COMMANDS + 3):
        ask(outbox)
    assert len(outbox.take_commands()) == MOST_COMMANDS
    assert [record["id"] for _, record in take_all(outbox)] == ["7"] * 3
    ask(outbox)
    assert len(outbox.take_commands()) == 1
