"""The Modbus gateway with a foreign client: the contract, the handshake, commands and the beat."""

import contextlib
import socket
import struct
import time
from dataclasses import replace

import pytest

from streamer.config import Config
from streamer.gateway_sections import Gateways, ModbusGateway
from streamer.gateways import open_gateway
from streamer.gateways.modbus import STALE_S, ModbusTcp
from streamer.gateways.modbus_registers import BY_NAME, COMMANDS, WORD_COUNT, decode
from streamer.line_status import CommandKind
from streamer.message import AlarmCondition, AlarmKind, Severity
from tests.streamer.gateways.contract import GatewayContract, alarm, view
from tests.streamer.gateways.mbpoll import Mbpoll, RefusedError

MOST_LATE_S = 0.5  # of a heartbeat, on a machine with other work: what the alarms hold up stays up
COMMAND = BY_NAME["command"].address


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def gateway(**settings):
    opened = ModbusTcp(ModbusGateway(mode="on", port=free_port(), **settings))
    opened.port = opened._server.port  # noqa: SLF001, for the peers
    try:
        yield opened
    finally:
        opened.close()


class Plc:
    """What the contract asks of a peer, with mbpoll; seen alarms are named by their numbers."""

    def __init__(self, port):
        self.client = Mbpoll(port)
        self._port = port
        self._seen = {}
        self._stalled = None

    def beat(self):
        return self.client.values()["heartbeat"]

    def data_valid(self):
        return bool(self.client.values()["data_valid"])

    def seen(self):
        told = self.client.values()
        if told["alarm_active"]:
            self._seen[told["alarm_seq"]] = alarm(told["alarm_message"]).id
        return list(self._seen.values())

    def acknowledge(self, _alarm):
        self.client.acknowledge(max(self._seen))

    def stall(self):
        self._stalled = socket.create_connection(("127.0.0.1", self._port))
        self._stalled.sendall(struct.pack(">HHHBBHH", 0, 0, 6, 1, 3, 0, WORD_COUNT) * 500)

    def close(self):
        if self._stalled is not None:
            self._stalled.close()


class TestModbus(GatewayContract):
    """One alarm at a time, the next after its acknowledgement."""

    sees_all_without_acknowledging = False
    # The web of a defect that ended has yet to come by the actuator; mbpoll reads nothing else.
    tells_until_taken = True

    def open_gateway(self):
        return open_gateway(
            "modbus",
            Config(gateways=Gateways(modbus=ModbusGateway(mode="on", port=free_port()))),
        )

    def open_peer(self, gateway):
        return Plc(gateway._server.port)  # noqa: SLF001


def test_the_next_alarm_is_there_as_soon_as_the_number_is_written():
    with gateway() as opened:
        opened.show(view(1, alarm(1), alarm(2), alarm(3)))
        client = Mbpoll(opened.port)
        messages, toggles = [], []
        for _ in range(3):
            told = client.values()
            messages.append(told["alarm_message"])
            toggles.append(told["valid_toggle"])
            client.acknowledge(told["alarm_seq"])
        told = client.values()
        assert messages == [1, 2, 3]
        assert toggles[0] == toggles[2] != toggles[1]
        assert (told["alarm_active"], told["waiting"], told["alarm_kind"]) == (0, 0, 0)
        assert told["ack_seq"] == told["alarm_seq"]
        asked = opened.take_commands()
        assert [(c.kind, c.alarm, c.by) for c in asked] == [
            (CommandKind.ACKNOWLEDGE, alarm(n).id, "modbus") for n in (1, 2, 3)
        ]
        assert len({c.id for c in asked}) == 3
        assert opened.take_commands() == ()


def test_a_wrong_number_is_counted_and_moves_nothing(caplog):
    with gateway() as opened:
        opened.show(view(1, alarm(1)))
        client = Mbpoll(opened.port)
        client.acknowledge(12345)
        opened.show(view(2, alarm(1), news=()))
        told = client.values()
        assert (told["acks_refused"], told["alarm_message"]) == (1, 1)
        assert opened.take_commands() == ()
        assert "1 numbers in all were acknowledged but not shown" in caplog.text


def test_numbers_go_on_after_a_restart():
    numbers = []
    for _ in range(2):
        with gateway() as opened:
            opened.show(view(1, alarm(1)))
            numbers.append(Mbpoll(opened.port).values()["alarm_seq"])
        time.sleep(1.1)
    assert numbers[1] > numbers[0]


@pytest.mark.parametrize("register", [r for r in BY_NAME.values() if not r.by_plc])
def test_what_the_plc_reads_it_cannot_write(register, refusing):
    with pytest.raises(RefusedError, match="Illegal data address"):
        refusing.write(register.address, 1)


@pytest.fixture(scope="module")
def refusing():
    with gateway() as opened:
        yield Mbpoll(opened.port)
        assert opened.take_commands() == ()


def test_commands_are_carried_out_once_however_often_they_are_written():
    with gateway(stop="on") as opened:
        client = Mbpoll(opened.port)
        acknowledge, stop = COMMANDS["acknowledge_all"], COMMANDS["stop_the_line"]
        for code in (0, acknowledge, acknowledge, stop, stop, 0, stop):
            client.write(COMMAND, code)
        asked = [(c.kind, c.alarm) for c in opened.take_commands()]
        stopped = (CommandKind.STOP, "")
        assert asked == [(CommandKind.ACKNOWLEDGE, "*"), stopped, stopped]
        assert client.values()["command"] == stop


