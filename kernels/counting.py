"""Histograms of the counts of windows and their medians, in torch; knows nothing of a web."""

# A histogram (bands, C, levels_count - 1, T*T + 1) says how many windows of a band have how many
# values above each level but the highest.

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels.median import count_levels

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.memory import MedianMemory

# Counts at a time.
_CHUNK = 2_000_000


def add_windows(
    levels: Tensor, barred: Tensor | None, histogram: Tensor, memory: MedianMemory
) -> None:
    """Add the complete windows of `levels` (C, H, W) to `histogram`, the first at line 0.

    `barred` (rows, columns of windows) bool says which do not count; None: all do.
    """
    per_channel = (memory.levels_count - 1) * levels.shape[1] * levels.shape[2]
    step = max(1, _CHUNK // per_channel)
    for first in range(0, levels.shape[0], step):
        some = levels[first : first + step]
        counts = count_levels(some, memory.levels_count - 1, memory.windows)
        above = memory.windows.area - counts.long()
        _add_counts(above, barred, histogram[:, first : first + step], memory)


def _add_counts(
    above: Tensor, barred: Tensor | None, histogram: Tensor, memory: MedianMemory
) -> None:
    """`above` (c, rows, columns, levels), `histogram` (bands, c, levels, bins)."""
    _, channels, levels, bins = histogram.shape
    place = torch.arange(channels * levels).view(channels, 1, levels) * bins
    for band, (first, last) in enumerate(memory.ranges):
        chosen = above[:, :, first:last].flatten(1, 2)
        if barred is not None:
            chosen = chosen[:, barred[:, first:last].logical_not().flatten()]
        counted = torch.bincount((chosen + place).flatten(), minlength=channels * levels * bins)
        histogram[band] += counted.view(channels, levels, bins).to(histogram.dtype)


def medians(closed: Tensor, newest: Tensor, windows: Tensor, memory: MedianMemory) -> Tensor:
    """Of the sum of two histograms, with the number of windows per band -> (bands, C, T*T) uint8.

    The lower median of the k-th values is the first level that enough windows do not exceed too
    often: the first with a lower median of more than k values up to it.
    """
    area = memory.windows.area
    rank = torch.arange(area)
    reference = torch.empty(*closed.shape[:2], area, dtype=torch.uint8)
    for band, number in enumerate(windows.tolist()):
        held = (closed[band].long() + newest[band]).cumsum(-1)
        above = (held[..., :area] < (number + 1) // 2).sum(-1)
        reference[band] = (area - above.unsqueeze(-1) <= rank).sum(dim=1).to(torch.uint8)
    return reference


def replace_counts(totals: Tensor, entering: Tensor, leaving: Tensor) -> None:
    """`totals` += `entering` - `leaving`, then `leaving` = 0; both may be the same tensor."""
    totals += entering
    totals -= leaving
    leaving.zero_()
