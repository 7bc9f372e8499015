"""The server among peers that are many, silent, slow, greedy, gone or wrong: it serves others."""

import contextlib
import random
import socket
import struct
import threading
import time

import pytest

from streamer.gateways.modbus_requests import Block
from streamer.gateways.modbus_server import Endpoint, ModbusServer
from tests.streamer.gateways.mbpoll import Mbpoll, RefusedError, until

COUNT = 40
READ = struct.pack(">HHHBBHH", 7, 0, 6, 1, 3, 0, COUNT)
READ_ANSWER_BYTES = 9 + 2 * COUNT
LONGEST_ANSWER_S = 0.5  # on a machine with other work


class Counting:
    """Words that say how often they were read."""

    def __init__(self):
        self.reads = 0
        self.writes = []

    def read(self):
        self.reads += 1
        return [self.reads & 0xFFFF] * COUNT

    def write(self, address, values):
        self.writes.append((address, list(values)))


@contextlib.contextmanager
def serving(unit=0, connections=32):
    words = Counting()
    block = Block(COUNT, (COUNT - 2, COUNT), words.read, words.write)
    server = ModbusServer(Endpoint("127.0.0.1", 0, unit, connections), block)
    try:
        yield server, words
    finally:
        server.close()
        server.close()
        assert not server.is_alive


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
        yield peer


def received(peer, count):
    got = b""
    while len(got) < count:
        more = peer.recv(count - len(got))
        if not more:
            break
        got += more
    return got


def slowest_answer_s(server, times=50):
    """Of a peer that polls as a PLC does."""
    slowest_s = 0.0
    with connected(server) as peer:
        for _ in range(times):
            begin = time.monotonic()
            peer.sendall(READ)
            assert len(received(peer, READ_ANSWER_BYTES)) == READ_ANSWER_BYTES
            slowest_s = max(slowest_s, time.monotonic() - begin)
    return slowest_s


def is_closed(peer):
    """Whether the server has closed; waits for it."""
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True


def test_a_foreign_client_reads_and_writes():
    with serving() as (server, words):
        client = Mbpoll(server.port)
        assert client.words(0, COUNT) == [1] * COUNT
        assert client.words(3, 5, table=3) == [2] * 5
        client.write(COUNT - 2, 11, 12)
        client.write(COUNT - 1, 13)
        assert words.writes == [(COUNT - 2, [11, 12]), (COUNT - 1, [13])]


@pytest.mark.parametrize("address", [0, COUNT - 3, COUNT])
def test_writes_elsewhere_are_refused_by_their_name(address):
    with serving() as (server, words):
        with pytest.raises(RefusedError, match="Illegal data address"):
            Mbpoll(server.port).write(address, 1)
        with pytest.raises(RefusedError, match="Illegal data address"):
            Mbpoll(server.port).write(COUNT - 3, 1, 1)  # begins outside of what may be written
        assert words.writes == []


def test_reading_beyond_the_block_and_other_tables_are_refused():
    with serving() as (server, _):
        with pytest.raises(RefusedError, match="Illegal data address"):
            Mbpoll(server.port).words(0, COUNT + 1)
        with pytest.raises(RefusedError, match="Illegal function"):
            Mbpoll(server.port).words(0, 1, table=0)


def test_another_unit_is_not_here():
    with serving(unit=5) as (server, _):
        assert Mbpoll(server.port, unit=5).words(0, 1) == [1]
        with pytest.raises(RefusedError, match=r"(?i)target device failed"):
            Mbpoll(server.port, unit=6).words(0, 1)


def test_requests_that_come_together_are_all_answered_in_order():
    with serving() as (server, _), connected(server) as peer:
        peer.sendall(b"".join(struct.pack(">H", n) + READ[2:] for n in range(100)))
        for n in range(100):
            said = received(peer, READ_ANSWER_BYTES)
            assert said[:2] == struct.pack(">H", n)
            assert said[9:11] == struct.pack(">H", n + 1)


def test_a_request_may_come_byte_by_byte_while_others_are_answered():
    with serving() as (server, _), connected(server) as slow:
        for byte in READ:
            slow.sendall(bytes([byte]))
            assert slowest_answer_s(server, times=3) < LONGEST_ANSWER_S
        assert len(received(slow, READ_ANSWER_BYTES)) == READ_ANSWER_BYTES


