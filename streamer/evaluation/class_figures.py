"""What the maps of a class are worth against its truth, with redrawn images; knows no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.judging import image_figures, judge, region_peaks
from streamer.evaluation.low_rates import LowRates, Tail
from streamer.evaluation.pixel_metrics import (
    ScoreCounts,
    auroc,
    average_precision,
    count_bins,
    count_exactly,
    max_f1,
    pro,
)
from streamer.evaluation.shared_bins import BINS, SharedBins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from streamer.evaluation.judging import JudgedPixels, ScoredImage

    Figures = dict[str, NDArray[np.float64]]

CLASS_EXACT_PIXELS = 1 << 21  # of a class, up to which its own figures are exact
PIXEL_METRICS: dict[str, Callable[[ScoreCounts], float]] = {
    "auroc": auroc,
    "ap": average_precision,
    "f1": max_f1,
    "pro30": pro,
    "pro05": partial(pro, limit=0.05),
}
IMAGE_MEANS = ("image_mean_auroc", "image_mean_ap", "image_mean_pro30")
METRICS = (*PIXEL_METRICS, "image_auroc", "aupimo", "region_hits", *IMAGE_MEANS)
# Pixels in a box need not be defective: figures of pixels mean nothing there.
BOX_METRICS = ("pro30", "pro05", "region_hits", "image_mean_pro30")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How images are judged.

    `crop_share` of each side is left out at each border. `false_area` is the share of the normal
    pixels that pass the threshold at which regions count as hit. `boxes`: the truth are boxes.
    """

    crop_share: float = 0.1
    false_area: float = 0.005
    boxes: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The figures that the kind of truth supports."""
        return BOX_METRICS if self.boxes else METRICS


@dataclass(frozen=True, slots=True, eq=False)
class JudgedImage:
    """What is kept of an image: counts in the bins of its class, and what is its own.

    `reached` counts its regions by the bin, the highest first, of their highest score.
    """

    name: str
    class_name: str
    figures: dict[str, float]
    peak: float
    is_defective: bool
    counts: ScoreCounts
    reached: NDArray[np.float64]
    region_total: int
    tail: Tail
    defect_scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What is told of one image; `figures` and `peak` (raw score) are NaN where undefined."""

    name: str
    class_name: str
    figures: dict[str, float]
    peak: float
    is_defective: bool
    regions: int
    regions_masked: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """The figures of a class.

    Attributes:
        figures: (1 + resamples,) by metric: on all images, then on each draw of them; NaN where
            undefined.
        images: in the order of the weights.
        counts: over all images in bins, for curves; `counting` says what the figures rest on.
        low_rates_from: whose normal pixels set the thresholds of `aupimo`.
    """

    figures: Figures
    images: tuple[ImageResult, ...]
    counts: ScoreCounts
    counting: str
    low_rates_from: str

    @property
    def regions(self) -> tuple[int, int]:
        """Regions after the crop, and how many of them are masked altogether."""
        total = sum(image.regions for image in self.images)
        return total, sum(image.regions_masked for image in self.images)

    @property
    def defective(self) -> int:
        """Images with a region after the crop."""
        return sum(image.is_defective for image in self.images)


@dataclass(slots=True)
class _Exact:
    """Pixels of a class while they are few enough to count every distinct score."""

    kept: list[JudgedPixels] = field(default_factory=list)
    pixels: int = 0

    def add(self, pixels: JudgedPixels) -> None:
        self.pixels += pixels.scores.size
        self.kept = [*self.kept, pixels] if self.is_small else []

    @property
    def is_small(self) -> bool:
        return self.pixels <= CLASS_EXACT_PIXELS

    def counts(self) -> ScoreCounts:
        scores, regions, shares = (
            np.concatenate([getattr(one, name) for one in self.kept])
            for name in ("scores", "regions", "shares")
        )
        exact = count_exactly(scores, regions, shares)
        missed = float(sum(one.region_masked for one in self.kept))
        return ScoreCounts(exact.normal, exact.defective, exact.coverage, missed)


def evaluate_class(
    images: Sequence[ScoredImage], weights: NDArray[np.float64], protocol: Protocol
) -> ClassResult:
    """All figures of the images of a class; `weights` (resamples, images), how often each is drawn.

    Pixels are pooled over the class. Up to `CLASS_EXACT_PIXELS` judged pixels the figures on all
    images count every distinct score; above, and for the intervals always, `SharedBins` do.

    Raises:
        ValueError: every cell of every map is masked.
    """
    bins = SharedBins.over([image.scores for image in images])
    exact, judged = _Exact(), []
    for image in images:
        pixels = judge(image, protocol.crop_share)
        exact.add(pixels)
        judged.append(_keep(image, pixels, bins, len(images)))
    pooled = _pool(judged, np.ones(len(judged)))
    own = exact.counts() if exact.is_small and exact.pixels else pooled
    low_rates, source = _low_rates(judged)
    draws = _Draws(judged, low_rates, protocol)
    rows = [draws.figures(np.ones(len(judged)), own), *(draws.figures(one) for one in weights)]
    figures = {name: np.array([row[name] for row in rows]) for name in protocol.metrics}
    counting = "exact" if own is not pooled else f"{BINS} bins"
    return ClassResult(figures, tuple(map(_told, judged)), pooled, counting, source)


