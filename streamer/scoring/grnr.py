"""Regression of a position from its neighbours, held near normal web; knows features, not pixels.

Yao et al., "Global-Regularized Neighborhood Regression for Efficient Zero-Shot Texture Anomaly
Detection" (GRNR), arXiv 2406.07333; equations by their numbers there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from kernels.windows import pad_mirrored
from streamer.message import require
from streamer.scoring.checks import check_map, check_maps, check_reference, finite_scores
from streamer.scoring.neighbourhoods import sample_positions
from streamer.scoring.plain_statistic import PlainStatistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale

POOL = 3  # side of the average before everything else, as published
TYPICAL = 40  # K, as published
STRENGTH = 5.0  # lambda, as published
RIDGE = 1e-6  # of the mean square of the neighbours; the authors add noise of 1e-3 instead
LARGEST_SAMPLE = 16384  # positions among which the typical ones are sought: a megapixel's
_BLOCK = 1 << 22  # distances, or squares of a strip, that are held at a time
_NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


@dataclass(frozen=True, slots=True)
class Grnr(PlainStatistic):
    """Distance of a position to what its eight neighbours make of the web's typical position.

    One level of the backbone, whatever it is (the paper fuses two, see `fuse_levels`). The K most
    typical positions matter through their mean alone: equation 18 is the projection of
    (q + lambda K mean) / (1 + lambda K) on the span of the neighbours. They are sought by the
    exact mean distance to all positions of up to a megapixel of web, in blocks, and among a
    seeded sample of as many beyond; the published code takes the first K instead. What is
    learnt is their mean, of averages with zeros beyond the edges, as published. What is scored
    is averaged over what is there, with mirrored neighbours; the published cut of three features,
    which hides those zeros, is left out: a line has no features to spare. `patch_size` says only
    how large a map must be.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "grnr"

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: average and neighbours."""
        return POOL // 2 + 1

    def quantise(self, features: Tensor, scale: ChannelScale) -> Tensor:
        """(C, H, W) float32 as they are: the paper scales nothing."""
        return features.to(torch.float32)

    def reference(self, maps: Sequence[Tensor]) -> Tensor:
        """(C, H, W) each to (C,): the mean of the 40 most typical positions."""
        check_maps(maps)
        for one in maps:
            check_map(one, self.patch_size, torch.float32)
        averages = [average(one, zeros_beyond=True) for one in maps]
        positions = sample_positions(averages, LARGEST_SAMPLE)
        return positions[typical_positions(positions, TYPICAL)].mean(0)

    def score(self, quantised: Tensor, reference: Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32, in units of the features, over all channels."""
        check_map(quantised, self.patch_size, torch.float32)
        check_reference(reference, (quantised.shape[0],))
        padded = pad_mirrored(average(quantised), 1)
        channels, lines, columns = padded.shape
        step = max(1, _BLOCK // (channels * columns))
        strips = [
            _residual(padded[:, first : min(first + step, lines - 2) + 2], reference)
            for first in range(0, lines - 2, step)
        ]
        return finite_scores(torch.cat(strips))


def average(features: Tensor, *, zeros_beyond: bool = False) -> Tensor:
    """(C, H, W) to the mean of the 3 x 3 neighbours that there are, or with zeros beyond edges."""
    return torch.nn.functional.avg_pool2d(
        features.unsqueeze(0), POOL, 1, POOL // 2, count_include_pad=zeros_beyond
    )[0]


def typical_positions(positions: Tensor, count: int) -> Tensor:
    """Indices of the `count` of (N, C) with the smallest mean distance to all others.

    In the order of that distance, the first on equality; all if there are fewer.
    """
    centred = positions - positions.mean(0)
    lengths = centred.square().sum(1)
    sums = torch.zeros(len(centred), dtype=torch.float64, device=centred.device)
    step = max(1, _BLOCK // len(centred))
    for first in range(0, len(centred), step):
        # To itself and the rest: the distances to those before are known from their blocks.
        block, rest = centred[first : first + step], centred[first:]
        away = torch.addmm(lengths[first:], block, rest.T, alpha=-2)
        away.add_(lengths[first : first + step].unsqueeze(1)).clamp_(min=0).sqrt_()
        sums[first : first + step] += away.sum(1, dtype=torch.float64)
        sums[first + step :] += away[:, step:].sum(0, dtype=torch.float64)
    return sums.argsort(stable=True)[:count]


def fuse_levels(maps: Sequence[Tensor], how: Literal["product", "sum"]) -> Tensor:
    """Maps of one size (H, W), each of a level of the backbone, to one (equation 20).

    Raises:
        ValueError: no map, or maps of different sizes; bring them to one size first.
    """
    sizes = {tuple(one.shape) for one in maps}
    require(len(sizes) == 1, "maps must be of one size", sorted(sizes))
    stacked = torch.stack(list(maps))
    return stacked.prod(dim=0) if how == "product" else stacked.sum(dim=0)


def _residual(padded: Tensor, typical: Tensor) -> Tensor:
    """(C, h + 2, w + 2) averages with their neighbours to (h, w) scores (equations 18, 19)."""
    share = STRENGTH * TYPICAL / (1 + STRENGTH * TYPICAL)
    query = padded[:, 1:-1, 1:-1]
    target = torch.lerp(query, typical.to(padded.device).view(-1, 1, 1), share)
    weights = _regression(padded, target)
    explained = torch.zeros_like(query)
    for neighbour, weight in zip(_NEIGHBOURS, weights, strict=True):
        explained.addcmul_(_shifted(padded, neighbour), weight)
    return explained.sub_(query).square_().sum(0).sqrt_()


def _regression(padded: Tensor, target: Tensor) -> Tensor:
    """(8, h, w): weights of the neighbours that make the target, by their 8 x 8 systems."""
    gram = _gram(padded)
    count = len(_NEIGHBOURS)
    ridge = RIDGE * gram.diagonal(dim1=-2, dim2=-1).mean(-1) + torch.finfo(torch.float32).tiny
    gram = gram + ridge[..., None, None] * torch.eye(count, dtype=gram.dtype, device=gram.device)
    along = torch.stack([_product(_shifted(padded, one), target) for one in _NEIGHBOURS], dim=-1)
    weights: Tensor = torch.linalg.solve(gram, along.unsqueeze(-1)).squeeze(-1)
    return weights.permute(2, 0, 1).to(torch.float32)


def _gram(padded: Tensor) -> Tensor:
    """(h, w, 8, 8) float64 inner products of the neighbours of each position.

    Those of one displacement are one product of the map with its shifted self.
    """
    rows, columns = padded.shape[1] - 2, padded.shape[2] - 2
    size = len(_NEIGHBOURS)
    gram = padded.new_zeros(rows, columns, size, size, dtype=torch.float64)
    shifted: dict[tuple[int, int], Tensor] = {}
    for i, (top, left) in enumerate(_NEIGHBOURS):
        for j, (bottom, right) in enumerate(_NEIGHBOURS[i:], start=i):
            step = bottom - top, right - left  # never upwards: neighbours are in raster order
            if step not in shifted:
                shifted[step] = _self_product(padded, step)
            first_column = 1 + min(left, right)
            part = shifted[step][1 + top :][:rows, first_column : first_column + columns]
            gram[..., i, j] = gram[..., j, i] = part
    return gram


def _self_product(padded: Tensor, step: tuple[int, int]) -> Tensor:
    """Inner product of each position with the one `step` further, as far as both are there.

    Row 0 is that of the upper one, column 0 that of the left one.
    """
    down, right = step
    _, lines, columns = padded.shape
    upper, lower = padded[:, : lines - down], padded[:, down:]
    width = columns - abs(right)
    left = max(0, -right)
    return _product(upper[:, :, left : left + width], lower[:, :, left + right :][:, :, :width])


def _product(one: Tensor, other: Tensor) -> Tensor:
    """Inner products over the channels, (h, w) float64: near neighbours nearly cancel."""
    return (one * other).sum(0, dtype=torch.float64)


def _shifted(padded: Tensor, neighbour: tuple[int, int]) -> Tensor:
    down, right = neighbour
    rows, columns = padded.shape[1] - 2, padded.shape[2] - 2
    return padded[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
