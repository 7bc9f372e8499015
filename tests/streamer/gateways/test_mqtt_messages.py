"""Topics and payloads: as the schemas say, valid only while somebody vouches for them."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.mqtt_messages import (
    LOST_FIGURE,
    OFFLINE,
    ONLINE,
    Message,
    Topics,
    asked,
    refusal,
    status_shown,
)
from streamer.line_ports import LineView
from streamer.line_status import LONGEST_TEXT, Command, CommandAnswer, CommandKind, RunState
from streamer.message import AlarmKind
from streamer.outputs.alarm_message import alarm_schema, snapshot_schema
from streamer.outputs.line_message import (
    answer_schema,
    decode_alarm,
    decode_snapshot,
    decode_status,
    encode_command,
    status_schema,
)
from tests.streamer.gateways.contract import alarm, status, view

TOPICS = Topics("plant/line1")


def test_what_a_newcomer_must_know_is_retained_and_nothing_else():
    told = TOPICS.told(status())
    assert (told.topic, told.qos, told.retain) == ("plant/line1/state", 0, True)
    listed = TOPICS.snapshot("p", 0, ())
    assert (listed.topic, listed.qos, listed.retain) == ("plant/line1/active", 1, True)
    assert TOPICS.available(is_online=True) == Message(
        "plant/line1/availability", ONLINE, qos=1, retain=True
    )
    assert TOPICS.available(is_online=False).payload == OFFLINE
    passing = (TOPICS.alarm("p", alarm(1)), TOPICS.answered(CommandAnswer("1", ok=True)))
    assert [(one.qos, one.retain) for one in passing] == [(1, False)] * 2


@pytest.mark.parametrize("kind", AlarmKind)
def test_an_alarm_is_told_by_its_kind(kind):
    one = alarm(3, kind=kind)
    message = TOPICS.alarm("p", one)
    assert message.topic == f"plant/line1/alarms/{kind.value}"
    jsonschema.validate(json.loads(message.payload), alarm_schema())
    assert decode_alarm(message.payload) == ("p", one)


def test_the_list_is_a_snapshot():
    payload = TOPICS.snapshot("p", 9, (alarm(3), alarm(8))).payload
    jsonschema.validate(json.loads(payload), snapshot_schema())
    assert decode_snapshot(payload) == ("p", 9, (alarm(3), alarm(8)))


def test_answers_are_as_their_schema_says():
    payload = TOPICS.answered(CommandAnswer("1", ok=False, text="no such alarm")).payload
    jsonschema.validate(json.loads(payload), answer_schema())


def test_a_fresh_status_is_told_as_it_is_with_what_was_lost():
    shown = status_shown(view(7), lost=3)
    assert shown == replace(status(beat=7), figures={LOST_FIGURE: 3.0})
    payload = TOPICS.told(shown).payload
    jsonschema.validate(json.loads(payload), status_schema())
    assert decode_status(payload) == shown


def test_before_anything_was_heard_the_status_is_not_valid():
    shown = status_shown(LineView(None, is_fresh=False, is_synchronised=False), lost=0)
    assert (shown.data_valid, shown.state) == (False, RunState.PREOPERATIONAL)
    assert "nothing was heard" in shown.reason
    jsonschema.validate(json.loads(TOPICS.told(shown).payload), status_schema())


def test_a_silent_sink_leaves_web_that_nobody_judged():
    shown = status_shown(replace(view(7), is_fresh=False), lost=0)
    assert (shown.data_valid, shown.state) == (False, RunState.ERROR)
    assert (shown.reason, shown.not_inspected_active) == ("the sink is silent", True)


def test_a_roll_that_ended_leaves_none():
    ended = replace(view(7, state=RunState.HALTED, data_valid=False, reason="over"), is_fresh=False)
    for fault in ("", "the gateway has ended"):
        shown = status_shown(ended, 0, fault)
        assert (shown.data_valid, shown.state) == (False, RunState.HALTED)
        assert (shown.reason, shown.not_inspected_active) == ("over", False)


def test_a_fault_of_the_gateway_makes_a_good_line_invalid():
    shown = status_shown(view(7), 0, "the gateway has ended")
    assert (shown.data_valid, shown.reason) == (False, "the gateway has ended")
    assert shown.not_inspected_active
    assert status_shown(replace(view(7), is_fresh=False), 0, "x").reason == "the sink is silent"


def test_a_command_says_through_what_it_came():
    command = Command("1", CommandKind.ACKNOWLEDGE, "*", "y" * LONGEST_TEXT)
    taken = asked(encode_command(command))
    assert taken == replace(command, by="mqtt:" + "y" * (LONGEST_TEXT - 5))


@given(st.binary(max_size=300))
def test_nonsense_is_refused_with_an_answer(payload):
    with pytest.raises(ValueError, match="must be"):
        asked(payload)
    answer = refusal(payload, "x" * 500)
    assert (answer.ok, len(answer.text)) == (False, LONGEST_TEXT)
    jsonschema.validate(json.loads(TOPICS.answered(answer).payload), answer_schema())


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b'{"id": "7", "kind": 3}', "7"),
        (b'{"id": 7}', ""),
        (b'{"id": "%s"}' % (b"x" * 300), "x" * LONGEST_TEXT),
        (b"[" * 100_000, ""),
        (b"\xff", ""),
    ],
)
def test_a_refusal_has_the_name_of_what_it_refuses(payload, name):
    assert refusal(payload, "why").id == name