def test_a_command_that_is_not_known_or_allowed_is_refused_and_changes_nothing():
    with gateway() as opened:
        client = Mbpoll(opened.port)
        for code in (COMMANDS["stop_the_line"], 3, 65_535):
            with pytest.raises(RefusedError, match="Illegal data value"):
                client.write(COMMAND, code)
        with pytest.raises(RefusedError, match="Illegal data value"):
            client.write(COMMAND, 9, 0, 5)
        told = client.values()
        assert (told["command"], told["ack_seq"]) == (0, 0)
        assert opened.take_commands() == ()


def test_a_stage_that_hangs_shows_as_invalid_whatever_it_showed_last():
    with gateway() as opened:
        client = Mbpoll(opened.port)
        opened.show(view(7))
        assert client.values()["data_valid"] == 1
        time.sleep(STALE_S + 0.1)
        told = client.values()
        assert (told["data_valid"], told["not_inspected_active"], told["ready"]) == (0, 1, 0)
        assert told["heartbeat"] == 7
        opened.show(view(8))
        assert client.values()["data_valid"] == 1


def test_what_was_not_inspected_is_seen_before_its_turn():
    with gateway() as opened:
        blind = replace(alarm(2), kind=AlarmKind.NOT_INSPECTED, severity=Severity.HIGH)
        opened.show(view(1, alarm(1), blind))
        told = Mbpoll(opened.port).values()
        assert (told["not_inspected_waiting"], told["highest_severity_waiting"]) == (1, 3)


def test_what_cannot_wait_is_counted_and_logged(caplog):
    with gateway(queue=1) as opened:
        opened.show(view(1, alarm(1), alarm(2), alarm(3)))
        assert Mbpoll(opened.port).values()["overflow"] == 1
    assert "1 alarms in all could not wait for the PLC" in caplog.text


def test_another_sink_may_tell_of_an_alarm_by_the_same_name():
    with gateway() as opened:
        client = Mbpoll(opened.port)
        opened.show(view(1, alarm(1)))
        client.acknowledge(client.values()["alarm_seq"])
        opened.show(view(2, alarm(1), publisher="q"))  # it knows of it, too: the PLC has it
        assert client.values()["alarm_active"] == 0
        opened.show(view(3, publisher="r"))
        opened.show(view(4, alarm(1), publisher="r"))
        assert client.values()["alarm_active"] == 1


def test_a_server_that_has_ended_is_noticed():
    with gateway() as opened:
        opened._server.close()  # noqa: SLF001
        with pytest.raises(OSError, match="Modbus server must go on"):
            opened.show(view(1))


def test_a_port_that_is_taken_is_named():
    with gateway() as opened, pytest.raises(OSError, match=f"gateways.modbus .*{opened.port}"):
        ModbusTcp(ModbusGateway(mode="on", port=opened.port))


class Poller:
    """Reads the map over one connection, as fast as a PLC would never."""

    def __init__(self, port):
        self._wire = socket.create_connection(("127.0.0.1", port), timeout=5)

    def values(self):
        self._wire.sendall(struct.pack(">HHHBBHH", 0, 0, 6, 1, 3, 0, WORD_COUNT))
        said = b""
        while len(said) < 9 + 2 * WORD_COUNT:
            said += self._wire.recv(4096)
        return decode(struct.unpack(f">{WORD_COUNT}H", said[9:]))

    def acknowledge(self, number):
        head = struct.pack(">HHHBBHHB", 0, 0, 11, 1, 16, BY_NAME["ack_seq"].address, 2, 4)
        self._wire.sendall(head + struct.pack(">I", number))
        assert len(self._wire.recv(12)) == 12

    def close(self):
        self._wire.close()


def test_a_thousand_alarms_a_minute_do_not_delay_the_heartbeat():
    """17 alarms a second, as fast as they come 10 times faster; the queue holds all the time."""
    latest_s, taken, number = 0.0, [], 0
    with gateway() as opened, contextlib.closing(Poller(opened.port)) as plc:
        known = ()
        for beat in range(1, 101):  # of 100 ms each; 10 alarms a beat are 6,000 a minute
            fresh = tuple(alarm(number + n) for n in range(1, 11))
            number += len(fresh)
            known += fresh
            begin = time.monotonic()
            opened.show(view(beat, *known, news=fresh))
            while plc.values()["heartbeat"] != beat:
                assert time.monotonic() - begin < MOST_LATE_S
            latest_s = max(latest_s, time.monotonic() - begin)
            told = plc.values()
            if told["alarm_active"] and beat % 2:  # it takes 30 a second, and 60 come
                taken.append(told["alarm_message"])
                plc.acknowledge(told["alarm_seq"])
        assert latest_s < MOST_LATE_S
        told = plc.values()
        while told["alarm_active"]:
            taken.append(told["alarm_message"])
            plc.acknowledge(told["alarm_seq"])
            told = plc.values()
    assert taken == list(range(1, 1001))  # in order, each once, none forgotten


def test_an_alarm_that_ended_meanwhile_is_acknowledged_for_nobody():
    with gateway() as opened:
        client = Mbpoll(opened.port)
        opened.show(view(1, alarm(1)))
        opened.show(view(2, news=(replace(alarm(1), condition=AlarmCondition.NORMAL),)))
        client.acknowledge(client.values()["alarm_seq"])
        assert client.values()["alarm_active"] == 0
        assert opened.take_commands() == ()
