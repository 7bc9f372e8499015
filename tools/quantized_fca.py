"""Quantized FCA, rebuilt from its published summary to compare with; not a kernel of the product.

What is published and was at hand (Ardelean, Rueckbeil and Weyrich, "Quantized FCA", arXiv
2510.15602, the abstract): the patch statistics comparison of FCA works on histograms of quantised
values, which makes it about ten times faster at little or no loss, and features are preprocessed
by a principal component analysis that raises the contrast between normal and anomalous ones.

What is ours: everything that the abstract leaves open. Values are rounded to equally spaced
levels; a window is the histogram of its levels; the reference is the median cumulative histogram
of the non-overlapping windows, as in FCA; a window's histogram is moved to the reference by the
optimal (monotone) transport, and a level costs the mean distance that its mass moves. From there
on it is FCA: a position gets the cost of its level in each window that holds it, weighted by a
Gaussian; in place of the blur inside the windows, which no longer exist one by one, the finished
map is blurred. principal_axes.py holds our readings of the other step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

import kernels
from kernels.windows import blur, gaussian, pad_mirrored

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK = 1 << 21  # numbers per temporary: 8 MB stay in the caches


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Levels, side of the windows in features, Gaussian of a position, blur of the map."""

    levels: int = 16
    patch_size: int = 9
    sigma_p: float = 3.0
    sigma_blur: float = 1.0


def round_to_levels(scaled: Tensor, levels: int) -> Tensor:
    """(C, H, W) float32 in 0..1 to uint8 levels, floor(z (levels - 1) + 0.5)."""
    return scaled.mul(levels - 1).add_(0.5).floor_().to(torch.uint8)


def quantized_fca(scaled: Tensor, how: Quantisation) -> Tensor:
    """(C, H, W) float32 in 0..1 to an anomaly map (H, W) float32, 1 = the whole range.

    Borders stay darker, as in FCA. Raises ValueError as `kernels.median_reference`.
    """
    levels = round_to_levels(scaled, how.levels)
    reference = kernels.median_reference(levels, how.patch_size).to(torch.float32)
    channels, height, width = levels.shape
    total = torch.zeros(height, width)
    step = max(1, _CHUNK // (height * width * how.levels))
    for first in range(0, channels, step):
        chunk = slice(first, first + step)
        costs = _level_costs(levels[chunk], reference[chunk], how)
        spread = _spread(costs, gaussian(how.patch_size, how.sigma_p))
        own = levels[chunk].to(torch.int64).unsqueeze(0)
        total += spread.gather(0, own).sum((0, 1))
    return blur(total / (channels * (how.levels - 1)), (0, 1), how.sigma_blur)


def _level_costs(levels: Tensor, reference: Tensor, how: Quantisation) -> Tensor:
    """(c, H, W) -> (levels, c, H, W): what a level pays in the window centred on each position."""
    counts = _cumulative_histograms(levels, how)
    level = torch.arange(how.levels, dtype=torch.float32).view(-1, 1, 1)
    # paid[l, c, k]: what level l pays when it fills the first k ranks of the reference
    paid = torch.nn.functional.pad((level - reference).abs_().cumsum(-1), (1, 0))
    flat = paid.view(how.levels, levels.shape[0], -1)
    pays = flat.gather(2, counts[1:].flatten(2)) - flat.gather(2, counts[:-1].flatten(2))
    mass = (counts[1:] - counts[:-1]).flatten(2)
    return pays.div_(mass.clamp_(min=1)).view(how.levels, *levels.shape)


def _cumulative_histograms(levels: Tensor, how: Quantisation) -> Tensor:
    """(c, H, W) -> (levels + 1, c, H, W) int64: values below each level, mirrored borders."""
    padded = pad_mirrored(levels, how.patch_size // 2)
    bound = torch.arange(how.levels + 1, dtype=torch.uint8).view(-1, 1, 1, 1)
    below = (padded < bound).to(torch.int32)
    side = how.patch_size
    for axis in (2, 3):
        sums = below.cumsum(axis, dtype=torch.int32)
        length = sums.shape[axis]
        below = sums.narrow(axis, side - 1, length - side + 1).clone()
        below.narrow(axis, 1, length - side).sub_(sums.narrow(axis, 0, length - side))
    return below.to(torch.int64)


def _spread(costs: Tensor, taps: list[float]) -> Tensor:
    """Weighted sum over the windows inside the map that hold a position; last two axes."""
    radius = len(taps) // 2
    for axis in (2, 3):
        size = costs.shape[axis]
        total = torch.zeros_like(costs)
        for offset, tap in enumerate(taps, -radius):
            length = size - abs(offset)
            target = total.narrow(axis, max(-offset, 0), length)
            target.add_(costs.narrow(axis, max(offset, 0), length), alpha=tap)
        costs = total
    return costs
