"""Averages over the neighbours of a position, and samples of positions; knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels.windows import gaussian, mirror

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_CHUNK = 1 << 18  # numbers of a temporary: 1 MB stays in the caches


def channel_chunks(maps: Tensor) -> Iterator[slice]:
    """Runs of channels of (C, H, W) whose temporaries stay in the caches."""
    channels, rows, columns = maps.shape
    step = max(1, _CHUNK // (rows * columns))
    for first in range(0, channels, step):
        yield slice(first, min(first + step, channels))


def gaussian_average(maps: Tensor, size: int, sigma: float) -> Tensor:
    """Weighted mean over the `size` x `size` neighbours of each position: (C, H, W) float32.

    A separable Gaussian over `size` taps (odd) whose weights sum to 1, mirrored at the edges
    without repeating the edge (needs H, W > size // 2). Tap by tap, so that the bits of a
    position do not depend on where it lies in the map.
    """
    taps = gaussian(size, sigma)
    for axis in (1, 2):
        maps = _average_along(maps, axis, taps)
    return maps


def average_shares(length: int, size: int, sigma: float) -> Tensor:
    """(length,) float32: how much each position counts in the mean of averages along one axis.

    The mean of `gaussian_average` over a map is the sum of the map times the product of the
    shares of its rows and columns.
    """
    places = mirror(length, size // 2, torch.device("cpu"))
    shares = torch.zeros(length, dtype=torch.float64)
    for offset, tap in enumerate(gaussian(size, sigma)):
        ones = torch.full((length,), tap, dtype=torch.float64)
        shares.index_add_(0, places[offset : offset + length], ones)
    return (shares / length).to(torch.float32)


def mean_of_averages(maps: Tensor, size: int, sigma: float) -> Tensor:
    """(C, H, W) float32 to (C,): the spatial mean of `gaussian_average(maps, size, sigma)`."""
    _, rows, columns = maps.shape
    down = average_shares(rows, size, sigma).to(maps.device)
    across = average_shares(columns, size, sigma).to(maps.device)
    return (maps @ across) @ down


def sample_positions(maps: Sequence[Tensor], most: int) -> Tensor:
    """The features of the positions of `maps`, each (C, H, W): (N, C), N <= `most`.

    All of them in order, or a sample that depends on nothing but their number.
    """
    positions = torch.cat([one.flatten(1).T for one in maps])
    return positions[sample_indices(len(positions), most).to(positions.device)]


def sample_indices(count: int, most: int) -> Tensor:
    """Ascending indices below `count`, `most` at most: all, or a seeded sample without repeats.

    A regular grid would beat against a periodic texture.
    """
    if count <= most:
        return torch.arange(count)
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most]
    return chosen.sort().values


def _average_along(maps: Tensor, axis: int, taps: list[float]) -> Tensor:
    length = maps.shape[axis]
    padded = maps.index_select(axis, mirror(length, len(taps) // 2, maps.device))
    total = padded.narrow(axis, 0, length) * taps[0]
    for offset, tap in enumerate(taps[1:], start=1):
        total.add_(padded.narrow(axis, offset, length), alpha=tap)
    return total
