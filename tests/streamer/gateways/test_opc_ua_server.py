"""The server's thread: what lies on its desk, how it ends, and what is seen when it dies."""

import gc
import time

import pytest

from streamer.gateway_sections import OpcUaGateway
from streamer.gateways import opc_ua_server
from streamer.gateways.opc_ua_server import MOST_COMMANDS, MOST_NEWS, STALE_S, Desk, OpcUaServer
from streamer.line_ports import LineView
from streamer.line_status import Command, CommandAnswer, CommandKind
from tests.streamer.gateways.contract import alarm, view
from tests.streamer.gateways.mbpoll import until
from tests.streamer.gateways.opc_client import ClientProcess
from tests.streamer.gateways.test_opc_ua import free_port

LONGEST_CLOSE_S = 2.0


@pytest.fixture(autouse=True)
def fast():
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def settings():
    return OpcUaGateway(mode="on", port=free_port())


def test_what_comes_between_two_looks_is_kept_in_order():
    desk = Desk()
    yes = CommandAnswer("c1", ok=True)
    desk.put(LineView(view(1).status, True, True, news=(alarm(1),), answers=(yes,)))
    desk.put(view(2, alarm(2)))
    shown, news, answers = desk.take()
    assert shown.view.status.beat == 2
    assert [one.sequence for one in news] == [1, 2]
    assert answers == (yes,)
    assert desk.take()[1:] == ((), ())


def test_news_that_nobody_takes_is_bounded_and_counted():
    desk = Desk()
    many = tuple(alarm(n) for n in range(1, 101))
    for _ in range(MOST_NEWS // 100 + 3):
        desk.put(view(1, news=many))
    assert desk.lost == 300
    assert len(desk.take()[1]) == MOST_NEWS


def test_a_view_grows_old():
    desk = Desk()
    desk.put(view(1))
    assert desk.take()[0].is_live
    desk.shown_s -= STALE_S + 0.01
    assert not desk.take()[0].is_live


def test_commands_are_taken_once_and_bounded():
    desk = Desk()
    for n in range(MOST_COMMANDS + 1):
        desk.ask(Command(f"c{n}", CommandKind.ACKNOWLEDGE, "*", "opc_ua"))
    taken = desk.take_commands()
    assert len(taken) == MOST_COMMANDS
    assert taken[-1].id == f"c{MOST_COMMANDS}"
    assert desk.take_commands() == ()


def closing_s(server):
    began_s = time.monotonic()
    server.close()
    server.close()
    return time.monotonic() - began_s


def test_it_closes_in_time_though_it_has_not_begun():
    server = OpcUaServer(settings(), Desk())
    assert closing_s(server) < 2 * LONGEST_CLOSE_S  # twice, and each within it
    server._thread.join(60)  # noqa: SLF001
    assert not server.is_alive


def test_it_closes_in_time_though_a_client_takes_nothing():
    server, client = OpcUaServer(settings(), Desk()), ClientProcess()
    try:
        client.open(server.port).watch("Heartbeat")
        client.freeze()
        assert closing_s(server) < LONGEST_CLOSE_S
        assert not server.is_alive
    finally:
        client.close()
        server.close()


def test_the_port_is_free_again_when_it_has_closed():
    one = settings()
    for _ in range(2):
        server, client = OpcUaServer(one, Desk()), ClientProcess()
        try:
            assert client.open(one.port).value("DataValid") is False
        finally:
            client.close()
            server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_drops_its_clients_and_is_seen(monkeypatch):
    desk = Desk()
    server, client = OpcUaServer(settings(), desk), ClientProcess()
    try:
        peer = client.open(server.port)
        assert server.is_alive

        async def fail(*_):
            msg = "nodes must be there, got none"
            raise LookupError(msg)

        monkeypatch.setattr(opc_ua_server.LineNodes, "show", fail)
        server.wake()
        until(lambda: not server.is_alive)
        with pytest.raises(Exception, match="Connection|refused|closed|disconnected"):
            peer.value("DataValid")
        server.wake()  # nobody is there any more
    finally:
        client.close()
        server.close()
