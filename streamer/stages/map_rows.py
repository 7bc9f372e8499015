"""Strips of the map made coarse for people who watch; knows no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.line_status import MapRows
from streamer.message import Interval
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from streamer.message import ScoreArray
    from streamer.web import Strip, WebGeometry

MOST_COLUMNS = 256
STEPS_PER_LEVEL = 100  # of a byte, for a score of 1
LARGEST = 250


def map_rows(roll: str, strip: Strip, geometry: WebGeometry) -> MapRows:
    """The strip as square cells of at most 1/256 of the web's width, each with its highest score.

    Where some of a cell was not inspected, and no score in it is an alarm, that is what it shows.
    """
    factor = -(-strip.scores.shape[1] // MOST_COLUMNS)
    pooled = _pool(np.nan_to_num(strip.scores, nan=0.0), factor)
    cells = np.clip(pooled * STEPS_PER_LEVEL, 0, LARGEST).astype(np.uint8)
    for part in strip.coverage:
        if part.status != INSPECTED:
            _mark(cells, part.columns, (part.status == MASKED, strip.stride * factor))
    rows, columns = cells.shape
    lines = Interval(strip.first_line, strip.first_line + strip.line_count)
    box = geometry.region(lines, Interval(0, geometry.columns))
    return MapRows(
        roll=roll,
        first_line=lines.first,
        end_line=lines.end,
        first_mm=box.down_first,
        end_mm=box.down_end,
        width_mm=box.cross_end,
        rows=rows,
        columns=columns,
        cells=cells.tobytes(),
    )


def _pool(scores: ScoreArray, factor: int) -> ScoreArray:
    rows, columns = (-(-size // factor) * factor for size in scores.shape)
    padded = np.zeros((rows, columns), scores.dtype)
    padded[: scores.shape[0], : scores.shape[1]] = scores
    pooled: ScoreArray = padded.reshape(rows // factor, factor, columns // factor, factor).max(
        axis=(1, 3)
    )
    return pooled


def _mark(cells: ScoreArray, columns: Interval, kind: tuple[bool, int]) -> None:
    """Show columns as masked (whole cells) or not inspected (every cell that they touch)."""
    is_masked, width = kind
    if is_masked:
        first, end = -(-columns.first // width), columns.end // width
    else:
        first, end = columns.first // width, -(-columns.end // width)
    part = cells[:, first:end]
    code = MapRows.MASKED if is_masked else MapRows.NOT_INSPECTED
    part[part < STEPS_PER_LEVEL] = code
