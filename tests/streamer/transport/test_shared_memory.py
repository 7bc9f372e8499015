"""Tiles in slots: cut in place, read in place, and never read as another tile's pixels."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import wire
from streamer.message import Halo, Tile
from streamer.protocol import Resume, Slot, SlotTile, TileFailed
from streamer.transport.memory import MemorySwitchboard
from streamer.transport.segment import SegmentPlan, make_segment, open_segment
from streamer.transport.shared_memory import (
    OUTSIDE,
    SlotLink,
    SlotState,
    SlotSwitchboard,
    TileMemory,
    state_word,
)

SHAPE, BYTE = (8, 16), np.dtype(np.uint8)


@pytest.fixture
def memory():
    memory = TileMemory(make_segment(SegmentPlan.of_tiles(3, 128), "test"))
    yield memory
    memory.close()


class Ends:
    """Capture's board and a worker's link over memory links."""

    def __init__(self, memory):
        board = MemorySwitchboard()
        self.memory = memory
        self.peer = board.connect("w")
        self.board, self.link = SlotSwitchboard(board, memory), SlotLink(self.peer, "w")

    def give(self, tile):
        assert self.board.send("w", tile)
        return self.link.receive()


@pytest.fixture
def ends(memory):
    return Ends(memory)


def tile(memory, value=7, sequence=0, shape=SHAPE, dtype=BYTE):
    pixels = memory.allocate(shape, dtype)
    pixels[:] = value
    return Tile("r", "c", 0, sequence, 0, shape[0], 0, shape[1], Halo(), pixels, 0, "d")


def words(memory):
    return [int(word) for word in memory.segment.states]


def test_a_slot_is_free_filling_ready_and_free_again(memory):
    assert words(memory) == [0, 0, 0]
    pixels = memory.allocate(SHAPE, BYTE)
    assert words(memory)[0] == state_word(1, SlotState.FILLING)
    assert memory.publish(pixels) == Slot(memory.segment.name, 0, 1, 128)
    assert words(memory)[0] == state_word(1, SlotState.READY)
    assert memory.free_slots == 2
    del pixels
    assert words(memory)[0] == state_word(1, SlotState.FREE)
    assert memory.free_slots == 3


def test_a_view_keeps_its_slot(memory):
    view = memory.allocate(SHAPE, BYTE)[2:4].T[:3]
    gc.collect()
    assert memory.free_slots == 2
    del view
    assert memory.free_slots == 3


def test_the_slot_that_was_free_longest_is_used_next(memory):
    seen = []
    for _ in range(7):
        slot = memory.publish(memory.allocate(SHAPE, BYTE))
        seen.append((slot.index, slot.generation))
    assert seen == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 3)]


def test_slots_are_cut_into_and_not_copied_to(memory, ends):
    sent = tile(memory)
    got = ends.give(sent)
    assert isinstance(got, Tile)
    assert not got.pixels.flags.writeable
    sent.pixels[3, 4] = 99  # both are the same memory
    assert got.pixels[3, 4] == 99


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 16), "u1"), ((4, 16), "u2"), ((8, 5, 3), "u1"), ((1, 1), "u2")]
)
def test_every_kind_of_pixels_arrives_as_it_was(memory, ends, shape, dtype):
    sent = tile(memory, shape=shape, dtype=np.dtype(dtype))
    sent.pixels[:] = np.arange(sent.pixels.size).reshape(shape)
    got = ends.give(sent)
    assert got.pixels.dtype == sent.pixels.dtype
    np.testing.assert_array_equal(got.pixels, sent.pixels)
    assert replace(got, pixels=sent.pixels) == sent


def test_what_finds_no_slot_is_sent_as_a_copy_and_counted(memory, ends, caplog):
    held = [tile(memory, n, n) for n in range(3)]
    outside = tile(memory, 9, 3)
    too_large = tile(memory, 8, 4, shape=(8, 4096))
    assert memory.publish(outside.pixels) is None
    assert memory.figures == {OUTSIDE: 2}
    assert caplog.text.count("found no slot") == 1
    for sent in (*held, outside, too_large):
        got = ends.give(sent)
        np.testing.assert_array_equal(got.pixels, sent.pixels)
        assert ends.link.holds(got)


def test_other_messages_pass_unchanged(ends):
    assert ends.give(Resume(3, 4)) == Resume(3, 4)
    assert ends.link.receive() is None
    ends.link.send(Resume(5, 6))
    assert ends.board.receive() == ("w", Resume(5, 6))
    assert ends.board.receive() is None


def test_a_tile_holds_as_long_as_capture_keeps_it(memory, ends):
    sent = tile(memory)
    first, again = ends.give(sent), ends.give(sent)  # another attempt
    assert ends.link.holds(first)
    assert ends.link.holds(again)
    del sent
    assert not ends.link.holds(first)
    assert not ends.link.holds(again)


def test_a_tile_of_a_slot_that_is_used_again_never_holds_again(memory, ends):
    stale = ends.give(tile(memory, 1))
    for n in range(3):
        fresh = tile(memory, 2, n)
        got = ends.give(fresh)
    assert memory.publish(fresh.pixels).index == 0  # as the stale one
    assert (stale.pixels == 2).all()  # what must not be scored
    assert not ends.link.holds(stale)
    assert ends.link.holds(got)


def test_a_worker_remembers_nothing_of_tiles_that_it_let_go(memory, ends):
    for n in range(50):
        sent = tile(memory, n % 200, n)
        got = ends.give(sent)
        assert ends.link.holds(got)
    del got
    gc.collect()
    assert ends.link._taken == {}


def test_a_capture_that_was_started_anew_has_another_segment(memory, ends):
    old = ends.give(tile(memory, 1))
    successor = TileMemory(make_segment(SegmentPlan.of_tiles(2, 128), "test"))
    after = Ends(successor)
    after.link = ends.link
    ends.link._link = after.peer
    sent = tile(successor, 5)
    assert (after.give(sent).pixels == 5).all()
    memory.close()
    assert (old.pixels == 1).all()  # not unmapped while it is in use
    successor.close()


def test_a_place_in_a_segment_that_is_gone_is_a_failed_tile(memory, ends):
    sent = tile(memory)
    memory.close()
    failed = ends.give(sent)
    assert isinstance(failed, TileFailed)
    assert (failed.address, failed.worker) == (sent.address, "w")
    assert "segment must be in /dev/shm of this host" in failed.detail


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"index": 3}, "slot must be within the segment's 3 slots"),
        ({"index": 1 << 60}, "slot must be within"),
        ({"size_bytes": 8192}, "slot must be within"),
        ({"size_bytes": 64}, "must fill its buffer of 64 bytes"),
    ],
)
def test_a_place_that_is_none_is_a_failed_tile(memory, ends, change, text):
    sent = tile(memory)
    header = bytes(wire.encode(sent)[0])
    slot = replace(memory.publish(sent.pixels), **change)
    failed = ends.give(SlotTile(sent.address, slot, header))
    assert isinstance(failed, TileFailed)
    assert text in failed.detail


def test_a_slot_with_anything_but_a_tile_is_a_failed_tile(memory, ends):
    sent = tile(memory)
    slot = memory.publish(sent.pixels)
    failed = ends.give(SlotTile(sent.address, slot, bytes(wire.encode(Resume(1, 1))[0])))
    assert isinstance(failed, TileFailed)


def test_closing_ends_both_sides(memory, ends):
    sent = tile(memory)
    got = ends.give(sent)
    ends.link.close()
    ends.board.close()
    memory.close()
    memory.close()
    assert (got.pixels == 7).all()
    del sent
    assert memory.free_slots == 0
    assert memory.allocate(SHAPE, BYTE).base is None  # outside


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["cut", "forget", "take", "look"]), st.integers(0, 9))))
def test_no_tile_that_holds_ever_shows_other_pixels(steps):
    """Whatever capture cuts and gives up, and whenever the worker takes and looks."""
    memory = TileMemory(make_segment(SegmentPlan.of_tiles(2, 128), "test"))
    try:
        ends, kept, taken = Ends(memory), {}, []
        for sequence, (step, which) in enumerate(steps):
            if step == "cut":
                kept[sequence] = tile(memory, sequence % 256, sequence)
                assert ends.board.send("w", kept[sequence])
            elif step == "forget" and kept:
                del kept[sorted(kept)[which % len(kept)]]
            elif step == "take" and (got := ends.link.receive()) is not None:
                taken.append(got)
            for got in taken:
                inside = ends.link._taken.get(id(got.pixels)) is not None
                assert ends.link.holds(got) == (got.sequence in kept or not inside)
                if ends.link.holds(got):
                    assert (got.pixels == got.sequence % 256).all()
        assert memory.free_slots == 2 - sum(
            memory.publish(one.pixels) is not None for one in kept.values()
        )
    finally:
        memory.close()


def test_the_owners_words_are_what_another_mapping_reads(memory):
    seen = open_segment(memory.segment.name)
    pixels = memory.allocate(SHAPE, BYTE)
    memory.publish(pixels)
    assert list(seen.states) == words(memory)
