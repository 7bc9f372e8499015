"""Cuts a block of lines down-web without copying; knows no source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamer.message import LineFlag

if TYPE_CHECKING:
    from streamer.message import Interval, LineBlock


def slice_lines(block: LineBlock, lines: Interval, masked: tuple[Interval, ...]) -> LineBlock:
    """Some valid lines of a block; only the first ones may follow a seam."""
    first, end = (line - block.first_line for line in (lines.first, lines.end))
    flags = block.flags & ~LineFlag.PARTIAL
    travelled = block.encoder_last - block.encoder_first
    steps = max(block.valid_lines - 1, 1)
    return replace(
        block,
        first_line=lines.first,
        pixels=block.pixels[first:end],
        valid_lines=lines.size,
        flags=flags if first == 0 else flags & ~LineFlag.SEAM,
        masked=masked,
        encoder_first=block.encoder_first + travelled * first // steps,
        encoder_last=block.encoder_first + travelled * (end - 1) // steps,
    )


def filler_of(block: LineBlock) -> LineBlock:
    """The lines of a partial block that hold no web."""
    return replace(
        block,
        first_line=block.first_line + block.valid_lines,
        pixels=block.pixels[block.valid_lines :],
        valid_lines=0,
        flags=block.flags & ~LineFlag.SEAM,
        encoder_first=block.encoder_last,
    )
