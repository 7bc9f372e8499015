"""What every transport promises, over ipc, tcp and shared memory; and what sockets refuse."""

import dataclasses
import socket
import time

import numpy as np
import pytest
import zmq

from streamer import wire
from streamer.message import Halo, Heartbeat, StageState, Tile
from streamer.protocol import Ack, Resume
from streamer.transport import zeromq
from streamer.transport.segment import SegmentPlan, make_segment
from streamer.transport.shared_memory import SlotLink, SlotSwitchboard, TileMemory
from streamer.transport.zeromq import EndpointError, ZmqHub


class SlotHub(ZmqHub):
    """The sockets of one process whose tiles go through shared memory."""

    memory = None

    def bind_switchboard(self, endpoint):
        return SlotSwitchboard(super().bind_switchboard(endpoint), self.memory)

    def connect_link(self, endpoint, name):
        return SlotLink(super().connect_link(endpoint, name), name)


@pytest.fixture(params=["ipc", "tcp", "shared_memory"])
def kind(request):
    return request.param


@pytest.fixture
def memory(kind):
    """What capture cuts tiles into, where it is shared."""
    if kind != "shared_memory":
        yield None
        return
    memory = TileMemory(make_segment(SegmentPlan.of_tiles(100, 2048 * 16 * 2), "test"))
    yield memory
    memory.close()


@pytest.fixture
def hubs(monkeypatch, memory):
    """Opens hubs, each as a process would have one, and closes them."""
    monkeypatch.setattr(zeromq, "LINGER_MS", 200)
    opened = []

    def open_hub():
        opened.append(SlotHub() if memory else ZmqHub())
        opened[-1].memory = memory
        return opened[-1]

    yield open_hub
    for hub in opened:
        hub.close()


@pytest.fixture
def tile(memory):
    """Makes tiles of 16 columns in the memory that their transport wants."""

    def make(lines=16):
        allocate = memory.allocate if memory else np.empty
        pixels = allocate((lines, 16), np.dtype(np.uint16))
        pixels[:] = np.arange(lines * 16).reshape(lines, 16)
        return Tile("r", "c", 0, 0, 0, lines, 0, 16, Halo(), pixels, 0, "d")

    return make


@pytest.fixture
def endpoint(kind, tmp_path, free_endpoint):
    return free_endpoint if kind == "tcp" else f"ipc://{tmp_path}/s"


