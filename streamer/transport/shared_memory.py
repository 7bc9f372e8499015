"""Tiles in shared memory of one host, their places sent over other links; knows no stage."""

from __future__ import annotations

import logging
import math
import weakref
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from streamer import wire
from streamer.message import Tile
from streamer.protocol import Slot, SlotTile, TileFailed
from streamer.transport.segment import Segment, SegmentError, open_segment

if TYPE_CHECKING:
    from streamer.message import PixelArray
    from streamer.ports import Link, Switchboard

_LOG = logging.getLogger(__name__)
STATE_BITS = 2
OUTSIDE = "tiles_outside_slots"


class SlotState(IntEnum):
    """What a slot is used for."""

    FREE = 0
    FILLING = 1
    READY = 2


def state_word(generation: int, state: SlotState) -> int:
    """Generation and state in one 64-bit word, so that both change at once."""
    return generation << STATE_BITS | state


class TileMemory:
    """Capture's side: cuts go into slots; a slot is free again when nobody here has its array.

    Capture keeps each tile until its verdict, or gives it up: a slot lives exactly as long. There
    are as many slots as the bounds of capture's store allow tiles, so that its overload policy
    decides before they run out; should they, a tile lies outside and is sent as a copy.
    `figures` counts those. Not for use from several threads, but arrays may die in any.
    """

    def __init__(self, segment: Segment, figures: dict[str, float] | None = None) -> None:
        self.figures = {} if figures is None else figures
        self._segment = segment
        self._is_open = True
        self._free = deque(range(segment.plan.slots))
        whole = np.frombuffer(segment.memory, np.uint8)
        self._first_slot = whole.ctypes.data + segment.plan.first_slot
        self._generations = [0] * segment.plan.slots

    @property
    def free_slots(self) -> int:
        """Slots that a tile can be cut into."""
        return len(self._free) if self._is_open else 0

    @property
    def segment(self) -> Segment:
        """Where the slots are."""
        return self._segment

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> PixelArray:
        """Memory for one tile, of any content; see `tiling.Allocate`."""
        size = math.prod(shape) * dtype.itemsize
        if not self.free_slots or not 0 < size <= self._segment.plan.slot_bytes:
            self._count_outside(size)
            return np.empty(shape, dtype)
        # First in, first out: what somebody may still look at is used again as late as possible.
        index = self._free.popleft()
        self._generations[index] += 1
        self._set(index, SlotState.FILLING)
        pixels = np.ndarray(shape, dtype, self._segment.slot(index, size))
        weakref.finalize(pixels, self._release, index).atexit = False
        return pixels

    def publish(self, pixels: PixelArray) -> Slot | None:
        """The place of an array that `allocate` gave, its content complete; None: outside."""
        plan = self._segment.plan
        index = (pixels.ctypes.data - self._first_slot) // plan.slot_bytes
        if not 0 <= index < plan.slots:
            return None
        self._set(index, SlotState.READY)
        return Slot(self._segment.name, index, self._generations[index], pixels.nbytes)

    def close(self) -> None:
        """Remove the segment; tiles that are cut from now on lie outside. May be called twice."""
        self._is_open = False
        self._segment.remove()

    def _release(self, index: int) -> None:
        self._set(index, SlotState.FREE)
        self._free.append(index)

    def _set(self, index: int, state: SlotState) -> None:
        self._segment.states[index] = state_word(self._generations[index], state)

    def _count_outside(self, size_bytes: int) -> None:
        count = self.figures.get(OUTSIDE, 0) + 1
        self.figures[OUTSIDE] = count
        if count % 1000 == 1:
            text = "%d tiles found no slot (%d bytes, %s, %d free) and are sent as copies"
            _LOG.warning(text, count, size_bytes, self._segment.plan, self.free_slots)


class SlotSwitchboard:
    """Sends the places of tiles that lie in slots, everything else as it is; see ports."""

    def __init__(self, board: Switchboard, memory: TileMemory) -> None:
        self._board = board
        self._memory = memory

    def send(self, peer: str, message: object) -> bool:
        """See ports.Switchboard."""
        if isinstance(message, Tile) and (slot := self._memory.publish(message.pixels)):
            header, *_ = wire.encode(message)
            message = SlotTile(message.address, slot, bytes(header))
        return self._board.send(peer, message)

    def receive(self) -> tuple[str, object] | None:
        """See ports.Switchboard."""
        return self._board.receive()

    def close(self) -> None:
        """See ports.Switchboard."""
        self._board.close()


class SlotLink:
    """A worker's side: takes tiles from their slots as views, without a copy; see ports.Link.

    What capture gives up may be overwritten at any time: `holds` says whether a tile is still what
    was sent, to be asked before it is used and before anything that came of it is.
    """

    def __init__(self, link: Link, worker: str) -> None:
        self._link = link
        self._worker = worker
        self._segment: Segment | None = None
        self._taken: dict[int, tuple[Segment, Slot]] = {}  # by the identity of the array

    def send(self, message: object) -> bool:
        """See ports.Outlet."""
        return self._link.send(message)

    def receive(self) -> object | None:
        """Next message; a tile that cannot be taken is a TileFailed that says why."""
        message = self._link.receive()
        return self._take(message) if isinstance(message, SlotTile) else message

    def holds(self, tile: Tile) -> bool:
        """Whether the pixels of a received tile are still its own; once False, always False."""
        taken = self._taken.get(id(tile.pixels))
        return taken is None or _is_ready(*taken)  # None: it was sent with its pixels

    def close(self) -> None:
        """See ports.Outlet; tiles that were taken stay readable."""
        self._segment = None
        self._link.close()

    def _take(self, message: SlotTile) -> Tile | TileFailed:
        try:
            segment = self._open(message.slot.segment)
            tile = _read(message, segment)
        except (OSError, wire.WireError) as error:
            return TileFailed(message.address, self._worker, str(error))
        key = id(tile.pixels)
        self._taken[key] = segment, message.slot
        weakref.finalize(tile.pixels, self._taken.pop, key).atexit = False
        return tile

    def _open(self, name: str) -> Segment:
        """The present segment; a capture that was started anew has another."""
        if self._segment is None or self._segment.name != name:
            self._segment = open_segment(name)
        return self._segment


def _read(message: SlotTile, segment: Segment) -> Tile:
    slot, plan = message.slot, segment.plan
    if slot.index >= plan.slots or slot.size_bytes > plan.slot_bytes:
        msg = f"slot must be within the segment's {plan}, got {slot}"
        raise SegmentError(msg)
    tile = wire.decode([message.header, segment.slot(slot.index, slot.size_bytes)])
    if not isinstance(tile, Tile):
        msg = f"a slot must hold a Tile, got {type(tile).__name__}"
        raise wire.WireError(msg)
    return tile


def _is_ready(segment: Segment, slot: Slot) -> bool:
    return int(segment.states[slot.index]) == state_word(slot.generation, SlotState.READY)
