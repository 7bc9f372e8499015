"""What capture and workers say about a tile besides the tile itself; knows no transport."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamer.message import TileAddress, require

SEGMENT_PREFIX = "linescan-tiles-"
_SEGMENT = re.compile(SEGMENT_PREFIX + r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where pixels lie in shared memory; `generation` counts what the slot was used for."""

    segment: str
    index: int
    generation: int
    size_bytes: int

    def __post_init__(self) -> None:
        # The name comes from another process and becomes that of a file.
        rule = f"Slot.segment must be {SEGMENT_PREFIX} and up to 100 letters, digits, _ or -"
        require(_SEGMENT.fullmatch(self.segment) is not None, rule, self.segment)
        require(self.index >= 0, "Slot.index must be >= 0", self.index)
        require(self.generation > 0, "Slot.generation must be > 0", self.generation)
        require(self.size_bytes > 0, "Slot.size_bytes must be > 0", self.size_bytes)


@dataclass(frozen=True, slots=True)
class SlotTile:
    """A tile whose pixels stay where capture has cut them.

    `header` is the first frame of the tile as `wire.encode` makes it, with shape and depth of the
    pixels; what would be the second frame are the first `size_bytes` bytes of the slot.
    """

    address: TileAddress
    slot: Slot
    header: bytes
