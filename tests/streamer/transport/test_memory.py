"""Memory links behave as sockets do: through the wire format, bounded, gone when closed."""

import numpy as np
import pytest

from streamer.message import Halo, Tile
from streamer.protocol import Ack, Resume
from streamer.transport.memory import MemoryLink, MemorySwitchboard
from streamer.wire import WireError


def pair(**fields):
    near = MemoryLink(**fields)
    return near, MemoryLink(near.outbox, near.inbox)


def test_both_ends_hear_each_other_in_order():
    near, far = pair()
    for n in range(3):
        assert near.send(Resume(n, n))
    assert far.send(Ack(()))
    assert [far.receive() for _ in range(4)] == [*(Resume(n, n) for n in range(3)), None]
    assert near.receive() == Ack(())


def test_a_full_queue_refuses_and_takes_again_when_there_is_room():
    near, far = pair(capacity=1)
    assert near.send(Resume(0, 0))
    assert not near.send(Resume(1, 1))
    far.receive()
    assert near.send(Resume(2, 2))
    assert far.receive() == Resume(2, 2)


def test_the_other_side_gets_a_copy_that_it_cannot_change():
    pixels = np.zeros((8, 8), np.uint8)
    near, far = pair()
    near.send(Tile("r", "c", 0, 0, 0, 8, 0, 8, Halo(), pixels, 0, "d"))
    pixels[:] = 9
    got = far.receive().pixels
    assert (got == 0).all()
    assert not got.flags.writeable


def test_what_is_no_message_cannot_be_sent():
    with pytest.raises(WireError):
        MemoryLink().send("text")


def test_a_switchboard_tells_its_peers_apart():
    board = MemorySwitchboard()
    a, b = board.connect("a"), board.connect("b")
    a.send(Resume(1, 1))
    b.send(Resume(2, 2))
    assert board.receive() == ("a", Resume(1, 1))
    assert board.receive() == ("b", Resume(2, 2))
    assert board.receive() is None
    assert board.send("b", Ack(()))
    assert a.receive() is None
    assert b.receive() == Ack(())
    assert b.receive() is None


def test_a_peer_that_left_cannot_be_reached_until_it_comes_back():
    board = MemorySwitchboard()
    peer = board.connect("a")
    peer.close()
    assert not board.send("a", Ack(()))
    again = board.connect("a")
    assert board.send("a", Ack(()))
    assert again.receive() == Ack(())
    board.close()
    again.close()
    MemoryLink().close()
