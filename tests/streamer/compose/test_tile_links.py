"""Slots for every tile that capture can hold, whatever the web and the policy; none left behind."""

import os
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.compose.children import capture_plan
from streamer.compose.tile_links import (
    chosen_slots,
    require_tile_room,
    slots_for,
    tile_inlets,
    tile_outlet,
)
from streamer.config_file import load_config
from streamer.dispatch import Dispatcher
from streamer.message import Halo, LineBlock, LineFlag, Tile
from streamer.ports import WebFormat
from streamer.protocol import Credit
from streamer.tiling import cut, finish, start_tiling
from streamer.transport.memory import MemorySwitchboard
from streamer.transport.segment import FOLDER, PAGE_BYTES, SegmentError
from streamer.transport.shared_memory import OUTSIDE, SlotSwitchboard
from streamer.transport.zeromq import ZmqHub

FORM = WebFormat(256, 1, 8, "test")


def config(*more):
    return load_config(None, ("source.columns=256", "tiles.lines=256", "roll.name=r", *more))


def slots(settings, form=FORM):
    return slots_for(settings, capture_plan(settings, form), form)


def test_slots_are_counted_as_capture_keeps_tiles():
    # 8 wait, 12 of 256 lines make a profile of 3000, a block of 256 and what waits are 4 rows.
    assert slots(config()).slots == 8 + 12 + 4 + 1
    assert slots(config("tiles.capacity=100")).slots == 100 + 12 + 4 + 1
    assert slots(config("tiles.overload=skip_lanes")).slots == 16 + 12 + 4 + 1
    assert slots(config("score.workers=10")).slots == 20 + 12 + 4 + 1
    assert slots(config("profile.mode=per_tile", "tiles.columns=128")).slots == 8 + 2 * 5


@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (1, 16), (3, 8), (3, 16)])
def test_a_slot_takes_the_largest_tile(channels, bits):
    needed = (256 + 2 * 128) * 256 * channels * bits // 8
    form = WebFormat(256, channels, bits, "test")
    assert slots(config(), form).slot_bytes == -(-needed // PAGE_BYTES) * PAGE_BYTES


class Living:
    """Gives memory and counts how much of it is in use at once."""

    def __init__(self):
        self.now = self.most = self.largest = 0

    def __call__(self, shape, dtype):
        pixels = np.empty(shape, dtype)
        self.now += 1
        self.most, self.largest = max(self.most, self.now), max(self.largest, pixels.nbytes)
        weakref.finalize(pixels, self.forget)
        return pixels

    def forget(self):
        self.now -= 1


BLOCKS = st.lists(st.tuples(st.integers(1, 256), st.sampled_from(LineFlag), st.booleans()))


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.sampled_from(["block", "drop_oldest", "skip_lanes"]), st.integers(64, 256))
def test_capture_never_holds_more_tiles_than_there_are_slots(blocks, policy, lane):
    """With a worker that takes what it may and never answers: nothing is ever settled."""
    chosen = config(
        f"tiles.overload={policy}",
        f"tiles.columns={lane - lane % 16}",
        "tiles.lines=64",
        "profile.mode=per_tile",
    )
    plan, living = capture_plan(chosen, FORM), Living()
    planned = slots_for(chosen, plan, FORM)
    dispatcher, line = Dispatcher(plan.dispatch), 0
    dispatcher.credit(Credit("w", 2, (), 0, 2), 0)
    state = replace(start_tiling(plan.origin, plan.grid), allocate=living)
    for lines, flags, complete in blocks:
        if dispatcher.is_full:
            break
        pixels = np.zeros((lines, 256), np.uint8)
        valid = lines if complete else lines // 2
        state, rows = cut(state, LineBlock("cam0", line, pixels, valid, 1, flags))
        for row in rows:
            dispatcher.add_row(row.tiles)
        dispatcher.sendings(0)
        line += lines
        del rows, pixels
    state, rows = finish(state)
    for row in rows:
        dispatcher.add_row(row.tiles)
    assert living.most <= planned.slots
    assert living.largest <= planned.slot_bytes


def own_segments():
    """Segments of this process; another one may test at the same time."""
    return set(FOLDER.glob(f"linescan-tiles-*-{os.getpid()}-*"))


def outlet_of(chosen, board, figures=None):
    slots = chosen_slots(chosen, capture_plan(chosen, FORM), FORM)
    return tile_outlet(slots, chosen.source.camera, board, {} if figures is None else figures)


def test_shared_memory_is_there_as_long_as_capture_runs():
    figures, before = {"temperature": 40.0}, own_segments()
    chosen = config("transport.kind=shared_memory")
    with outlet_of(chosen, MemorySwitchboard(), figures) as (outlet, allocate):
        assert isinstance(outlet, SlotSwitchboard)
        (segment,) = own_segments() - before
        assert segment.name.startswith("linescan-tiles-cam0-")
        held = [allocate((8, 8), np.dtype(np.uint8)) for _ in range(slots(chosen).slots)]
        assert figures == {"temperature": 40.0}
        allocate((8, 8), np.dtype(np.uint8))
        assert figures == {"temperature": 40.0, OUTSIDE: 1}
        del held
    assert not segment.exists()


def test_shared_memory_goes_with_a_capture_that_breaks_off():
    before = own_segments()

    def break_off():
        with outlet_of(config("transport.kind=shared_memory"), MemorySwitchboard()):
            raise OSError("cable pulled")

    with pytest.raises(OSError, match="cable pulled"):
        break_off()
    assert own_segments() <= before


def test_without_it_tiles_are_sent_as_they_are():
    board = MemorySwitchboard()
    with outlet_of(config(), board) as (outlet, allocate):
        assert outlet is board
        assert allocate is np.empty


def test_room_is_asked_for_only_where_it_is_needed():
    huge = ("tiles.capacity=4096", "tiles.lines=65536", "source.columns=65536")
    form = WebFormat(65536, 1, 8, "test")
    plain = config(*huge)
    assert chosen_slots(plain, capture_plan(plain, form), form) is None
    require_tile_room([])
    shared = config(*huge, "transport.kind=shared_memory")
    with pytest.raises(SegmentError, match="transport.kind: shared_memory must find"):
        require_tile_room([chosen_slots(shared, capture_plan(shared, form), form)])


def test_a_worker_takes_tiles_whichever_way_they_come(tmp_path):
    endpoint, hub, other = f"ipc://{tmp_path}/tiles", ZmqHub(), ZmqHub()
    chosen = config(f"transport.tiles={endpoint}", "transport.kind=shared_memory")
    board = other.bind_switchboard(endpoint)
    inlet = tile_inlets(chosen, hub, "w")["cam0"]
    inlet.send(Credit("w", 2))
    with outlet_of(chosen, board) as (outlet, allocate):
        while not outlet.receive():
            other.wait(100)
        for place in (allocate, np.empty):
            pixels = place((64, 64), np.dtype(np.uint8))
            pixels[:] = 3
            sent = Tile("r", "cam0", 0, 0, 0, 64, 0, 64, Halo(), pixels, 0, "d")
            assert outlet.send("w", sent)
            while (got := inlet.receive()) is None:
                hub.wait(100)
            assert (got.pixels == 3).all()
            assert inlet.holds(got)
            del sent, pixels
    hub.close()
    other.close()
