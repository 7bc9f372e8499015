"""Which cells of the score grid hold web alone, and where; pure, knows no score."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.correction.side_cells import Flags

Runs = tuple[tuple[int, int], ...]


def masked_grid(off_web: Flags, stride: int) -> Flags:
    """(lines, columns) to the grid of the stride: True where at least half of a cell is no web."""
    beyond = [(0, -size % stride) for size in off_web.shape]
    whole = np.pad(off_web, beyond, mode="edge")
    rows, columns = (size // stride for size in whole.shape)
    cells: Flags = whole.reshape(rows, stride, columns, stride).mean(axis=(1, 3)) >= 0.5
    return cells


def web_box(masked: Flags) -> tuple[slice, slice]:
    """The smallest rectangle of cells that holds all web.

    Raises:
        ValueError: there is none.
    """
    if masked.all():
        msg = (
            "image must show web, got nothing that is not masked; "
            "check the mask, or inspect it with edges.mode=off"
        )
        raise ValueError(msg)
    rows, columns = (np.flatnonzero(~masked.all(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def web_rectangles(masked: Flags, side: int) -> list[tuple[slice, slice]]:
    """Rectangles of web alone that hold windows of `side` cells; all of it where none is masked.

    They do not overlap. Bands of `side` rows that hold web in the same columns are one rectangle.
    """
    if not masked.any():
        return [(slice(0, masked.shape[0]), slice(0, masked.shape[1]))]
    starts = range(0, masked.shape[0] - side + 1, side)
    bands = ((first, _runs(masked[first : first + side], side)) for first in starts)
    return [
        (slice(rows[0], rows[-1] + side), slice(*run))
        for runs, members in groupby(bands, key=lambda band: band[1])
        for rows in [[first for first, _ in members]]
        for run in runs
    ]


def true_runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """First and end of each run of True in (n,) flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(end)


def _runs(band: Flags, side: int) -> Runs:
    clear: Flags = ~np.asarray(band.any(axis=0))
    return tuple(run for run in true_runs(clear) if run[1] - run[0] >= side)