def test_many_clients_at_once_each_get_their_own_answers():
    slowest, failed = [], []

    def poll(server):
        try:
            slowest.append(slowest_answer_s(server))
        except (OSError, AssertionError) as error:
            failed.append(error)

    with serving() as (server, _):
        threads = [threading.Thread(target=poll, args=(server,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert max(slowest) < LONGEST_ANSWER_S


def test_silent_and_half_said_peers_delay_nobody():
    with serving() as (server, _), contextlib.ExitStack() as stack:
        for n in range(20):
            peer = stack.enter_context(connected(server))
            peer.sendall(READ[:n])
        assert slowest_answer_s(server) < LONGEST_ANSWER_S


def test_a_peer_that_asks_and_never_reads_is_dropped_and_delays_nobody(monkeypatch):
    monkeypatch.setattr("streamer.gateways.modbus_server.PATIENCE_S", 0.5)
    with serving() as (server, words), connected(server) as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(0.2)
        with contextlib.suppress(OSError):  # until nothing more goes out, or it was dropped
            for _ in range(2000):
                greedy.sendall(READ * 50)
        assert slowest_answer_s(server) < LONGEST_ANSWER_S
        until(lambda: not server._peers)  # noqa: SLF001
        assert words.reads > 100  # it was served as long as it could be


def test_a_peer_that_floods_and_reads_leaves_time_for_the_others():
    done = threading.Event()

    def flood(server):
        with contextlib.suppress(OSError), connected(server) as peer:
            while not done.is_set():
                peer.sendall(READ * 200)
                received(peer, READ_ANSWER_BYTES * 200)

    with serving() as (server, _):
        thread = threading.Thread(target=flood, args=(server,))
        thread.start()
        try:
            assert slowest_answer_s(server) < LONGEST_ANSWER_S
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        READ[:2] + b"\x00\x01" + READ[4:],  # another protocol
        READ[:4] + b"\x00\x00" + READ[6:],  # no length
        READ[:4] + b"\x00\x01" + READ[6:],  # a unit and no function
        READ[:4] + b"\x00\xff" + READ[6:],  # longer than any request
        READ[:4] + b"\xff\xff" + READ[6:] + b"\x00" * 70_000,
    ],
)
def test_what_is_no_modbus_is_closed_at_once(nonsense):
    with serving() as (server, words), connected(server) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(nonsense)
        assert is_closed(peer)
        assert words.reads == 0
        assert slowest_answer_s(server, times=3) < LONGEST_ANSWER_S


def test_random_bytes_never_end_the_server():
    chance = random.Random(6)
    with serving() as (server, words):
        for n in range(150):
            with connected(server) as peer, contextlib.suppress(ConnectionError):
                body = chance.randbytes(chance.randrange(1, 300))
                # Half of them wear the header of a request, so that they get further.
                head = struct.pack(">HHH", n, 0, min(len(body), 254)) if n % 2 else b""
                peer.sendall(head + body)
        assert slowest_answer_s(server, times=3) < LONGEST_ANSWER_S
        assert server.is_alive
        assert all(address >= COUNT - 2 for address, _ in words.writes)


def test_one_too_many_pushes_out_the_one_that_was_silent_for_longest():
    with serving(connections=3) as (server, _), contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connected(server)) for _ in range(3)]
        for peer in (peers[1], peers[0], peers[2]):
            peer.sendall(READ)
            received(peer, READ_ANSWER_BYTES)
        assert slowest_answer_s(server, times=1) < LONGEST_ANSWER_S
        assert is_closed(peers[1])
        peers[0].sendall(READ)
        assert len(received(peers[0], READ_ANSWER_BYTES)) == READ_ANSWER_BYTES


def test_a_thousand_connections_come_and_go():
    with serving(connections=8) as (server, _):
        for _ in range(1000):
            with connected(server):
                pass
        assert slowest_answer_s(server, times=3) < LONGEST_ANSWER_S


def test_peers_that_vanished_are_found_by_the_system():
    with serving() as (server, _), connected(server) as peer:
        peer.sendall(READ)
        received(peer, READ_ANSWER_BYTES)
        kept = [p.writer.get_extra_info("socket") for p in server._peers]  # noqa: SLF001
        assert [s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for s in kept] == [1]


def test_closing_drops_everybody_quickly_and_frees_the_port():
    with serving() as (server, _), connected(server) as peer:
        port, begin = server.port, time.monotonic()
        peer.sendall(READ[:3])
        server.close()
        assert time.monotonic() - begin < 2.0
        assert is_closed(peer)
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_an_address_that_cannot_be_bound_is_named():
    with (
        serving() as (server, words),
        pytest.raises(OSError, match=rf"got 127.0.0.1:{server.port}"),
    ):
        ModbusServer(
            Endpoint("127.0.0.1", server.port, 0, 1), Block(1, (0, 0), words.read, words.write)
        )
