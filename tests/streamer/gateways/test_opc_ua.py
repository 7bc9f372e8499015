"""The OPC UA gateway with a client in another process: the contract, quality, events, methods."""

import contextlib
import gc
import socket

import pytest

from streamer.config import Config
from streamer.gateway_sections import Gateways, OpcUaGateway
from streamer.gateways import open_gateway
from streamer.gateways.opc_ua import OpcUa
from tests.streamer.gateways.contract import GatewayContract
from tests.streamer.gateways.opc_client import ClientProcess

CLIENTS = []


@pytest.fixture(scope="module", autouse=True)
def clients():
    """One process for all clients but those that are stopped."""
    process = ClientProcess()
    CLIENTS.append(process)
    gc.disable()  # the library's standard nodes are thrice as fast to build without it
    try:
        yield process
    finally:
        gc.enable()
        process.close()


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
