"""Windows as counts of their values at or below each level; knows no band and no score.

Counts say as much as sorted values: value r of a window, in ascending order, is the number of
levels whose count is <= r. Sorted values of two windows differ by the sum of the differences of
their counts, which is what FCA scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.scoring.bands import LevelStrip
    from streamer.scoring.fca import FcaFast

    Counts: TypeAlias = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class CountedWindows:
    """`counts` (n, C, levels - 1) and `centres` (n,), the web column of each window, in features.

    In the order of their rows; of a row from left to right.
    """

    counts: Counts
    centres: NDArray[np.int64]


def count_windows(
    strips: Sequence[LevelStrip], column_step: int, method: FcaFast
) -> CountedWindows | None:
    """The windows of strips of one lane that may be learnt; None: there are none.

    Windows lie at every T-th row from the first one of a piece, across where the web column of
    their centre is a multiple of `column_step`, and on kept cells only.
    """
    parts = [_count_piece(piece, column_step, method) for piece in _pieces(strips)]
    counts = np.concatenate([one.counts for one in parts]) if parts else np.zeros(0, np.uint16)
    if len(counts) == 0:
        return None
    return CountedWindows(counts, np.concatenate([one.centres for one in parts]))


def _pieces(strips: Sequence[LevelStrip]) -> list[list[LevelStrip]]:
    grouped: list[list[LevelStrip]] = []
    for strip in strips:
        if strip.follows and grouped:
            grouped[-1].append(strip)
        else:
            grouped.append([strip])
    return grouped


def _count_piece(piece: Sequence[LevelStrip], step: int, method: FcaFast) -> CountedWindows:
    size, first = method.patch_size, min(strip.first_column for strip in piece)
    end = max(strip.end_column for strip in piece)
    levels, keep = (
        torch.cat(parts, dim=-2).cpu().numpy()
        for parts in zip(*(strip.within(first, end) for strip in piece), strict=True)
    )
    columns = np.arange(max(end - first - size + 1, 0))
    columns = columns[(first + columns + size // 2) % step == 0]
    rows = levels.shape[1] // size
    kept = _box_sums(keep[None], rows, columns, size)[0] == size * size
    counts = np.stack(
        [
            _box_sums(levels <= level, rows, columns, size)[:, kept]
            for level in range(method.levels - 1)
        ],
        axis=-1,
    )
    centres = np.broadcast_to(first + columns + size // 2, kept.shape)[kept]
    return CountedWindows(np.ascontiguousarray(counts.swapaxes(0, 1)), centres)


def _box_sums(cells: NDArray[np.bool_], rows: int, columns: NDArray[np.int64], size: int) -> Counts:
    """(C, H, W) to (C, rows, columns): how many are true in each window."""
    channels, _, width = cells.shape
    whole = cells[:, : rows * size].reshape(channels, rows, size, width)
    down = whole.sum(axis=2, dtype=np.uint16)
    before = np.zeros((channels, rows, width + 1), np.uint16)
    np.cumsum(down, axis=2, dtype=np.uint16, out=before[:, :, 1:])
    # Sums may wrap around, differences of up to T * T do not.
    sums: Counts = before[:, :, columns + size] - before[:, :, columns]
    return sums


def counts_of(reference: torch.Tensor, levels: int) -> Counts:
    """Sorted values (..., C, T * T) to counts (..., C, levels - 1)."""
    values = reference.numpy()
    below = [(values <= level).sum(axis=-1, dtype=np.uint16) for level in range(levels - 1)]
    counts: Counts = np.stack(below, axis=-1)
    return counts


def reference_of(counts: Counts, area: int) -> torch.Tensor:
    """Counts (..., C, levels - 1) to sorted values (..., C, T * T) uint8; `area` is T * T."""
    ranks = np.arange(area)
    sizes = [counts[..., level, None] <= ranks for level in range(counts.shape[-1])]
    return torch.from_numpy(np.sum(sizes, axis=0, dtype=np.uint8))


def median_counts(counts: Counts) -> Counts:
    """(n, ...) to (...), n > 0: the counts of the lower median of each sorted value."""
    middle = len(counts) // 2  # few values at or below a level: high ones
    median: Counts = np.partition(counts, middle, axis=0)[middle]
    return median
