"""Distances to the nearest positions of normal web; knows features, not pixels.

Aota, Tong and Okatani, "Zero-Shot Versus Many-Shot: Unsupervised Texture Anomaly Detection",
WACV 2023, in the two forms in which it is public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from streamer.message import require
from streamer.scoring.checks import check_map, check_maps, check_reference, finite_scores
from streamer.scoring.features import scaled
from streamer.scoring.neighbourhoods import gaussian_average, sample_positions
from streamer.scoring.plain_statistic import PlainStatistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale

NEAREST = 400  # as published, of the 1600 positions of an image of 320 x 320 pixels
LARGEST_BANK = 4096  # positions that are remembered; of more, a seeded sample is
SIGMA = 100.0  # of the average over a window: practically a box, as in the code of FCA's authors
POOL = 3  # side of the average in the original script
CUT = 3  # features at the edges of a map that the original script drops
_BLOCK = 1 << 22  # distances that are held at a time: 16 MB


@dataclass(frozen=True, slots=True)
class Aota(PlainStatistic):
    """As FCA's authors compare with it: mean squared distance to the 400 nearest positions.

    Scaled features are averaged over a window, mirrored at the edges; the 400 nearest are sought
    in a bank of positions, the position itself among them where the bank is its own map. A map of
    up to 4,096 positions is its own bank, as published; of larger ones a seeded sample is. On the
    line the bank is what the profile has learnt, so that tiles are comparable.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "aota"

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to float32 in 0..1."""
        return scaled(features, scale)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to the bank (N, C), N <= 4096."""
        check_maps(maps)
        for one in maps:
            check_map(one, self.patch_size, torch.float32)
        averages = [gaussian_average(one, self.patch_size, SIGMA) for one in maps]
        return sample_positions(averages, LARGEST_BANK)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32: squares of the feature range, summed over the channels."""
        check_map(quantised, self.patch_size, torch.float32)
        check_reference(reference, (None, quantised.shape[0]))
        averages = gaussian_average(quantised, self.patch_size, SIGMA)
        return finite_scores(nearest_distances(averages, reference, NEAREST))


@dataclass(frozen=True, slots=True)
class AotaOriginal(PlainStatistic):
    """As the authors' script has it: mean distance to the 400 nearest positions.

    Features as they are, averaged over 3 x 3 with zeros beyond the edge; Euclidean distances; the
    outermost three features of a map take the smallest score of what was learnt, so that at the
    edges of a web, where its averages are dark, it never alarms. `patch_size` says only how large
    a map must be. The bank is that of `Aota`; learning it costs as much as a score.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "aota_original"

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: a tile's own edges are dropped."""
        return CUT

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 as they are: the script scales nothing."""
        return features.to(torch.float32)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to (1 + N, C): the smallest score, in the first row, and the bank."""
        check_maps(maps)
        for one in maps:
            check_map(one, self.patch_size, torch.float32)
        averages = [_box_average(one) for one in maps]
        bank = sample_positions(averages, LARGEST_BANK)
        smallest = min(float(_distances(one, bank).min()) for one in averages)
        return torch.cat([torch.full_like(bank[:1], smallest), bank])

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32, in units of the features."""
        check_map(quantised, self.patch_size, torch.float32)
        check_reference(reference, (None, quantised.shape[0]))
        require(len(reference) > 1, "reference must hold a bank", f"{len(reference)} row")
        scores = torch.full(quantised.shape[1:], float(reference[0, 0]), device=quantised.device)
        inner = _box_average(quantised)[:, CUT:-CUT, CUT:-CUT]
        scores[CUT:-CUT, CUT:-CUT] = _distances(inner, reference[1:])
        return finite_scores(scores)


def nearest_distances(
    averages: torch.Tensor, bank: torch.Tensor, count: int, *, squared: bool = True
) -> torch.Tensor:
    """Mean distance of each position of (C, H, W) to the `count` nearest of (N, C): (H, W).

    To all of the bank if it holds less. Computed in blocks of positions.
    """
    channels, rows, columns = averages.shape
    centre = bank.mean(0)  # Distances are differences of squares: small squares lose less.
    known = (bank - centre).to(averages.device)
    lengths = known.square().sum(1)
    positions = averages.reshape(channels, -1).T - centre.to(averages.device)
    parts = []
    for block in torch.split(positions, max(1, _BLOCK // len(known))):
        away = torch.addmm(lengths, block, known.T, alpha=-2)
        away.add_(block.square().sum(1, keepdim=True)).clamp_(min=0)
        nearest = away.topk(min(count, len(known)), dim=1, largest=False, sorted=False).values
        parts.append(nearest.mean(1) if squared else nearest.sqrt_().mean(1))
    return torch.cat(parts).view(rows, columns)


def _distances(averages: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    return nearest_distances(averages, bank, NEAREST, squared=False)


def _box_average(features: torch.Tensor) -> torch.Tensor:
    """Divided by 9 at the edges too."""
    return torch.nn.functional.avg_pool2d(features.unsqueeze(0), POOL, 1, POOL // 2)[0]
