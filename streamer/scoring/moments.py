"""Local against global moments of features; knows features, not pixels (ALGORITHMS: relatives).

The statistic of Ardelean and Weyrich's comparison ("High-Fidelity Zero-Shot Texture Anomaly
Localization Using Feature Correspondence Analysis", WACV 2024, arXiv 2304.06433).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamer.scoring.checks import check_map, check_maps, check_reference, finite_scores
from streamer.scoring.features import scaled
from streamer.scoring.neighbourhoods import channel_chunks, gaussian_average, mean_of_averages
from streamer.scoring.plain_statistic import PlainStatistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale

POWERS = 4  # as in the authors' code; equation 2 of the paper has the mean alone
SIGMA = 6.0  # of the Gaussian over a window, as in the authors' code


@dataclass(frozen=True, slots=True)
class Moments(PlainStatistic):
    """Squared distance of the first four raw moments around a position to the usual ones.

    A moment of a position is the Gaussian average of a power over its window, the usual one the
    mean over all positions; the score is the mean over powers and channels.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "moments"

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to float32 in 0..1."""
        return scaled(features, scale)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to (C, 4): the mean of each moment over all positions."""
        check_maps(maps)
        for one in maps:
            check_map(one, self.patch_size, torch.float32)
        total = sum(self._means(one) * one[0].numel() for one in maps)
        return torch.as_tensor(total) / sum(one[0].numel() for one in maps)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32: squares of shares of the feature range."""
        check_map(quantised, self.patch_size, torch.float32)
        check_reference(reference, (quantised.shape[0], POWERS))
        total = torch.zeros(quantised.shape[1:], device=quantised.device)
        for chunk in channel_chunks(quantised):
            power = torch.ones_like(quantised[chunk])
            for exponent in range(POWERS):
                power.mul_(quantised[chunk])
                usual = reference[chunk, exponent].to(quantised.device).view(-1, 1, 1)
                moment = gaussian_average(power, self.patch_size, SIGMA)
                total += moment.sub_(usual).square_().sum(0)
        return finite_scores(total / (quantised.shape[0] * POWERS))

    def _means(self, features: torch.Tensor) -> torch.Tensor:
        parts = [
            mean_of_averages(features**exponent, self.patch_size, SIGMA)
            for exponent in range(1, POWERS + 1)
        ]
        return torch.stack(parts, dim=1)