def _told(image: JudgedImage) -> ImageResult:
    masked, total = int(image.counts.missed), image.region_total
    named = image.name, image.class_name
    return ImageResult(*named, image.figures, image.peak, image.is_defective, total, masked)


def _keep(
    image: ScoredImage, pixels: JudgedPixels, bins: SharedBins, image_count: int
) -> JudgedImage:
    places = bins.place(pixels.scores)
    counts = count_bins(places, pixels.regions, pixels.shares, BINS)
    peaks = region_peaks(pixels)
    tops = bins.place(peaks[np.isfinite(peaks)].astype(np.float32))
    reached = np.bincount(tops, minlength=BINS)[::-1].astype(np.float64)
    normal = pixels.scores[pixels.regions == 0]
    return JudgedImage(
        image.name,
        image.class_name,
        image_figures(pixels),
        pixels.peak,
        pixels.is_defective,
        ScoreCounts(counts.normal, counts.defective, counts.coverage, pixels.region_masked),
        reached,
        pixels.region_total,
        Tail.of(normal, image_count),
        pixels.scores[pixels.regions > 0],
    )


def _pool(images: Sequence[JudgedImage], drawn: NDArray[np.float64]) -> ScoreCounts:
    stack = _stack(images)
    missed = np.array([image.counts.missed for image in images])
    normal, defective, coverage, _ = np.tensordot(drawn, stack, 1)
    return ScoreCounts(normal, defective, coverage, float(drawn @ missed))


def _stack(images: Sequence[JudgedImage]) -> NDArray[np.float64]:
    rows = [(i.counts.normal, i.counts.defective, i.counts.coverage, i.reached) for i in images]
    return np.array(rows)


def _low_rates(images: Sequence[JudgedImage]) -> tuple[LowRates, str]:
    defects = [image.defect_scores for image in images if image.is_defective]
    clean = [image.tail for image in images if not image.is_defective]
    source = "clean images" if clean else "normal pixels of all images"
    return LowRates.of(clean or [image.tail for image in images], defects), source


class _Draws:
    """Figures of a class for any number of times that each of its images is drawn."""

    def __init__(
        self, images: Sequence[JudgedImage], low_rates: LowRates, protocol: Protocol
    ) -> None:
        self._protocol, self._low_rates = protocol, low_rates
        self._stack = _stack(images)
        self._missed = np.array([image.counts.missed for image in images])
        self._regions = np.array([image.region_total for image in images], np.float64)
        self._defective = np.array([image.is_defective for image in images])
        self._peaks = np.array([image.peak for image in images])
        self._means = {
            name: np.array([image.figures[name] for image in images]) for name in IMAGE_MEANS
        }

    def figures(
        self, drawn: NDArray[np.float64], exact: ScoreCounts | None = None
    ) -> dict[str, float]:
        """By metric, NaN where undefined; `exact` counts stand for those in bins."""
        normal, defective, coverage, reached = np.tensordot(drawn, self._stack, 1)
        binned = ScoreCounts(normal, defective, coverage, float(drawn @ self._missed))
        found = dict(self._pixel_figures(exact or binned))
        found["image_auroc"] = self._image_auroc(drawn)
        found["aupimo"] = self._aupimo(drawn)
        found["region_hits"] = self._hits(binned, reached, float(drawn @ self._regions))
        found |= {name: _mean(values, drawn) for name, values in self._means.items()}
        return {name: found[name] for name in self._protocol.metrics}

    def _pixel_figures(self, counts: ScoreCounts) -> Iterator[tuple[str, float]]:
        for name, measure in PIXEL_METRICS.items():
            wanted = name in self._protocol.metrics and counts.has_both
            yield name, measure(counts) if wanted else float("nan")

    def _image_auroc(self, drawn: NDArray[np.float64]) -> float:
        seen = (drawn > 0) & ~np.isnan(self._peaks)
        _, places = np.unique(-self._peaks[seen], return_inverse=True)
        size = int(places.max(initial=0)) + 1
        positive = self._defective[seen]
        normal, defective = (
            np.bincount(places[kind], drawn[seen][kind], size).astype(np.float64)
            for kind in (~positive, positive)
        )
        both = ScoreCounts(normal, defective, defective)
        return auroc(both) if both.has_both else float("nan")

    def _aupimo(self, drawn: NDArray[np.float64]) -> float:
        if "aupimo" not in self._protocol.metrics or not self._defective.any():
            return float("nan")
        clean = drawn[~self._defective] if not self._defective.all() else drawn
        return _mean(self._low_rates.overlap(clean), drawn[self._defective])

    def _hits(self, counts: ScoreCounts, reached: NDArray[np.float64], regions: float) -> float:
        normal = counts.normal.sum()
        if not normal or not regions:
            return float("nan")
        passed = np.cumsum(counts.normal) / normal
        end = int(np.searchsorted(passed, self._protocol.false_area, side="right"))
        return float(reached[:end].sum() / regions)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Over the values that are defined."""
    defined = ~np.isnan(values)
    total = weights[defined].sum()
    return float(weights[defined] @ values[defined] / total) if total else float("nan")