@pytest.fixture
def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def wait_for(answer, timeout_s=5.0):
    """What `answer` returns once it is not None (or False)."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        got = answer()
        if got is not None and got is not False:
            return got
        time.sleep(0.002)
    return pytest.fail("nothing came")


def rejected(board):
    return getattr(board, "_board", board).rejected


def beat(n=0):
    return Heartbeat("score", "score-0", StageState.READY, n, 0, 0, 0)


def test_outlets_reach_the_inlet_in_order(hubs, endpoint):
    inlet = hubs().bind_inlet(endpoint)
    outlet = hubs().connect_outlet(endpoint)
    for n in range(50):
        assert outlet.send(beat(n))
    assert [wait_for(inlet.receive).sent_ns for _ in range(50)] == list(range(50))
    assert inlet.receive() is None


def test_a_switchboard_answers_the_link_that_asked(hubs, endpoint):
    board = hubs().bind_switchboard(endpoint)
    hub = hubs()
    a, b = hub.connect_link(endpoint, "a"), hub.connect_link(endpoint, "b")
    a.send(Resume(1, 1))
    b.send(Resume(2, 2))
    heard = dict(wait_for(board.receive) for _ in range(2))
    assert heard == {"a": Resume(1, 1), "b": Resume(2, 2)}
    assert board.send("b", Ack(()))
    assert wait_for(b.receive) == Ack(())
    assert a.receive() is None


def test_pixels_arrive_as_they_were(hubs, endpoint, tile):
    board = hubs().bind_switchboard(endpoint)
    link = hubs().connect_link(endpoint, "w")
    link.send(Resume(0, 0))
    wait_for(board.receive)
    sent = tile(512)
    assert board.send("w", sent)
    got = wait_for(link.receive)
    np.testing.assert_array_equal(got.pixels, sent.pixels)
    assert dataclasses.replace(got, pixels=sent.pixels) == sent
    assert not got.pixels.flags.writeable


def test_results_carry_their_pixels_with_them(hubs, endpoint, tile):
    inlet = hubs().bind_inlet(endpoint)
    outlet = hubs().connect_outlet(endpoint)
    sent = tile(512)
    assert outlet.send(sent)
    got = wait_for(inlet.receive)
    np.testing.assert_array_equal(got.pixels, sent.pixels)
    assert not got.pixels.flags.writeable


def test_a_link_may_connect_before_anybody_is_bound(hubs, endpoint):
    link = hubs().connect_link(endpoint, "early")
    assert link.send(Resume(1, 1))
    board = hubs().bind_switchboard(endpoint)
    assert wait_for(board.receive) == ("early", Resume(1, 1))


def test_a_peer_that_never_came_is_not_there(hubs, endpoint):
    board = hubs().bind_switchboard(endpoint)
    assert board.send("nobody", Ack(())) is False


def test_a_peer_that_left_is_noticed(hubs, endpoint):
    board = hubs().bind_switchboard(endpoint)
    link = hubs().connect_link(endpoint, "w")
    link.send(Resume(0, 0))
    wait_for(board.receive)
    assert board.send("w", Ack(()))
    link.close()
    wait_for(lambda: not board.send("w", Ack(())))


def test_a_peer_that_takes_nothing_is_full_at_some_point_and_never_blocks(hubs, endpoint, tile):
    board = hubs().bind_switchboard(endpoint)
    link = hubs().connect_link(endpoint, "slow")
    link.send(Resume(0, 0))
    wait_for(board.receive)
    sent = 0
    while board.send("slow", tile(2048)):
        sent += 1
        assert sent < 5000
        if sent > zeromq.HIGH_WATER_MARK:
            time.sleep(0.0005)
    assert sent >= zeromq.HIGH_WATER_MARK
    for _ in range(sent):
        wait_for(link.receive)
    assert link.receive() is None


def test_an_outlet_without_anybody_is_full_at_some_point(hubs, endpoint):
    outlet = hubs().connect_outlet(endpoint)
    sent = sum(outlet.send(beat()) for _ in range(3 * zeromq.HIGH_WATER_MARK))
    assert 0 < sent <= 2 * zeromq.HIGH_WATER_MARK


def test_who_comes_back_under_the_same_name_takes_over(hubs, endpoint):
    board = hubs().bind_switchboard(endpoint)
    old = hubs().connect_link(endpoint, "capture-cam0")
    old.send(Resume(1, 1))
    wait_for(board.receive)
    new = hubs().connect_link(endpoint, "capture-cam0")
    new.send(Resume(2, 2))
    assert wait_for(board.receive) == ("capture-cam0", Resume(2, 2))
    assert board.send("capture-cam0", Ack(()))
    assert wait_for(new.receive) == Ack(())
    assert old.receive() is None


def test_what_strangers_send_is_counted_and_dropped(hubs, endpoint, caplog):
    inlet = hubs().bind_inlet(endpoint)
    good = [bytes(frame) for frame in wire.encode(beat(7))]
    stranger = zmq.Context()
    push = stranger.socket(zmq.PUSH)
    push.linger = 500
    push.connect(endpoint)
    for frames in ([b""], [b"GET / HTTP/1.1"], [b"x"] * 20, [good[0], b"more"], good):
        push.send_multipart(frames)
    assert wait_for(inlet.receive) == beat(7)
    assert inlet.rejected == 4
    assert caplog.text.count("dropped message") == 1
    assert endpoint in caplog.text
    push.close()
    stranger.term()


def test_a_stranger_without_a_name_that_reads_is_dropped(hubs, endpoint):
    board = hubs().bind_switchboard(endpoint)
    stranger = zmq.Context()
    for identity, frames in (
        (b"\xff\xfe", [bytes(f) for f in wire.encode(Resume(0, 0))]),
        (b"readable", [b"no message"]),
        (b"empty", [b""]),
    ):
        dealer = stranger.socket(zmq.DEALER)
        dealer.identity, dealer.linger = identity, 500
        dealer.connect(endpoint)
        dealer.send_multipart(frames)
        dealer.close()
    link = hubs().connect_link(endpoint, "friend")
    link.send(Resume(3, 3))
    assert wait_for(board.receive) == ("friend", Resume(3, 3))
    wait_for(lambda: board.receive() or rejected(board) == 3)
    stranger.term()


def test_waiting_ends_with_a_message_or_after_the_timeout(hubs, endpoint):
    hub = hubs()
    inlet = hub.bind_inlet(endpoint)
    started = time.monotonic()
    hub.wait(50)
    assert time.monotonic() - started >= 0.045
    outlet = hubs().connect_outlet(endpoint)
    outlet.send(beat())
    started = time.monotonic()
    hub.wait(10_000)
    assert time.monotonic() - started < 5
    assert wait_for(inlet.receive) == beat()


def test_closing_delivers_what_was_sent_last(hubs, endpoint):
    inlet = hubs().bind_inlet(endpoint)
    hub = hubs()
    outlet = hub.connect_outlet(endpoint)
    outlet.send(beat(1))
    hub.close()
    hub.close()
    assert wait_for(inlet.receive) == beat(1)


def test_closing_does_not_wait_for_nobody(hubs, endpoint):
    hub = hubs()
    hub.connect_outlet(endpoint).send(beat())
    started = time.monotonic()
    hub.close()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("bind", ["bind_inlet", "bind_switchboard"])
def test_a_taken_port_is_named(hubs, free_endpoint, bind):
    hubs().bind_inlet(free_endpoint)
    with pytest.raises(EndpointError) as caught:
        getattr(hubs(), bind)(free_endpoint)
    assert str(caught.value).startswith(f"endpoint must be free and local, got {free_endpoint} (")
    assert "in use" in str(caught.value)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(
    "nonsense", ["", "tiles", "tcp://127.0.0.1", "tcp://nowhere.invalid:1", "ftp://x"]
)
def test_an_address_that_is_none_cannot_be_bound(hubs, nonsense):
    with pytest.raises(EndpointError, match="endpoint must be free and local, got"):
        hubs().bind_inlet(nonsense)


@pytest.mark.parametrize("nonsense", ["", "tiles", "ftp://x"])
def test_an_address_that_is_none_cannot_be_connected(hubs, nonsense):
    with pytest.raises(EndpointError, match="endpoint must be an ipc:// or tcp:// address, got"):
        hubs().connect_outlet(nonsense)


def test_a_socket_path_that_is_too_long_is_named(hubs, tmp_path):
    with pytest.raises(EndpointError, match="longer than 10[0-9] characters"):
        hubs().bind_inlet(f"ipc://{tmp_path}/{'x' * 120}")
