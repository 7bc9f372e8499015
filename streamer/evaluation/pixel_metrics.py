"""Accuracy of score maps against labelled pixels: AUROC, AP, max F1, PRO; knows no method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EIGHT_NEIGHBOURS = np.ones((3, 3), np.int8)
PRO_LIMIT = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """What lies at each threshold, the highest first; the counts of several maps add up.

    Attributes:
        normal: normal pixels with that score.
        defective: defective pixels with that score.
        coverage: sum over the regions of the share of the region with that score; adds up to the
            number of regions that can be seen.
        missed: regions of which nothing can be seen (masked); no threshold covers them.
    """

    normal: NDArray[np.float64]
    defective: NDArray[np.float64]
    coverage: NDArray[np.float64]
    missed: float = 0.0

    @property
    def has_both(self) -> bool:
        """Whether there are normal and defective pixels, without which nothing is defined."""
        return bool(self.normal.sum() > 0 and self.defective.sum() > 0)


def label_regions(mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number of the 8-connected region of each pixel of a mask (lines, columns), 0 where none."""
    regions, _ = ndimage.label(mask > 0, structure=EIGHT_NEIGHBOURS)
    return np.asarray(regions, np.int32)


def region_shares(regions: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of each pixel the share of its region that it is, 0 on normal ones; same shape.

    Pixels that are not given (masked ones) belong to no region.
    """
    sizes = np.bincount(regions.ravel())
    shares = np.zeros(sizes.size)
    shares[1:] = 1 / np.maximum(sizes[1:], 1)
    return shares[regions]


def count_exactly(
    scores: NDArray[np.float32], regions: NDArray[np.int32], shares: NDArray[np.float64]
) -> ScoreCounts:
    """One threshold for each distinct score of arrays of the same shape (`region_shares`)."""
    order = np.argsort(scores, axis=None)[::-1]
    ordered = scores.ravel()[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    is_defect = regions.ravel()[order] > 0
    defective = np.add.reduceat(is_defect, starts, dtype=np.float64)
    pixels = np.diff(np.r_[starts, ordered.size])
    coverage = np.add.reduceat(shares.ravel()[order], starts)
    return ScoreCounts(pixels - defective, defective, coverage)


def count_bins(
    bins: NDArray[np.intp],
    regions: NDArray[np.int32],
    shares: NDArray[np.float64],
    bins_count: int,
) -> ScoreCounts:
    """One threshold for each of `bins_count` bins, so that maps share their thresholds."""
    defect = regions > 0
    inside = bins[defect]
    normal = np.bincount(bins[~defect], minlength=bins_count)
    defective = np.bincount(inside, minlength=bins_count)
    coverage = np.bincount(inside, weights=shares[defect], minlength=bins_count)
    return ScoreCounts(_highest_first(normal), _highest_first(defective), _highest_first(coverage))


def pool(counts: Sequence[ScoreCounts]) -> ScoreCounts:
    """The counts of maps that share their thresholds, as if they were one map."""
    return ScoreCounts(
        np.sum([c.normal for c in counts], axis=0),
        np.sum([c.defective for c in counts], axis=0),
        np.sum([c.coverage for c in counts], axis=0),
        sum(c.missed for c in counts),
    )


def auroc(counts: ScoreCounts) -> float:
    """Area under the ROC over pixels, equal scores counted half.

    Raises:
        ValueError: no normal or no defective pixel.
    """
    false_rate, true_rate = rates(counts.normal), rates(_required(counts).defective)
    return float(np.trapezoid(true_rate, false_rate))


def average_precision(counts: ScoreCounts) -> float:
    """Sum over the thresholds of precision times the recall gained there.

    Raises:
        ValueError: no normal or no defective pixel.
    """
    gained = _required(counts).defective / counts.defective.sum()
    return float((precision(counts) * gained).sum())


def max_f1(counts: ScoreCounts) -> float:
    """The largest 2 P R / (P + R) over the thresholds.

    Raises:
        ValueError: no normal or no defective pixel.
    """
    true = np.cumsum(_required(counts).defective)
    flagged = true + np.cumsum(counts.normal)
    return float((2 * true / (flagged + counts.defective.sum())).max())


def pro(counts: ScoreCounts, limit: float = PRO_LIMIT) -> float:
    """Per-region overlap: mean covered share of the regions, over false-positive rates to `limit`.

    Area under the curve from 0 to `limit`, linear between thresholds, divided by `limit`
    (Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021).

    Raises:
        ValueError: no normal or no defective pixel.
    """
    false_rate, overlap = rates(_required(counts).normal), region_overlap(counts)
    last = int(np.searchsorted(false_rate, limit, side="right"))
    end = np.interp(limit, false_rate, overlap) if last < false_rate.size else overlap[-1]
    covered = np.r_[overlap[:last], end]
    return float(np.trapezoid(covered, np.r_[false_rate[:last], limit]) / limit)


def _highest_first(amounts: NDArray[Any]) -> NDArray[np.float64]:
    return amounts[::-1].astype(np.float64)


def _required(counts: ScoreCounts) -> ScoreCounts:
    if not counts.has_both:
        amounts = f"{counts.normal.sum():.0f} and {counts.defective.sum():.0f}"
        msg = f"pixels must be both normal and defective, got {amounts}"
        raise ValueError(msg)
    return counts


def rates(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the amounts (n,) that lies at or above each threshold, from 0 on: (n + 1,)."""
    shares = np.zeros(amounts.size + 1)
    np.cumsum(amounts / amounts.sum(), out=shares[1:])
    return np.minimum(shares, 1)


def region_overlap(counts: ScoreCounts) -> NDArray[np.float64]:
    """Mean covered share of the regions at each threshold, from 0 on: (n + 1,)."""
    seen = counts.coverage.sum()
    return rates(counts.coverage) * float(seen / (seen + counts.missed))


def precision(counts: ScoreCounts) -> NDArray[np.float64]:
    """Share of the pixels at or above each threshold that are defective: (n,)."""
    true = np.cumsum(counts.defective)
    flagged = true + np.cumsum(counts.normal)
    share = np.zeros_like(true)
    np.divide(true, flagged, out=share, where=flagged > 0)
    return share
