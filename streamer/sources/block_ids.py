"""Counts a transport's block ids on over their wrap; knows no frame content."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LATE = 64  # frames; a block this much older is no straggler: the camera counts anew
_SHORT_IDS = 65535  # the highest id of 16 bits


@dataclass(frozen=True, slots=True)
class BlockCount:
    """The newest block: its raw id, the count that it stands for, and whether id 0 is in use."""

    raw: int
    count: int
    uses_zero: bool


def follow(before: BlockCount | None, raw: int) -> tuple[BlockCount, int] | None:
    """The newest block after this one arrived, and the count of this one; None: counts anew.

    GigE Vision 1.x counts 16 bits and skips 0 (65535 is followed by 1); extended ids and USB3
    Vision count 64 bits. A camera that has shown id 0 is taken to use it at a wrap, too.
    """
    if before is None:
        start = BlockCount(raw, raw, raw == 0)
        return start, raw
    uses_zero = before.uses_zero or raw == 0
    step = _step(before.raw, raw, uses_zero)
    if step < -MOST_LATE:
        return None
    count = before.count + step
    if step <= 0:
        return BlockCount(before.raw, before.count, uses_zero), count
    return BlockCount(raw, count, uses_zero), count


def _step(before: int, raw: int, uses_zero: bool) -> int:
    """Signed distance in blocks; a wrap is the shorter way round."""
    step = raw - before
    if max(before, raw) > _SHORT_IDS:
        return step
    period = _SHORT_IDS + uses_zero
    if step < -period // 2:
        return step + period
    return step - period if step > period // 2 else step
