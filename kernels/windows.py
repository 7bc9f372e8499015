"""Windows on a map: mirrored edges, weights and sums of neighbours; knows nothing of scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

BLUR_TAPS = 5


@dataclass(frozen=True, slots=True)
class Windows:
    """T x T windows (`patch_size`) whose centres stand on rows and columns divisible by `stride`.

    `band_width` and `first_column` say which cross-web band a window belongs to; a `band_width`
    of None means one band.
    """

    patch_size: int
    stride: int = 1
    band_width: int | None = None
    first_column: int = 0

    @property
    def radius(self) -> int:
        """Positions between a centre and the edge of its window."""
        return self.patch_size // 2

    @property
    def area(self) -> int:
        """Positions in a window."""
        return self.patch_size**2

    def centres(self, length: int) -> int:
        """Number of window centres along an axis of `length` positions."""
        return -(-length // self.stride)

    def bands(self, columns: int, device: torch.device) -> Tensor:
        """Band of each window centre of a map of `columns` positions, int64."""
        centre = torch.arange(0, columns, self.stride, device=device)
        if self.band_width is None:
            return torch.zeros_like(centre)
        return (centre + self.first_column) // self.band_width


def mirror(length: int, pad: int, device: torch.device) -> Tensor:
    """Source index of each position of an axis padded by `pad`, edge sample not repeated."""
    index = torch.arange(-pad, length + pad, device=device).abs()
    return (length - 1) - (length - 1 - index).abs()


def pad_mirrored(maps: Tensor, pad: int) -> Tensor:
    """(C, H, W) -> (C, H + 2 pad, W + 2 pad), mirrored; any type of number."""
    rows = mirror(maps.shape[1], pad, maps.device)
    columns = mirror(maps.shape[2], pad, maps.device)
    return maps.index_select(1, rows).index_select(2, columns)


def gaussian(taps: int, sigma: float) -> list[float]:
    """Weights of an odd number of taps, sum 1 over these taps; an infinite sigma is a flat box."""
    weights = [math.exp(-0.5 * ((tap - taps // 2) / sigma) ** 2) for tap in range(taps)]
    total = sum(weights)
    return [weight / total for weight in weights]


def blur(maps: Tensor, axes: tuple[int, ...], sigma: float) -> Tensor:
    """Gaussian of 5 taps along each of `axes`, mirrored at their ends (length 3 at least)."""
    for axis in axes:
        maps = _blur_axis(maps, axis, gaussian(BLUR_TAPS, sigma))
    return maps


def _blur_axis(maps: Tensor, axis: int, taps: list[float]) -> Tensor:
    # Tap by tap, product and sum apart: the bits of a position do not depend on where it lies.
    length = maps.shape[axis]
    padded = maps.index_select(axis, mirror(length, BLUR_TAPS // 2, maps.device))
    total = padded.narrow(axis, 0, length) * taps[0]
    for index, weight in enumerate(taps[1:], start=1):
        total += padded.narrow(axis, index, length) * weight
    return total


def running_sums(values: Tensor, count: int, step: int = 1) -> Tensor:
    """Sum of `count` entries that lie `step` apart, from each entry of axis 0 on.

    Doubles the summed span, so that 9 entries cost 4 additions. The result is shorter by
    (count - 1) * step; the caller chooses a type that holds the sums.
    """
    length = values.shape[0] - (count - 1) * step
    total: Tensor | None = None
    offset, span = 0, 1
    while span <= count:
        if count & span:
            part = values[offset : offset + length]
            total = part if total is None else total + part
            offset += span * step
        if 2 * span <= count:
            values = values[: -span * step] + values[span * step :]
        span *= 2
    return values if total is None else total


def counting_type(limit: int) -> torch.dtype:
    """The narrowest integer type that holds 0..limit."""
    if limit <= torch.iinfo(torch.uint8).max:
        return torch.uint8
    return torch.int16 if limit <= torch.iinfo(torch.int16).max else torch.int32
