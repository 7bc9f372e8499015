"""The links that tiles take from capture to the workers, as configured; starts nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from streamer.compose.cameras import camera_names, tiles_endpoint
from streamer.compose.geometry import largest_tile
from streamer.stages.score import PREFETCH_TILES
from streamer.transport.segment import (
    SegmentPlan,
    make_segment,
    remove_stale_segments,
    require_room,
)
from streamer.transport.shared_memory import SlotLink, SlotSwitchboard, TileMemory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.config import Config
    from streamer.ports import Switchboard, WebFormat
    from streamer.stages.capture import CapturePlan
    from streamer.tiling import Allocate
    from streamer.transport.zeromq import ZmqHub


def slots_for(config: Config, plan: CapturePlan, form: WebFormat) -> SegmentPlan:
    """Slots for every tile that capture may hold at once, so that its overload policy decides.

    Those without a verdict, those that make a profile again, and those that one block of lines
    completes before anybody looks.
    """
    lanes, grid = len(plan.grid.lanes), plan.grid
    in_flight = config.score.workers * PREFETCH_TILES
    # A block may end a piece (one short row) and begin another, which a stop ends at once.
    pending = grid.tile_lines + grid.halo + plan.block_lines
    rows = -(-pending // grid.tile_lines) + 2
    waiting = max(plan.dispatch.most_waiting, in_flight)
    slots = waiting + (plan.dispatch.profile_tiles + rows) * lanes
    lines, columns = largest_tile(grid)
    return SegmentPlan.of_tiles(slots, lines * columns * form.channels * form.bits // 8)


def chosen_slots(config: Config, plan: CapturePlan, form: WebFormat) -> SegmentPlan | None:
    """The slots to make; None: tiles are sent through sockets."""
    is_shared = config.transport.kind == "shared_memory"
    return slots_for(config, plan, form) if is_shared else None


def require_tile_room(slots: Sequence[SegmentPlan]) -> None:
    """Check that this machine can hold the tiles of all cameras; costs nothing.

    Raises:
        SegmentError: there is too little shared memory.
    """
    if slots:
        remove_stale_segments()
        require_room(*slots)


@contextmanager
def tile_outlet(
    slots: SegmentPlan | None, owner: str, board: Switchboard, figures: dict[str, float]
) -> Iterator[tuple[Switchboard, Allocate]]:
    """Capture's way to the workers over `board`, and the memory of its tiles.

    `figures` gets what there is to say about the memory.

    Raises:
        SegmentError: there is too little shared memory.
    """
    if slots is None:
        yield board, np.empty
        return
    memory = TileMemory(make_segment(slots, owner), figures)
    try:
        yield SlotSwitchboard(board, memory), memory.allocate
    finally:
        memory.close()


def tile_inlets(config: Config, hub: ZmqHub, worker: str) -> dict[str, SlotLink]:
    """A worker's links to the captures by camera; take tiles whichever way these send them."""
    return {
        camera: SlotLink(hub.connect_link(tiles_endpoint(config, index), worker), worker)
        for index, camera in enumerate(camera_names(config))
    }
