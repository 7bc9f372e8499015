"""Ranks inside windows by counting, without sorting, and their errors; knows no scores."""

# The rank of a value is the number of smaller ones in its window. All windows that contain a
# position lie in the neighbourhood of T - 1 positions around it, so that the ranks in all of them
# are the T x T sums of one field of comparisons with the neighbours.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from kernels.windows import Windows, counting_type, running_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    # Of all positions, flat, with their neighbours at one shift (down, right): neighbour, own.
    Comparison = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]

Ties = Literal["first", "mid", "mean"]
Precision = Literal["exact", "u8"]


@dataclass(frozen=True, slots=True)
class Ranks:
    """Ranks of every value of every window, (T, T, c, rows, columns), inner offset first.

    A group of equal values takes the ranks `first` .. `end` - 1 ("mean"); under the other rules
    `end` is None and `first` the one rank of the value.
    """

    first: Tensor
    end: Tensor | None = None


def rank_windows(padded: Tensor, windows: Windows, ties: Ties) -> Ranks:
    """Ranks in all windows of a padded block.

    `padded` is (c, height + T - 1, width + T - 1); the window of centre (i, j) * stride begins
    there at the same place.
    """
    match ties:
        case "first":
            return Ranks(_count(padded, windows, _in_raster_order))
        case "mid":
            return Ranks(_count(padded, windows, _below_twice, highest=2, halve=True))
        case "mean":
            return Ranks(_count(padded, windows, _below), _count(padded, windows, _up_to))


def values_by_offset(padded: Tensor, windows: Windows) -> Tensor:
    """View (T, T, c, rows, columns) of the values that each window holds at each offset."""
    channels, height, width = padded.shape
    side, stride = windows.patch_size, windows.stride
    rows, columns = _window_counts(padded, windows)
    return padded.as_strided(
        (side, side, channels, rows, columns), (width, 1, height * width, stride * width, stride)
    )


def rank_errors(values: Tensor, ranks: Ranks, table: Tensor, rows: Tensor) -> Tensor:
    """|value - reference of its rank|, (T, T, c, rows, columns) float32.

    `table` (..., T*T) float32 ascending; `rows` (c, 1, columns) says which of its rows, counted
    over all leading axes, a window uses.
    """
    area = table.shape[-1]
    if ranks.end is None:
        # Written to a dense tensor: a sum would inherit the overlapping order of the view.
        index = torch.empty(ranks.first.shape, dtype=torch.int64, device=values.device)
        torch.add(ranks.first, rows * area, out=index)
        return _look_up(table, index).sub_(values).abs_()
    return _mean_error(values, (ranks.first, ranks.end), table, rows)


def _mean_error(
    values: Tensor, group: tuple[Tensor, Tensor], table: Tensor, rows: Tensor
) -> Tensor:
    """Mean of |v - r(k)| over the ranks a <= k < b, from prefix sums of r in float64."""
    area = table.shape[-1]
    begin, end = (side.to(torch.int64).contiguous() for side in group)
    split = _first_above(values, (begin, end), table, rows)
    sums = torch.nn.functional.pad(table.to(torch.float64).cumsum(-1), (1, 0))
    start = rows * (area + 1)
    part = _look_up(sums, begin + start) + _look_up(sums, end + start)
    part -= 2 * _look_up(sums, split + start)
    error = part.add_(values.to(torch.float64) * (2 * split - begin - end))
    return error.div_(end - begin).clamp_(min=0).to(torch.float32)


def _first_above(
    values: Tensor, group: tuple[Tensor, Tensor], table: Tensor, rows: Tensor
) -> Tensor:
    """First rank in [a, b) whose reference lies above the value, b if there is none: bisection."""
    low, high = group
    start = rows * table.shape[-1]
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) // 2
        # A closed search may point past the last entry; its outcome is not used.
        index = (middle + start).clamp_(max=table.numel() - 1)
        above = _look_up(table, index) > values
        searching = low < high
        low = torch.where(searching & ~above, middle + 1, low)
        high = torch.where(searching & above, middle, high)
    return low


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    return table.reshape(-1).gather(0, index.reshape(-1)).view(index.shape)


def _window_counts(padded: Tensor, windows: Windows) -> tuple[int, int]:
    lost = windows.patch_size - 1
    return windows.centres(padded.shape[1] - lost), windows.centres(padded.shape[2] - lost)


def _in_raster_order(neighbour: Tensor, own: Tensor, shift: tuple[int, int]) -> Tensor:
    return neighbour <= own if shift < (0, 0) else neighbour < own


def _below(neighbour: Tensor, own: Tensor, shift: tuple[int, int]) -> Tensor:
    return neighbour < own


def _up_to(neighbour: Tensor, own: Tensor, shift: tuple[int, int]) -> Tensor:
    return neighbour <= own


def _below_twice(neighbour: Tensor, own: Tensor, shift: tuple[int, int]) -> Tensor:
    below = (neighbour < own).view(torch.uint8)
    return below + (neighbour <= own).view(torch.uint8)


def _count(
    padded: Tensor, windows: Windows, compare: Comparison, highest: int = 1, halve: bool = False
) -> Tensor:
    """Sum of `compare` (0..highest) over each window, for each position that the window holds."""
    channels, height, width = padded.shape
    side, stride = windows.patch_size, windows.stride
    own = padded.reshape(-1)
    reach = (side - 1) * (width + 1)
    margin = own.new_zeros(reach)
    around = torch.cat((margin, own, margin))
    shifts = range(side - 1, -side, -1)
    along, across = counting_type(highest * side), counting_type(highest * windows.area)
    lines = []
    for down in shifts:
        starts = [(right, reach + down * width + right) for right in shifts]
        hits = [compare(around[s : s + own.numel()], own, (down, right)) for right, s in starts]
        sums = running_sums(torch.stack(hits).view(torch.uint8).to(along), side)
        lines.append(sums.to(across))
    counts = running_sums(torch.stack(lines), side)
    if halve:
        counts = counts >> 1
    # counts is [row in the window, column in the window, position]: read it window by window.
    total = own.numel()
    rows_out, columns_out = _window_counts(padded, windows)
    return counts.as_strided(
        (side, side, channels, rows_out, columns_out),
        (side * total + width, total + 1, height * width, stride * width, stride),
    )
