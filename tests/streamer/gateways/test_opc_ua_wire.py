"""Connections to the OPC UA server: bounded one by one, and in their number."""

import asyncio
import gc
import socket
import struct
import time

import pytest

from streamer.gateway_sections import OpcUaGateway
from streamer.gateways import opc_ua_server, opc_ua_wire
from streamer.gateways.opc_ua import OpcUa
from streamer.gateways.opc_ua_wire import MOST_NODES, bound
from tests.streamer.gateways.contract import view
from tests.streamer.gateways.mbpoll import until
from tests.streamer.gateways.opc_client import ClientProcess, RefusedError
from tests.streamer.gateways.test_opc_ua import free_port

CONNECTIONS = 3
PATIENCE_S = 1.0
MOST_LATE_S = 1.5  # on a machine with other work; ninety requests take longer


class KeptServer(opc_ua_wire.LineServer):
    """One that can be looked at."""

    last = None

    def bind(self, *given):
        KeptServer.last = self
        super().bind(*given)


@pytest.fixture(scope="module")
def client():
    process = ClientProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def gateway():
    gc.disable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opc_ua_wire, "PATIENCE_S", PATIENCE_S)
        patch.setattr(opc_ua_server, "LineServer", KeptServer)
        opened = OpcUa(OpcUaGateway(mode="on", port=free_port(), connections=CONNECTIONS))
        until(lambda: KeptServer.last is not None and KeptServer.last.bserver is not None)
        yield opened
        opened.close()
    gc.enable()


def raw(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def is_closed(wire):
    """Whether the server has closed it; waits for that."""
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


def connections():
    """How many the server holds."""
    return len(KeptServer.last.bserver.clients)


def test_a_request_for_too_many_nodes_is_refused_and_one_for_many_is_not(gateway, client):
    gateway.show(view(1))
    peer = client.open(gateway.port)
    assert len(peer.read(*["Heartbeat"] * MOST_NODES)) == MOST_NODES
    with pytest.raises(RefusedError, match="BadTooManyOperations"):
        peer.read(*["Heartbeat"] * (MOST_NODES + 1))
    assert peer.status("DataValid") == "Good"  # it may go on
    peer.drop()


def test_who_sends_more_than_can_be_a_message_is_dropped(gateway):
    with raw(gateway.port) as wire:
        wire.sendall(b"HELF" + struct.pack("<I", 1_000_000_000))
        with pytest.raises(OSError):  # noqa: PT011, reset or broken pipe
            wire.sendall(bytes(65_536 * 1000))


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n" * 10, bytes(64)])
def test_nonsense_ends_a_connection_and_no_other(gateway, client, nonsense):
    peer = client.open(gateway.port)
    with raw(gateway.port) as wire:
        wire.sendall(nonsense)
        assert is_closed(wire)
    assert peer.status("DataValid") == "Good"
    peer.drop()


def test_who_never_asks_for_a_session_is_dropped(gateway):
    began_s = time.monotonic()
    with raw(gateway.port) as wire:
        assert is_closed(wire)
    assert time.monotonic() - began_s > PATIENCE_S / 2


def test_one_too_many_pushes_out_the_one_that_was_silent_for_longest(gateway, client):
    until(lambda: connections() == 0)
    peer = client.open(gateway.port)
    wires = [raw(gateway.port) for _ in range(CONNECTIONS - 1)]
    until(lambda: connections() == CONNECTIONS)
    assert peer.status("DataValid") == "Good"  # it speaks: the first wire is silent for longest
    wires.append(raw(gateway.port))
    wires[0].settimeout(PATIENCE_S / 2)
    assert is_closed(wires[0])
    assert peer.status("DataValid") == "Good"
    for wire in wires:
        wire.close()
    peer.drop()


def test_who_asks_and_never_reads_is_dropped_while_others_are_served(gateway, client):
    until(lambda: connections() == 0)
    greedy = ClientProcess()
    try:
        peer = client.open(gateway.port)
        greedy.attack("ask_without_reading", gateway.port, count=90)
        slowest_s = 0.0
        end_s = time.monotonic() + 15
        while connections() > 1:
            assert time.monotonic() < end_s, "it is still connected"
            gateway.show(view(1))
            began_s = time.monotonic()
            assert peer.status("DataValid") == "Good"
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        assert slowest_s < MOST_LATE_S
        peer.drop()
    finally:
        greedy.close()


class Transport:
    """What a protocol asks of its connection."""

    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *_: self.said.append(name)

    def is_closing(self):
        return False


@pytest.mark.parametrize("takes", [False, True])
def test_who_does_not_take_his_answers_is_not_read_from_until_he_does(monkeypatch, takes):
    monkeypatch.setattr(opc_ua_wire, "PATIENCE_S", 0.05)

    async def stall():
        server = type("Inner", (), {"max_pending_messages_per_connection": 1})()
        protocol = opc_ua_wire._BoundedProtocol(server, [], [], [], None)  # noqa: SLF001
        protocol.transport = Transport()
        protocol.pause_writing()
        if takes:
            protocol.resume_writing()
        await asyncio.sleep(0.2)
        return protocol.transport.said

    said = asyncio.run(stall())
    assert said == ["pause_reading", "resume_reading" if takes else "abort"]


def test_an_address_that_cannot_be_bound_is_named():
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"gateways.opc_ua must have a host and port.*{port}"):
            bound("127.0.0.1", port)
