"""Which labelled regions are hit at a share of false area, small ones apart; computes no map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.judging import judge, region_peaks
from streamer.evaluation.paired_bootstrap import Paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.evaluation.judging import ScoredImage

    Values = NDArray[np.float64]

CROP_SHARE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The regions of some images that share a threshold, and what lies above their peaks.

    Attributes:
        sizes: pixels of each region that are judged, (regions,).
        owners: image of each region.
        above: (regions, images) normal pixels of each image that score as high or higher.
        normal: normal pixels of each image.
    """

    sizes: NDArray[np.int64]
    owners: NDArray[np.intp]
    above: NDArray[np.float64]
    normal: NDArray[np.float64]

    @classmethod
    def of(cls, images: Sequence[ScoredImage]) -> Peaks:
        """From maps and masks; masked pixels count nowhere, and regions below them are not hit."""
        sizes, peaks, owners, normal = [], [], [], []
        for number, image in enumerate(images):
            pixels = judge(image, CROP_SHARE)
            counts = np.bincount(pixels.regions, minlength=pixels.region_total + 1)[1:]
            sizes.append(counts)
            peaks.append(region_peaks(pixels))
            owners.append(np.full(counts.size, number))
            normal.append(np.sort(pixels.scores[pixels.regions == 0]))
        levels = np.concatenate(peaks)
        above = [scores.size - np.searchsorted(scores, levels, side="left") for scores in normal]
        return cls(
            np.concatenate(sizes).astype(np.int64),
            np.concatenate(owners).astype(np.intp),
            np.stack(above, axis=1).astype(np.float64),
            np.array([scores.size for scores in normal], np.float64),
        )


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """Regions of `least` pixels up to below `end`, at a share of false area."""

    least: int
    end: int
    false_area: float

    def chooses(self, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(regions,) which are counted."""
        return (sizes >= self.least) & (sizes < self.end)


def paired_hits(
    base: Sequence[Peaks], form: Sequence[Peaks], how: SizeLimit, draws: Sequence[Values]
) -> Paired:
    """Hit shares of a form against the base, regions of all pools counted alike.

    `draws[pool]` (1 + resamples, images): the first row counts each image once. Regions are
    chosen by their size under the base, so that both are asked for the same ones.
    """
    chosen = [how.chooses(pool.sizes) for pool in base]
    own, other = (_hit_shares(pools, how, chosen, draws) for pools in (base, form))
    return Paired(float(own[0]), float(other[0]), (other - own)[1:])


def _hit_shares(
    pools: Sequence[Peaks],
    how: SizeLimit,
    chosen: Sequence[NDArray[np.bool_]],
    draws: Sequence[Values],
) -> Values:
    """(1 + resamples,) over the regions of all pools."""
    hits, regions = (np.zeros(len(draws[0])) for _ in range(2))
    for pool, mine, drawn in zip(pools, chosen, draws, strict=True):
        weights = drawn[:, pool.owners] * mine
        normal = np.maximum(drawn @ pool.normal, 1.0)
        hit = (drawn @ pool.above.T) / normal[:, None] < how.false_area
        hits += (weights * hit).sum(axis=1)
        regions += weights.sum(axis=1)
    shares: Values = np.full(hits.size, np.nan)
    np.divide(hits, regions, out=shares, where=regions > 0)
    return shares
