"""The MQTT gateway against a real broker and its own clients: slow, dead, restarted, locked."""

import json
import os
import signal
import statistics
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import jsonschema
import pytest

from streamer.gateway_sections import MqttGateway
from streamer.gateways import mqtt_outbox
from streamer.gateways.mqtt import Mqtt
from streamer.gateways.mqtt_messages import LOST_FIGURE
from streamer.line_ports import LineView
from streamer.line_status import CommandAnswer, CommandKind
from streamer.message import AlarmCondition, DefectState
from streamer.outputs.alarm_message import alarm_schema, snapshot_schema
from streamer.outputs.line_message import answer_schema, status_schema
from tests.streamer.gateways.broker import (
    PREFIX,
    Broker,
    MqttPeer,
    Subscriber,
    free_port,
    send,
    wait_until,
)
from tests.streamer.gateways.contract import LONGEST_SHOW_S, GatewayContract, alarm, view

COMMAND = {"schema": "linescan.command/1", "id": "7", "kind": "stop", "alarm": "", "by": "MES"}


def settings(port, **changes):
    known = {"mode": "on", "port": port, "prefix": PREFIX, "interval_s": 0.1, "keepalive_s": 1}
    return MqttGateway(**{**known, **changes})


@pytest.fixture
def broker(tmp_path):
    opened = Broker(tmp_path)
    yield opened
    opened.go_on()
    opened.close()


