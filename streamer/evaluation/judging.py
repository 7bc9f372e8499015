"""One image with its map and its truth, as the pixels that are judged; knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.pixel_metrics import (
    ScoreCounts,
    auroc,
    average_precision,
    count_bins,
    count_exactly,
    label_regions,
    pro,
    region_shares,
)
from streamer.evaluation.upsampling import judged, upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

EXACT_PIXELS = 1 << 18  # up to here every distinct score of an image is a threshold of its own
FINE_BINS = 1 << 16  # above it, of the range of its scores


@dataclass(frozen=True, slots=True, eq=False)
class ScoredImage:
    """A map and what is true.

    Attributes:
        name: file name of the image, for people.
        class_name: images of a class are resampled among themselves.
        shape: (lines, columns) of the image.
        has_defect: whether the judged part of the mask holds a defect.
        read_mask: (lines, columns) uint8, not 0 where defective; read anew at each call, so that
            the masks of a set need not be held.
        scores: (rows, columns) float32 on the grid of `stride`; NaN where masked.
    """

    name: str
    class_name: str
    shape: tuple[int, int]
    has_defect: bool
    read_mask: Callable[[], NDArray[np.uint8]]
    scores: NDArray[np.float32]
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPixels:
    """The pixels of an image that are judged and seen, in one row each.

    `regions` is the number of the region of a pixel, 0 = normal; `shares` the share of its region
    that it is; `region_total` counts the regions after the crop, `region_masked` those of which
    no pixel is seen.
    """

    scores: NDArray[np.float32]
    regions: NDArray[np.int32]
    shares: NDArray[np.float64]
    region_total: int
    region_masked: int

    @property
    def is_defective(self) -> bool:
        """Whether the crop has left a region."""
        return self.region_total > 0

    @property
    def peak(self) -> float:
        """The image's score, the maximum of its map; NaN when all of it is masked."""
        return float(self.scores.max()) if self.scores.size else float("nan")


def judge(image: ScoredImage, crop_share: float) -> JudgedPixels:
    """Upsample the map, crop map and mask, then label the 8-connected regions.

    The crop comes first, as in the published evaluation: what it leaves of a region counts as the
    region, and an image whose defects lie in the border is a clean one.
    """
    inside = judged(image.shape, crop_share)
    scores = upsample(image.scores, image.shape, image.stride)[inside]
    regions = label_regions(image.read_mask()[inside])
    seen = ~np.isnan(scores)
    total = int(regions.max(initial=0))
    visible = regions[seen]
    left = np.unique(visible)
    masked = total - int((left > 0).sum())
    return JudgedPixels(scores[seen], visible, region_shares(visible), total, masked)


def count(pixels: JudgedPixels) -> ScoreCounts:
    """Counts of one image: exact up to `EXACT_PIXELS`, above on `FINE_BINS` of its own range."""
    if pixels.scores.size <= EXACT_PIXELS:
        counts = count_exactly(pixels.scores, pixels.regions, pixels.shares)
    else:
        low, high = float(pixels.scores.min()), float(pixels.scores.max())
        scale = (FINE_BINS - 1) / max(high - low, 1e-30)
        bins = ((pixels.scores - low) * scale).astype(np.intp)
        counts = count_bins(bins, pixels.regions, pixels.shares, FINE_BINS)
    return ScoreCounts(counts.normal, counts.defective, counts.coverage, pixels.region_masked)


def image_figures(pixels: JudgedPixels) -> dict[str, float]:
    """AUROC, AP and PRO(0.3) of one image by itself; NaN where it lacks one kind of pixel."""
    names = ("image_mean_auroc", "image_mean_ap", "image_mean_pro30")
    if pixels.scores.size == 0 or not (counts := count(pixels)).has_both:
        return dict.fromkeys(names, float("nan"))
    return dict(zip(names, (auroc(counts), average_precision(counts), pro(counts)), strict=True))


def region_peaks(pixels: JudgedPixels) -> NDArray[np.float64]:
    """The highest score in each region that is seen, (regions,); -inf for one that is masked."""
    peaks = np.full(pixels.region_total + 1, -np.inf)
    inside = pixels.regions > 0
    np.maximum.at(peaks, pixels.regions[inside], pixels.scores[inside])
    return peaks[1:]
