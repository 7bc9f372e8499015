"""Errors of a position in each of the windows over it, all channels together; knows no image."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from kernels.windows import pad_mirrored

STEP = 2  # windows on every second position, as the product has them
_CHUNK = 20  # channels at a time: 12 levels of a megapixel's map take 4 MB


def window_errors(
    levels: torch.Tensor, reference: torch.Tensor, levels_count: int, side: int
) -> torch.Tensor:
    """(C, H, W) uint8 levels and (C, T * T) reference to (n, H, W) float32 mean errors, 1 = range.

    One plane for each of the n windows that stand 0, 2, 4 ... features beside a position, at most
    T // 2 (25 of T = 9); NaN where that is outside the map. The error of a level in a window is as
    in the fast form: |level - reference at its middle rank|.
    """
    reach = side // 2 // STEP * STEP
    steps = range(-reach, reach + 1, STEP)
    channels, height, width = levels.shape
    total = torch.zeros(len(steps), len(steps), height, width, dtype=torch.int32)
    for first in range(0, channels, _CHUNK):
        chunk = slice(first, first + _CHUNK)
        errors = pad(
            _level_errors(levels[chunk], reference[chunk], levels_count, side), [reach] * 4
        )
        place = _places(levels[chunk], (height + 2 * reach, width + 2 * reach))
        flat = errors.view(-1)
        for row, column in torch.cartesian_prod(*[torch.arange(len(steps))] * 2).tolist():
            offset = STEP * row * (width + 2 * reach) + STEP * column
            total[row, column] += flat.take(place + offset).sum(dim=0, dtype=torch.int32)
    inside = pad(torch.ones(height, width, dtype=torch.bool), [reach] * 4)
    there = inside.unfold(0, height, STEP).unfold(1, width, STEP)
    means = total / (channels * (levels_count - 1))
    return means.masked_fill(~there, float("nan")).flatten(0, 1)


def _places(levels: torch.Tensor, padded: tuple[int, int]) -> torch.Tensor:
    """Where the level of each position (c, H, W) lies in (levels, c, *padded), corner first."""
    channels, height, width = levels.shape
    area = padded[0] * padded[1]
    place = levels.to(torch.int64) * (channels * area)
    place += torch.arange(channels).view(-1, 1, 1) * area
    return place + torch.arange(height).view(-1, 1) * padded[1] + torch.arange(width)


def _level_errors(
    levels: torch.Tensor, reference: torch.Tensor, levels_count: int, side: int
) -> torch.Tensor:
    """(c, H, W) to (levels, c, H, W) uint8: what a level pays in the window on each position."""
    padded, area = pad_mirrored(levels, side // 2), side * side
    errors, below = [], torch.zeros(levels.shape, dtype=torch.int16)
    for level in range(levels_count):
        up_to = _box_sums((padded <= level).to(torch.int16), side)
        rank = ((below + up_to) // 2).clamp_(max=area - 1).to(torch.int64)
        cost = (level - reference.to(torch.int16)).abs().to(torch.uint8)
        errors.append(cost.gather(1, rank.flatten(1)).view(levels.shape))
        below = up_to
    return torch.stack(errors)


def _box_sums(planes: torch.Tensor, side: int) -> torch.Tensor:
    """(c, H + side - 1, W + side - 1) to (c, H, W)."""
    for axis in (1, 2):
        length = planes.shape[axis] - side + 1
        total = planes.narrow(axis, 0, length).clone()
        for offset in range(1, side):
            total += planes.narrow(axis, offset, length)
        planes = total
    return planes
