"""Local against global histograms of features; knows features, not pixels (ALGORITHMS: relatives).

The statistic of Ardelean and Weyrich's comparison ("High-Fidelity Zero-Shot Texture Anomaly
Localization Using Feature Correspondence Analysis", WACV 2024, arXiv 2304.06433).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamer.scoring.checks import check_map, check_maps, check_reference, finite_scores
from streamer.scoring.neighbourhoods import channel_chunks, gaussian_average, mean_of_averages
from streamer.scoring.plain_statistic import PlainStatistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale

BINS = 10  # as published
SIGMA = 6.0  # of the Gaussian over a window, as in the authors' code
TOP = 0.999  # keeps the largest value in the last bin, as in the authors' code


@dataclass(frozen=True, slots=True)
class Histogram(PlainStatistic):
    """Earth mover's distance between the histogram around a position and the usual one.

    Features fall into ten bins; the histogram of a position is the Gaussian average over its
    window, and the usual one the mean over all positions. The score is the mean over bins and
    channels of the difference of the cumulative histograms. The paper's second scaling, per
    image, is left out: scaled features fill 0..1 already, and tiles of a web stay comparable.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "histogram"

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to uint8 bins, floor(0.999 * 10 * z), one channel a time."""
        bins = torch.empty(features.shape, dtype=torch.uint8, device=features.device)
        for channel, values in enumerate(features):
            bins[channel] = scale.apply(values, channel).mul_(TOP * BINS).to(torch.uint8)
        return bins

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Bins (C, H, W) each to (C, 9): the share of values up to bins 0 to 8 in all windows."""
        check_maps(maps)
        for one in maps:
            check_map(one, self.patch_size, torch.uint8)
        total = sum(self._shares(one) * one[0].numel() for one in maps)
        return torch.as_tensor(total) / sum(one[0].numel() for one in maps)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) bins to (H, W) float32: 0 is the usual histogram, 0.9 the farthest."""
        check_map(quantised, self.patch_size, torch.uint8)
        check_reference(reference, (quantised.shape[0], BINS - 1))
        total = torch.zeros(quantised.shape[1:], device=quantised.device)
        for chunk in channel_chunks(quantised):
            for last in range(BINS - 1):
                reached = (quantised[chunk] <= last).to(torch.float32)
                share = gaussian_average(reached, self.patch_size, SIGMA)
                usual = reference[chunk, last].to(quantised.device).view(-1, 1, 1)
                total += share.sub_(usual).abs_().sum(0)
        # All values lie up to the last bin: it adds nothing, but it counts in the mean.
        return finite_scores(total / (quantised.shape[0] * BINS))

    def _shares(self, bins: torch.Tensor) -> torch.Tensor:
        parts = [
            mean_of_averages((bins <= last).to(torch.float32), self.patch_size, SIGMA)
            for last in range(BINS - 1)
        ]
        return torch.stack(parts, dim=1)
