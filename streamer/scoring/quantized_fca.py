"""Quantized FCA, rebuilt from its published summary; knows features, not pixels.

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
map is blurred. The principal component analysis is no part of it: it would have to be learnt and
saved with the profile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch

from kernels.windows import blur, counting_type, gaussian, pad_mirrored, running_sums
from streamer.scoring.checks import check_map, check_reference, finite_scores
from streamer.scoring.features import to_levels
from streamer.scoring.references import References, one_by_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from streamer import config
    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.method import Parameter

BLUR_RADIUS = 2  # features that the blur of the map reaches
_CHUNK = 1 << 19  # numbers per temporary: 2 MB stay in the caches


@dataclass(frozen=True, slots=True)
class QuantizedFca:
    """FCA on histograms of a few levels.

    `levels`, side of the windows in features, Gaussian of a position in a window, blur of the map.
    """

    patch_size: int = 9
    levels: int = 16
    sigma_p: float = 3.0
    sigma_blur: float = 1.0
    references: References = field(default_factory=References)

    @classmethod
    def of(cls, settings: config.Scoring) -> QuantizedFca:
        """As configured."""
        sigmas = settings.sigma_p, settings.sigma_blur
        return cls(settings.patch_size, settings.levels, *sigmas, References.of(settings))

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "quantized_fca"

    @property
    def kernel(self) -> None:
        """Written in torch."""
        return

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: windows, and the blur of the map."""
        return self.patch_size - 1 + BLUR_RADIUS

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score."""
        return {
            "patch_size": self.patch_size,
            "levels": self.levels,
            "sigma_p": self.sigma_p,
            "sigma_blur": self.sigma_blur,
            **self.references.parameters,
        }

    def quantise(self, features: Tensor, scale: ChannelScale) -> Tensor:
        """(C, H, W) float32 to uint8 levels."""
        return to_levels(features, scale, self.levels)

    def reference(self, maps: Sequence[Tensor]) -> Tensor:
        """Levels (C, H, W) each to (C, T * T) or (K, C, T * T), as `References.learn`."""
        return self.references.learn(maps, self.patch_size)

    def score(self, quantised: Tensor, reference: Tensor) -> ScoreArray:
        """(C, H, W) levels to (H, W) float32, 1 = the whole range; borders darker, as in FCA."""
        check_map(quantised, self.patch_size, torch.uint8)
        several = () if self.references.kind == "median" else (None,)
        shape = (*several, quantised.shape[0], self.patch_size**2)
        check_reference(reference, shape, torch.uint8)

        score_each = one_by_one(partial(self._score_one, quantised))
        return finite_scores(self.references.combine(score_each, reference))

    def _score_one(self, levels: Tensor, windows: Tensor) -> Tensor:
        reference = windows.to(levels.device, torch.float32)
        channels, height, width = levels.shape
        total = torch.zeros(height, width, device=levels.device)
        step = max(1, _CHUNK // (height * width * self.levels))
        for first in range(0, channels, step):
            chunk = slice(first, first + step)
            costs = _level_costs(levels[chunk], reference[chunk], self)
            spread = _spread(costs, gaussian(self.patch_size, self.sigma_p))
            own = levels[chunk].to(torch.int64).unsqueeze(0)
            total += spread.gather(0, own).sum((0, 1))
        return blur(total / (channels * (self.levels - 1)), (0, 1), self.sigma_blur)


def _level_costs(levels: Tensor, reference: Tensor, how: QuantizedFca) -> Tensor:
    """(c, H, W) -> (levels, c, H, W): what a level pays in the window centred on each position."""
    counts = _cumulative_histograms(levels, how)
    level = torch.arange(how.levels, dtype=torch.float32, device=levels.device).view(-1, 1, 1)
    # paid[l, c, k]: what level l pays when it fills the first k ranks of the reference
    paid = torch.nn.functional.pad((level - reference).abs_().cumsum(-1), (1, 0))
    filled = counts.flatten(2).to(torch.int64)
    pays = paid.gather(2, filled[1:]).sub_(paid.gather(2, filled[:-1]))
    mass = (counts[1:] - counts[:-1]).flatten(2).clamp_(min=1)
    return pays.div_(mass).view(how.levels, *levels.shape)


def _cumulative_histograms(levels: Tensor, how: QuantizedFca) -> Tensor:
    """(c, H, W) -> (levels + 1, c, H, W) integers: values below each level, mirrored borders."""
    side = how.patch_size
    padded = pad_mirrored(levels, side // 2)
    bound = torch.arange(how.levels + 1, dtype=torch.uint8, device=levels.device)
    below = padded < bound.view(-1, 1, 1, 1)
    shape, width = below.shape[:2], padded.shape[2]
    # Flat sums: what wraps around a row's end belongs to no window, and is cut off.
    flat = below.view(torch.uint8).to(counting_type(side**2)).flatten()
    for step in (1, width):
        flat = running_sums(flat, side, step)
    missing = below.numel() - flat.numel()
    sums = torch.nn.functional.pad(flat, (0, missing)).view(*shape, -1, width)
    return sums[:, :, : levels.shape[1], : levels.shape[2]]


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
