"""The OPC UA gateway with a client in another process: the contract, quality, events, methods."""

import contextlib
import gc
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from streamer.config import Config
from streamer.gateway_sections import Gateways, OpcUaGateway
from streamer.gateways import open_gateway
from streamer.gateways.opc_ua import OpcUa
from streamer.gateways.opc_ua_server import STALE_S
from streamer.line_status import CommandAnswer, CommandKind
from tests.streamer.gateways.contract import GatewayContract, alarm, view
from tests.streamer.gateways.mbpoll import until
from tests.streamer.gateways.opc_client import ClientProcess, RefusedError

MOST_LATE_S = 1.0  # of a heartbeat, on a machine with other work: what holds it up holds on
CLIENTS = []


@pytest.fixture(scope="module", autouse=True)
def clients():
    """One process for all clients but those that are stopped."""
    process = ClientProcess()
    CLIENTS.append(process)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture(autouse=True)
def fast():
    gc.disable()  # the library's standard nodes are twice as fast to build without it
    yield
    gc.enable()
    gc.collect()


@pytest.fixture(scope="module")
def opened():
    """One gateway for all tests that leave it as it was."""
    with gateway(stop="on") as shared:
        yield shared


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def gateway(**settings):
    opened = OpcUa(OpcUaGateway(mode="on", port=free_port(), **settings))
    try:
        yield opened
    finally:
        opened.close()


class OpcPeer:
    """What the contract asks of a peer."""

    def __init__(self, port):
        self._port, self._stopped = port, None
        self._session = CLIENTS[-1].open(port)
        self._seen = self._session.value("AlarmList.Id")

    def beat(self):
        return self._session.value("Heartbeat")

    def data_valid(self):
        return self._session.value("DataValid")

    def seen(self):
        for event in self._session.events():
            if event["AlarmId"] not in self._seen:
                self._seen.append(event["AlarmId"])
        return list(self._seen)

    def acknowledge(self, one):
        assert self._session.call("Acknowledge", one.id) == "GoodCompletesAsynchronously"

    def stall(self):
        self._stopped = ClientProcess()
        self._stopped.open(self._port).watch("Heartbeat", "AlarmList.Id")
        self._stopped.freeze()

    def close(self):
        self._session.drop()
        if self._stopped is not None:
            self._stopped.close()


class TestOpcUa(GatewayContract):
    """Events for those who are there, a list for those who come."""

    def open_gateway(self):
        settings = OpcUaGateway(mode="on", port=free_port())
        return open_gateway("opc_ua", Config(gateways=Gateways(opc_ua=settings)))

    def open_peer(self, gateway):
        return OpcPeer(gateway.port)


def told(opened, peer, shown, **values):
    """Show a view until values have come."""
    names = list(values)

    def came():
        opened.show(shown)
        return [value for value, _ in peer.read(*names)] == list(values.values())

    until(came)


def test_a_stage_that_hangs_shows_as_invalid_whatever_it_showed_last(opened, clients):
    peer = clients.open(opened.port)
    told(opened, peer, view(7), Heartbeat=7, DataValid=True)
    time.sleep(STALE_S + 0.3)
    assert peer.read("Heartbeat", "DataValid", "NotInspectedActive", "RunState") == [
        (7, "UncertainLastUsableValue"),
        (False, "Good"),
        (True, "Good"),
        ("error", "Good"),
    ]
    told(opened, peer, view(8), Heartbeat=8, DataValid=True, Reason="")


def test_clients_read_and_call_but_write_nothing(opened, clients):
    peer = clients.open(opened.port)
    told(opened, peer, view(1), DataValid=True)
    for name, value in (("DataValid", False), ("Roll", "x"), ("LastAnswer", "x")):
        with pytest.raises(RefusedError, match="BadUserAccessDenied"):
            peer.write(name, value)
    assert peer.value("Roll") == "roll-1"


def test_the_line_stops_on_demand_but_never_starts(opened, clients):
    peer = clients.open(opened.port)
    assert peer.call("Stop") == "GoodCompletesAsynchronously"
    assert [one.kind for one in opened.take_commands()] == [CommandKind.STOP]
    with pytest.raises(RefusedError, match="BadNotSupported"):
        peer.call("Start")
    assert "linescan run" in peer.value("LastAnswer")
    assert opened.take_commands() == ()


def test_the_answer_of_the_sink_is_that_of_the_method(opened, clients):
    with ThreadPoolExecutor(1) as calling:
        peer = clients.open(opened.port)
        told(opened, peer, view(1, alarm(1)), DataValid=True)
        call = calling.submit(peer.call, "Acknowledge", alarm(1).id)
        taken = []
        while not taken:
            opened.show(view(2, alarm(1), news=()))
            taken += opened.take_commands()
        answer = CommandAnswer(taken[0].id, ok=True)
        opened.show(replace(view(3, alarm(1), news=()), answers=(answer,)))
        assert call.result(10) == "Good"


def test_two_alarms_a_beat_come_all_in_order_and_hold_up_no_beat(opened, clients):
    """Two a beat of 100 ms are 1,200 a minute."""
    peer = clients.open(opened.port, emitter="Server")
    told(opened, peer, view(1), DataValid=True)
    known, latest_s = (), 0.0
    for beat in range(2, 42):
        fresh = tuple(alarm(2 * beat + n) for n in (0, 1))
        known += fresh
        began_s = time.monotonic()
        opened.show(view(beat, *known, news=fresh))
        until(lambda beat=beat: peer.value("Heartbeat") == beat)
        latest_s = max(latest_s, time.monotonic() - began_s)
        time.sleep(max(0.0, 0.1 - (time.monotonic() - began_s)))
    assert latest_s < MOST_LATE_S
    until(lambda: len(peer.events()) >= len(known))
    assert [event["AlarmId"] for event in peer.events()] == [one.id for one in known]
    assert peer.value("AlarmList.Id") == [one.id for one in known]


def test_a_server_that_has_ended_is_noticed():
    with gateway() as opened:
        opened.close()
        opened._server._thread.join(60)  # noqa: SLF001, it may still have been building its nodes
        with pytest.raises(OSError, match="OPC UA server must go on"):
            opened.show(view(1))


def test_events_that_came_too_fast_are_told_of(caplog, monkeypatch):
    monkeypatch.setattr("streamer.gateways.opc_ua_server.MOST_NEWS", 1)
    with gateway() as opened:
        opened._server.wake = lambda: None  # noqa: SLF001, it looks later
        opened.show(view(1, alarm(1), alarm(2), alarm(3)))
        assert "2 events in all came faster than they could be told" in caplog.text


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"gateways.opc_ua .*{port}"):
            OpcUa(OpcUaGateway(mode="on", port=port))


def test_it_listens_on_this_machine_alone_unless_told_otherwise(caplog):
    with gateway():
        assert caplog.text == ""
    with gateway(host="0.0.0.0"):
        assert "policy is none: who reaches it acknowledges" in caplog.text


def test_a_package_that_is_missing_is_named_with_its_remedy(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("streamer.gateways.opc_ua")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "linescan\[opcua\]"'):
        open_gateway("opc_ua", Config())
