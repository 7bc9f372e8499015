"""The median reference: what the sorted values of a normal window are; knows nothing of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels.checks import highest_level
from kernels.windows import counting_type, running_sums

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.windows import Windows

# Bytes of sorted values or of counts at a time.
_CHUNK = 4_000_000
FEW_LEVELS = 64


def median_windows(features: Tensor, windows: Windows) -> Tensor:
    """Per channel and rank the lower median over the complete windows -> (bands, C, T*T).

    `features` (C, H, W) float32 or uint8; uint8 maps of few levels are counted, others sorted.
    Windows begin at rows and columns divisible by the stride; with bands at every column. A band
    in which no complete window is centred takes the reference of the nearest one that has some
    (the lower on equality).
    """
    channels, height, width = features.shape
    columns = columns_by_band(width, windows)
    counted = few_levels(features)
    levels = int(features.max()) + 1 if counted else 0
    per_channel = levels * height * width if counted else 4 * _sorted_size(features, windows)
    step = max(1, _CHUNK // per_channel)
    reference = features.new_empty(len(columns), channels, windows.area)
    for first in range(0, channels, step):
        chunk = features[first : first + step]
        held = count_levels(chunk, levels, windows) if counted else _sort(chunk, windows)
        median = _median_of_counts if counted else _median_of_sorted
        for band, chosen in enumerate(columns):
            some = held[:, :, chosen].flatten(1, 2)
            reference[band, first : first + step] = median(some, windows.area)
    return reference


def few_levels(features: Tensor) -> bool:
    """Whether the medians can be counted instead of sorted: bytes below 64."""
    return features.dtype == torch.uint8 and highest_level(features) < FEW_LEVELS


def cross_web_stride(windows: Windows) -> int:
    """Columns from one window of the reference to the next: with bands every one counts."""
    return windows.stride if windows.band_width is None else 1


def _sorted_size(features: Tensor, windows: Windows) -> int:
    reach = windows.patch_size - 1
    lines = len(range(0, features.shape[1] - reach, windows.stride))
    return (
        lines * len(range(0, features.shape[2] - reach, cross_web_stride(windows))) * windows.area
    )


def _sort(chunk: Tensor, windows: Windows) -> Tensor:
    """(c, H, W) -> (c, rows, columns, T*T): the ascending values of each complete window."""
    side = windows.patch_size
    patches = chunk.unfold(1, side, windows.stride).unfold(2, side, cross_web_stride(windows))
    return patches.flatten(3).sort(dim=-1).values


def _median_of_sorted(ordered: Tensor, area: int) -> Tensor:
    return ordered.median(dim=1).values


def count_levels(chunk: Tensor, levels: int, windows: Windows) -> Tensor:
    """(c, H, W) -> (c, rows, columns, levels): values up to each level in each complete window."""
    channels, height, width = chunk.shape
    side = windows.patch_size
    thresholds = torch.arange(levels, dtype=torch.uint8, device=chunk.device).view(-1, 1)
    hits = chunk.reshape(1, -1) <= thresholds.expand(-1, chunk.numel()).contiguous()
    # Flat sums: what wraps around a row's end belongs to no complete window.
    hits = hits.view(torch.uint8).to(counting_type(side))
    along = _padded_sums(hits.flatten(), side, 1)
    along = along.view(-1, width)[:, : width - side + 1 : cross_web_stride(windows)]
    kept = along.shape[1]
    counts = _padded_sums(along.to(counting_type(windows.area)).flatten(), side, kept)
    counts = counts.view(levels, channels, height, kept)
    return counts[:, :, : height - side + 1 : windows.stride].permute(1, 2, 3, 0)


def _padded_sums(flat: Tensor, count: int, step: int) -> Tensor:
    sums = torch.zeros_like(flat)
    sums[: flat.numel() - (count - 1) * step] = running_sums(flat, count, step)
    return sums


def _median_of_counts(counts: Tensor, area: int) -> Tensor:
    """(c, N, levels) -> (c, T*T): the generalised inverse of the median counting function.

    The lower median of the k-th values is the first level that enough windows reach: at least
    floor((N-1)/2) + 1 of them hold more than k values up to it.
    """
    number = counts.shape[1]
    reached = counts.kthvalue(number - (number - 1) // 2, dim=1).values
    rank = torch.arange(area, device=counts.device)
    return (reached.unsqueeze(-1) <= rank).sum(dim=1).to(torch.uint8)


def columns_by_band(width: int, windows: Windows) -> list[slice]:
    """Which columns of windows make the reference of each band, from band 0 on."""
    if windows.band_width is None:
        return [slice(None)]
    complete = width - windows.patch_size + 1
    first = windows.first_column + windows.radius
    held: dict[int, slice] = {}
    for left in range(complete):
        band = (first + left) // windows.band_width
        held[band] = slice(held[band].start if band in held else left, left + 1)
    last = (windows.first_column + width - 1) // windows.band_width
    return [_nearest(held, band) for band in range(last + 1)]


def _nearest(held: dict[int, slice], band: int) -> slice:
    return held[min(held, key=lambda other: abs(other - band))]