@pytest.fixture
def open_mqtt(broker):
    opened = []

    def open_one(**changes):
        opened.append(Mqtt(settings(broker.port, **changes)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def heard(broker):
    opened = Subscriber(broker.port)
    yield opened
    opened.close()


def show_until(gateway, shown, holds):
    """Go on showing; commands that come are returned."""
    commands = []

    def turn():
        gateway.show(shown)
        commands.extend(gateway.take_commands())
        return holds(commands)

    wait_until(turn)
    return commands


class TestMqtt(GatewayContract):
    @pytest.fixture(autouse=True)
    def _broker(self, broker):
        self.broker = broker

    def open_gateway(self):
        return Mqtt(settings(self.broker.port))

    def open_peer(self, gateway):
        # What waits for the connection is told when it is there, to whoever listens by then; and
        # the retained list of active alarms is at most an interval old.
        wait_until(lambda: gateway._link._is_greeted and self.has_told_all(gateway))
        return MqttPeer(self.broker.port)

    def has_told_all(self, gateway):
        outbox = gateway._outbox
        view = outbox._view
        is_listed = not view.is_synchronised or (outbox._listed or (0, 0))[1] == view.alarms
        return is_listed and not outbox.waiting and gateway._link._under_way is None


def test_all_that_is_told_is_as_its_schema_says(open_mqtt, heard):
    gateway = open_mqtt()
    told = replace(view(3, alarm(1), alarm(2)), answers=(CommandAnswer("9", ok=True),))
    gateway.show(told)
    quiet = view(4, alarm(1), alarm(2), news=())
    show_until(gateway, quiet, lambda _: len(heard.alarms) == 2 and heard.lists and heard.answers)
    for records, schema in (
        (heard.states, status_schema()),
        (heard.alarms, alarm_schema()),
        (heard.lists, snapshot_schema()),
        (heard.answers, answer_schema()),
    ):
        for record in records:
            jsonschema.validate(record, schema)
    assert heard.told("alarms/defect")
    assert heard.lists[-1]["sequence"] == 2
    assert heard.answers == [
        {"schema": "linescan.command-answer/1", "id": "9", "ok": True, "text": ""}
    ]


def test_a_newcomer_hears_state_and_list_but_no_old_alarm(open_mqtt, heard, broker):
    gateway = open_mqtt()
    gateway.show(view(3, alarm(1)))
    show_until(gateway, view(3, alarm(1), news=()), lambda _: heard.alarms and heard.lists)
    late = Subscriber(broker.port)
    try:
        wait_until(lambda: late.lists and late.states and late.told("availability"))
        time.sleep(0.2)
        assert late.retained("availability") == ["online"]
        assert late.states[0]["data_valid"]
        assert [one["id"] for one in late.lists[-1]["active"]] == [alarm(1).id]
        assert late.alarms == []
    finally:
        late.close()


def test_a_thousand_alarms_come_in_order_each_once(open_mqtt, heard):
    gateway = open_mqtt()
    gateway.show(view(1))
    wait_until(lambda: heard.told("availability"))
    begin = time.monotonic()
    for n in range(1, 1001):
        gateway.show(view(n, news=(alarm(n),)))
    show_until(gateway, view(1001), lambda _: len(heard.alarms) >= 1000)
    assert time.monotonic() - begin < 30  # half a minute for what a line tells in a minute
    assert [one["sequence"] for one in heard.alarms] == list(range(1, 1001))
    assert gateway.lost == 0


def test_a_broker_that_stands_still_holds_nobody_up_and_loses_nothing(open_mqtt, heard, broker):
    gateway = open_mqtt(keepalive_s=60)
    show_until(gateway, view(1), lambda _: heard.told("availability"))
    broker.stand_still()
    times_s = []
    for n in range(1, 501):
        begin = time.monotonic()
        gateway.show(view(n, alarm(n), news=(replace(alarm(n), text="x" * 2000),)))
        times_s.append(time.monotonic() - begin)
        time.sleep(0.002)
    assert max(times_s) < LONGEST_SHOW_S
    assert statistics.median(times_s) < 0.005
    broker.go_on()
    show_until(gateway, view(600), lambda _: len(heard.alarms) >= 500)
    assert [one["sequence"] for one in heard.alarms] == list(range(1, 501))


def test_a_broker_that_hangs_is_given_up_and_found_again(open_mqtt, heard, broker):
    gateway = open_mqtt()  # Pings every second.
    show_until(gateway, view(1), lambda _: heard.told("availability"))
    broker.stand_still()
    end = time.monotonic() + 5
    number = 0
    while time.monotonic() < end:
        number += 1
        gateway.show(view(number, news=(alarm(number),)))
        time.sleep(0.01)
    broker.go_on()
    shown = view(number + 1)
    show_until(gateway, shown, lambda _: heard.alarms and heard.alarms[-1]["sequence"] == number)
    told = [one["sequence"] for one in heard.alarms]
    assert told == sorted(told)
    assert sorted(set(told)) == list(range(1, number + 1))
    assert len(told) <= number + 1  # What was under way when the connection broke: QoS 1.
    show_until(gateway, shown, lambda _: heard.availability == "online")


def test_what_came_while_the_broker_was_dead_is_told_once_it_is_back(open_mqtt, broker):
    gateway = open_mqtt()
    first = MqttPeer(broker.port)
    gateway.show(view(1, alarm(1)))
    show_until(gateway, view(1, alarm(1), news=()), lambda _: first.heard.alarms)
    first.close()
    broker.kill()
    for n in range(2, 50):
        gateway.show(view(n, alarm(n), news=(alarm(n),)))
    broker.start()
    peer = Subscriber(broker.port)
    try:
        shown = view(60, alarm(1), alarm(49), news=())
        show_until(gateway, shown, lambda _: len(peer.alarms) >= 48 and peer.lists)
        told = [one["sequence"] for one in peer.alarms]
        assert told == list(range(2, 50))
        # The broker forgot what it retained: it is told again.
        assert peer.availability == "online"
        assert [one["sequence"] for one in peer.lists[-1]["active"]] == [1, 49]
    finally:
        peer.close()


def test_what_does_not_fit_is_lost_oldest_first_and_said(tmp_path):
    port = free_port()
    gateway = Mqtt(settings(port, most_waiting=10))
    broker = peer = None
    try:
        for n in range(1, 31):
            gateway.show(view(n, news=(alarm(n),)))
        assert gateway.lost == 20
        broker = Broker(tmp_path, port=port)
        peer = Subscriber(port)
        show_until(gateway, view(40), lambda _: len(peer.alarms) >= 10)
        assert [one["sequence"] for one in peer.alarms] == list(range(21, 31))
        assert peer.states[-1]["figures"][LOST_FIGURE] == 20
    finally:
        gateway.close()
        for one in (peer, broker):
            if one is not None:
                one.close()


def test_commands_are_passed_on_and_nonsense_is_answered(open_mqtt, heard, broker):
    gateway = open_mqtt()
    shown = view(1)
    show_until(gateway, shown, lambda _: heard.told("availability"))
    send(broker.port, COMMAND)
    shelve = {**COMMAND, "id": "8", "kind": "shelve", "alarm": "*", "seconds": 60, "reason": "wash"}
    send(broker.port, shelve)
    stop, shelved = show_until(gateway, shown, lambda commands: len(commands) == 2)
    assert (stop.kind, stop.by, stop.id) == (CommandKind.STOP, "mqtt:MES", "7")
    assert (shelved.kind, shelved.seconds, shelved.alarm) == (CommandKind.SHELVE, 60, "*")
    for n, wrong in enumerate(
        [
            "{",
            "[" * 4000,
            json.dumps({**COMMAND, "schema": "linescan.command/9"}),
            json.dumps({**COMMAND, "kind": "explode"}),
            json.dumps({**shelve, "seconds": -1}),
            json.dumps({**COMMAND, "reason": "x" * 5000}),
        ],
        start=1,
    ):
        send(broker.port, wrong)
        assert show_until(gateway, shown, lambda _, n=n: len(heard.answers) == n) == []
    assert [one["ok"] for one in heard.answers] == [False] * 6
    assert [one["id"] for one in heard.answers] == ["", "", "7", "7", "8", "7"]
    assert "seconds" in heard.answers[4]["text"]


def test_a_retained_command_is_never_carried_out(open_mqtt, heard, broker):
    send(broker.port, COMMAND, "-r")
    gateway = open_mqtt()
    assert show_until(gateway, view(1), lambda _: heard.answers) == []
    assert "retained" in heard.answers[0]["text"]


def test_commands_can_be_switched_off(open_mqtt, heard, broker):
    gateway = open_mqtt(commands="off")
    show_until(gateway, view(1), lambda _: heard.told("availability"))
    send(broker.port, COMMAND)
    assert show_until(gateway, view(1), lambda _: heard.answers) == []
    assert "switched on" in heard.answers[0]["text"]


def test_silence_of_the_sink_leaves_web_that_nobody_judged(open_mqtt, heard):
    gateway = open_mqtt()
    show_until(gateway, view(5), lambda _: heard.states and heard.states[-1]["data_valid"])
    stale = replace(view(5), is_fresh=False)
    show_until(gateway, stale, lambda _: not heard.states[-1]["data_valid"])
    last = heard.states[-1]
    assert (last["state"], last["reason"]) == ("error", "the sink is silent")
    assert last["not_inspected_active"]
    assert last["beat"] == 5


def test_a_stage_that_stands_still_is_not_covered_up(open_mqtt, heard, monkeypatch):
    monkeypatch.setattr(mqtt_outbox, "SILENT_S", 0.2)
    gateway = open_mqtt()
    show_until(gateway, view(5), lambda _: heard.states and heard.states[-1]["data_valid"])
    wait_until(lambda: not heard.states[-1]["data_valid"])
    assert "stands still" in heard.states[-1]["reason"]
    show_until(gateway, view(6), lambda _: heard.states[-1]["data_valid"])


def test_a_gateway_that_closes_says_so(open_mqtt, heard):
    gateway = open_mqtt()
    show_until(gateway, view(1), lambda _: heard.states and heard.states[-1]["data_valid"])
    gateway.show(view(2, news=(alarm(1), alarm(2))))
    begin = time.monotonic()
    gateway.close()
    assert time.monotonic() - begin < 2
    wait_until(lambda: heard.availability == "offline")
    assert [one["sequence"] for one in heard.alarms] == [1, 2]
    last = heard.states[-1]
    assert (last["data_valid"], last["reason"]) == (False, "the gateway has ended")
    with pytest.raises(OSError, match=r"MQTT client of 127.0.0.1 must run"):
        gateway.show(view(3))


@pytest.mark.parametrize("what", ["stands still", "is not there", "never was"])
def test_closing_takes_no_longer_than_two_seconds(what, broker, heard):
    gateway = Mqtt(settings(broker.port if what != "never was" else free_port()))
    if what != "never was":
        show_until(gateway, view(1), lambda _: heard.told("availability"))
    if what == "stands still":
        broker.stand_still()
    elif what == "is not there":
        broker.kill()
    gateway.show(view(2, news=(alarm(1),)))
    begin = time.monotonic()
    gateway.close()
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_the_broker_says_that_a_gateway_is_dead(broker, heard, by):
    script = f"""
        import sys, time
        sys.path.insert(0, {os.getcwd()!r})
        from tests.streamer.gateways.contract import view
        from tests.streamer.gateways.test_mqtt import Mqtt, settings
        gateway, beat = Mqtt(settings({broker.port})), 0
        while True:
            beat += 1
            gateway.show(view(beat))
            time.sleep(0.02)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    try:
        wait_until(lambda: heard.told("availability"))
        wait_until(lambda: heard.states and heard.states[-1]["data_valid"])
        process.send_signal(by)
        wait_until(lambda: heard.availability == "offline")
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_noticed(open_mqtt, monkeypatch):
    gateway = open_mqtt()
    show_until(gateway, view(1), lambda _: True)

    def fail(*_):
        raise KeyError("x")

    monkeypatch.setattr(mqtt_outbox, "status_shown", fail)

    def has_ended():
        try:
            gateway.show(view(2))
        except OSError:
            return True
        return False

    wait_until(has_ended)


def test_what_ended_is_told_and_leaves_the_list(open_mqtt, heard):
    gateway = open_mqtt()
    gateway.show(view(1, alarm(1)))
    gone = replace(alarm(1), sequence=2, state=DefectState.END, condition=AlarmCondition.NORMAL)
    gateway.show(view(2, news=(gone,)))
    show_until(gateway, view(2), lambda _: len(heard.alarms) == 2 and heard.lists)
    show_until(gateway, view(2), lambda _: heard.lists[-1]["active"] == [])
    assert [one["state"] for one in heard.alarms] == ["new", "end"]


def test_until_the_alarms_are_known_no_list_is_told(open_mqtt, heard):
    gateway = open_mqtt()
    unknown = LineView(view(1).status, is_fresh=True, is_synchronised=False)
    show_until(gateway, unknown, lambda _: heard.told("availability"))
    time.sleep(0.3)
    assert heard.lists == []
