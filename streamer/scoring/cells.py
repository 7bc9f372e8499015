"""Where core and masked columns of a tile lie on the score grid; pure; knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from streamer.message import PixelArray, ScoreArray, Tile

    Flags = NDArray[np.bool_]


def core_cells(tile: Tile, stride: int) -> tuple[slice, slice]:
    """Rows and columns of the core on the tile's grid; cells cut by the web's edge belong to it."""
    top, left = tile.halo.top // stride, tile.halo.left // stride
    rows, columns = -(-tile.line_count // stride), -(-tile.column_count // stride)
    return slice(top, top + rows), slice(left, left + columns)


def core_pixels(tile: Tile) -> PixelArray:
    """A copy of the core, (lines, columns[, 3])."""
    lines = slice(tile.halo.top, tile.halo.top + tile.line_count)
    columns = slice(tile.halo.left, tile.halo.left + tile.column_count)
    return tile.pixels[lines, columns].copy()


def masked_cells(tile: Tile, stride: int) -> Flags:
    """(columns,) for the grid of the whole tile: True where a cell touches a masked web column."""
    masked = np.zeros(tile.pixels.shape[1] // stride, dtype=bool)
    origin = tile.first_column - tile.halo.left
    for interval in tile.masked:
        first, end = interval.first - origin, interval.end - origin
        masked[max(first // stride, 0) : max(-(-end // stride), 0)] |= interval.size > 0
    return masked


def hide_masked(tile: Tile, cells: ScoreArray, stride: int) -> ScoreArray:
    """(rows, columns) of the whole tile, NaN where a cell touches a masked web column."""
    return np.where(masked_cells(tile, stride), np.float32(np.nan), cells)


def widest_web(masked: Flags) -> slice:
    """The longest run of unmasked columns, the first of equal ones; empty if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], masked.astype(np.int8), [1]])))
    runs = [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return max(runs, key=lambda run: run.stop - run.start, default=slice(0, 0))


def core_web(tile: Tile, features: torch.Tensor, stride: int) -> torch.Tensor:
    """The core of `features` (C, rows, columns) within the widest stretch of unmasked columns."""
    rows, columns = core_cells(tile, stride)
    web = widest_web(masked_cells(tile, stride))
    first = max(columns.start, web.start)
    return features[:, rows, first : max(first, min(columns.stop, web.stop))]
