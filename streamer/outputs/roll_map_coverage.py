"""What became of each cell of a roll map, as codes; pure, knows no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.message import GapReason, PixelArray
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from streamer.message import ScoreArray
    from streamer.web import Strip

UNWRITTEN = "unwritten"
# The larger code wins where a cell, or a cell of a coarser level, holds several: a gap is never
# hidden. The map carries its own table, so that codes may be added at the end.
COVERAGE_CODES: dict[str, int] = {
    UNWRITTEN: 0,
    MASKED: 1,
    INSPECTED: 2,
    **{reason.value: code for code, reason in enumerate(GapReason, start=3)},
}


def coverage_of(strip: Strip) -> PixelArray:
    """Codes of the cells of a strip, (rows, grid columns) uint8.

    A cell that is partly masked is inspected, one that is partly a gap is a gap.
    """
    columns = np.zeros(strip.scores.shape[1], np.uint8)
    for part in strip.coverage:
        first, end = part.columns.first // strip.stride, -(-part.columns.end // strip.stride)
        np.maximum(columns[first:end], COVERAGE_CODES[part.status], out=columns[first:end])
    return np.broadcast_to(columns, strip.scores.shape)


def coverage_of_scores(scores: ScoreArray) -> PixelArray:
    """Codes where only scores are known: inspected, or 0 where there is none."""
    found: PixelArray = np.where(np.isnan(scores), np.uint8(0), np.uint8(COVERAGE_CODES[INSPECTED]))
    return found
