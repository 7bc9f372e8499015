"""FCA in torch, by counting: the specification and the fallback on any device; checks no input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kernels.ranks import rank_errors, rank_windows, values_by_offset
from kernels.windows import Windows, blur, gaussian, mirror

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from kernels.ranks import Ties

# Positions x window area of a block: its counts, indices and errors together take about 50 MB.
_BLOCK = 20_000 * 81


@dataclass(frozen=True, slots=True)
class Weights:
    """Gaussian weight of a position in its window, and the blur inside the window (None: off)."""

    sigma_p: float = 3.0
    sigma_s: float | None = 1.0


@dataclass(frozen=True, slots=True)
class _References:
    """References (bands, K, C, T*T) and the band of each window column."""

    table: Tensor
    bands: Tensor

    @property
    def count(self) -> int:
        """K, the references that each window may choose from."""
        return self.table.shape[1]

    def rows(self, which: int, channels: range) -> Tensor:
        """Row of `table`, as (bands * K * C, T*T), by (channel, 1, window column)."""
        _, count, every, _ = self.table.shape
        channel = torch.arange(channels.start, channels.stop, device=self.table.device)
        return (self.bands * count + which) * every + channel.view(-1, 1, 1)


def channel_range(features: Tensor) -> Tensor:
    """(C, H, W) -> (C, 2): smallest and largest value of each channel."""
    return torch.stack(torch.aminmax(features.flatten(1), dim=1), dim=1)


def score(
    features: Tensor, reference: Tensor, windows: Windows, weights: Weights, ties: Ties
) -> Tensor:
    """Steps 3 to 7 of FCA (Ardelean & Weyrich, WACV 2024) -> (H, W) float32.

    `features` (C, H, W) float32 or uint8, `reference` (bands, K, C, T*T) in the same units,
    ascending. Errors are in the units of the features.
    """
    _, height, width = features.shape
    side, pad = windows.patch_size, windows.radius
    taps = torch.tensor(gaussian(side, weights.sigma_p), device=features.device)
    weight = (taps.view(-1, 1) * taps).view(side, side, 1, 1)
    total = torch.zeros(height + 2 * pad, width + 2 * pad, device=features.device)
    first = 0
    for errors in window_errors(features, reference, windows, ties):
        for one in errors:
            blurred = one if weights.sigma_s is None else blur(one, (0, 1), weights.sigma_s)
            torch.mul(blurred, weight, out=one)
        _scatter(total, _best(errors), first, windows)
        first += errors.shape[-2]
    return renormalise(
        total[pad : pad + height, pad : pad + width].clone(), windows, weights.sigma_p
    )


def window_errors(
    features: Tensor, reference: Tensor, windows: Windows, ties: Ties
) -> Iterator[Tensor]:
    """M(o; c), the errors of each window averaged over the channels (step 5).

    Yields (K, T, T, rows, columns) float32 for one strip of window rows after the other; as many
    rows as keep the extra memory bounded. See `score` for the arguments.
    """
    references = _References(
        reference.to(torch.float32), windows.bands(features.shape[2], features.device)
    )
    rows = windows.centres(features.shape[1])
    positions = _BLOCK // windows.area // (1 + references.count // 4)
    positions //= 4 if ties == "mean" else 1  # It holds several 64-bit numbers per rank.
    line = features.shape[2] + 2 * windows.radius
    step = max(windows.patch_size, (positions // line - windows.patch_size) // windows.stride + 1)
    for first in range(0, rows, step):
        strip = range(first, min(first + step, rows))
        yield _strip_errors(features, references, _Block(windows, strip, positions), ties)


@dataclass(frozen=True, slots=True)
class _Block:
    """A strip of window rows, and how many positions to work on at a time."""

    windows: Windows
    rows: range
    positions: int

    def channels(self, features: Tensor) -> Iterator[range]:
        """Runs of channels that fit."""
        line = features.shape[2] + 2 * self.windows.radius
        step = max(1, self.positions // (line * self._lines))
        for first in range(0, features.shape[0], step):
            yield range(first, min(first + step, features.shape[0]))

    @property
    def _lines(self) -> int:
        return (len(self.rows) - 1) * self.windows.stride + self.windows.patch_size

    def pad(self, features: Tensor, channels: range) -> Tensor:
        """The mirrored features that the windows of the strip hold."""
        first = self.rows.start * self.windows.stride
        _, height, width = features.shape
        lines = mirror(height, self.windows.radius, features.device)[first : first + self._lines]
        columns = mirror(width, self.windows.radius, features.device)
        chosen = features[channels.start : channels.stop]
        return chosen.index_select(1, lines).index_select(2, columns).contiguous()


def _strip_errors(features: Tensor, references: _References, block: _Block, ties: Ties) -> Tensor:
    side = block.windows.patch_size
    shape = (references.count, side, side, len(block.rows), references.bands.numel())
    total = torch.zeros(shape, device=features.device)
    for channels in block.channels(features):
        padded = block.pad(features, channels)
        ranks = rank_windows(padded, block.windows, ties)
        values = values_by_offset(padded.to(torch.float32), block.windows)
        for which, errors in enumerate(total):
            rows = references.rows(which, channels)
            # One channel after the other: the bits do not depend on how many fit in a run.
            for one in rank_errors(values, ranks, references.table, rows).unbind(2):
                errors += one
    return total.div_(features.shape[0])


def _best(errors: Tensor) -> Tensor:
    """Of the weighted errors (K, T, T, rows, columns) those with the smallest sum per window."""
    best = errors[0]
    if errors.shape[0] == 1:
        return best
    smallest = _window_sum(best)
    for one in errors[1:]:
        candidate = _window_sum(one)
        better = candidate < smallest
        smallest = torch.where(better, candidate, smallest)
        best = torch.where(better, one, best)
    return best


def _window_sum(errors: Tensor) -> Tensor:
    # Term by term, so that equal windows have equal sums wherever they lie.
    total = torch.zeros_like(errors[0, 0])
    for one in errors.flatten(0, 1):
        total += one
    return total


def _scatter(total: Tensor, weighted: Tensor, first: int, windows: Windows) -> None:
    """Add (T, T, rows, columns) of the window rows from `first` on to a padded map.

    Offsets run backwards: a position sums its windows from top left to bottom right, across strips
    too, so that the cut into strips does not change a bit.
    """
    side, _, rows, columns = weighted.shape
    stride = windows.stride
    for down in reversed(range(side)):
        lines = total[first * stride + down :][: (rows - 1) * stride + 1 : stride]
        for right in reversed(range(side)):
            lines[:, right : right + (columns - 1) * stride + 1 : stride] += weighted[down, right]


def renormalise(scores: Tensor, windows: Windows, sigma_p: float) -> Tensor:
    """Scale each phase of a strided (H, W) map: weights of an interior position then sum to 1."""
    if windows.stride == 1:
        return scores
    taps = torch.tensor(gaussian(windows.patch_size, sigma_p), device=scores.device)
    starts = [(phase + windows.radius) % windows.stride for phase in range(windows.stride)]
    share = torch.stack([taps[start :: windows.stride].sum() for start in starts])
    height, width = scores.shape
    rows = share[torch.arange(height, device=scores.device) % windows.stride]
    columns = share[torch.arange(width, device=scores.device) % windows.stride]
    return scores / (rows.view(-1, 1) * columns)
