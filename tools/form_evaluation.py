"""What the maps of a set are worth against its labels, form by form; computes no map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from fca_forms import BASE
from labelled_images import CROP_SHARE
from scipy import ndimage, stats

from streamer.evaluation import upsampling
from streamer.evaluation.paired_bootstrap import Paired, average, pair_means
from streamer.evaluation.pixel_metrics import (
    ScoreCounts,
    auroc,
    average_precision,
    count_bins,
    count_exactly,
    max_f1,
    pool,
    pro,
    region_shares,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fca_forms import Scored
    from numpy.typing import NDArray

BINS = 8192  # thresholds that the images of a set share, so that their counts can be pooled
NORMAL_SHARE = 0.005  # of normal pixels above the threshold of the decisions
METRICS: dict[str, Callable[[ScoreCounts], float]] = {
    "auroc": auroc,
    "ap": average_precision,
    "f1": max_f1,
    "pro": pro,
}
BOX_METRICS = ("pro",)

# The images of a pool, and how often each is drawn (resamples, images of the pool).
_Draws = tuple["NDArray[np.intp]", "NDArray[np.float64]"]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredImage:
    """An image as it is judged: its class, its judged regions, its size, the map of each form."""

    class_name: str
    regions: NDArray[np.int32]
    shape: tuple[int, int]
    maps: dict[str, Scored]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """One image under one form; `tops` is the threshold that first reaches each region."""

    figures: dict[str, float]
    counts: ScoreCounts
    tops: NDArray[np.intp]
    correlation: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """Regions hit and false-positive area at a threshold that each form sets by the same rule."""

    regions: int
    base_hits: int
    hits: int
    agreeing: int
    base_area: float
    area: float

    def as_dict(self) -> dict[str, Any]:
        """Counts, and areas in percent of the normal pixels."""
        return {
            "regions": self.regions,
            "base_hits": self.base_hits,
            "hits": self.hits,
            "agreeing": self.agreeing,
            "base_area_percent": 100 * self.base_area,
            "area_percent": 100 * self.area,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FormResult:
    """A form on a set: figures per image and pooled, correlation with the base, decisions, time."""

    per_image: dict[str, Paired]
    pooled: dict[str, Paired]
    correlation: float
    lowest_correlation: float
    decisions: Decisions
    seconds_per_mpix: float

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "per_image": {name: pair.as_dict() for name, pair in self.per_image.items()},
            "pooled": {name: pair.as_dict() for name, pair in self.pooled.items()},
            "rank_correlation": self.correlation,
            "lowest_rank_correlation": self.lowest_correlation,
            "decisions": self.decisions.as_dict(),
            "seconds_per_mpix": self.seconds_per_mpix,
        }


def evaluate_set(
    images: Sequence[ScoredImage], metrics: Sequence[str], weights: NDArray[np.float64]
) -> Iterator[tuple[str, FormResult]]:
    """Name and result of each form on the images of a set, against `BASE`.

    Pooled figures are of a class together with the images of the set's classes without defects,
    then averaged over the classes. `weights` (resamples, images) as of `draw_weights`.
    """
    draws = [(members, weights[:, members]) for members in _pools(images)]
    base = _judge(images, BASE)
    base_pooled = _pooled(base, metrics, draws)
    for name in images[0].maps:
        form = base if name == BASE else _judge(images, name)
        per_image = {
            metric: pair_means(_column(base, metric), _column(form, metric), weights)
            for metric in metrics
        }
        pooled = base_pooled if name == BASE else _pooled(form, metrics, draws)
        yield (
            name,
            FormResult(
                per_image,
                {metric: _pair_pooled(base_pooled, pooled, metric) for metric in metrics},
                *_correlations(form),
                _decide(base, form, [members for members, _ in draws]),
                _speed(images, name),
            ),
        )


def _pools(images: Sequence[ScoredImage]) -> list[NDArray[np.intp]]:
    """Images of each class with defects, together with those of the classes without."""
    names = np.array([image.class_name for image in images])
    has_defect = np.array([image.regions.any() for image in images])
    defective = sorted(set(names[has_defect]))
    clean = ~np.isin(names, defective)
    return [np.flatnonzero((names == name) | clean) for name in defective]


def upsample(scores: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A map to the judged pixels of an image of `shape`, which was extended to whole strides."""
    full = upsampling.upsample(scores, shape, -(-shape[0] // scores.shape[0]))
    return full[upsampling.judged(shape, CROP_SHARE)]


def _judge(images: Sequence[ScoredImage], name: str) -> list[_Judged]:
    maps = [image.maps[name].scores for image in images]
    low, high = min(m.min() for m in maps), max(m.max() for m in maps)
    scale = BINS / max(float(high - low), 1e-12)
    return [_judge_image(image, name, (float(low), scale)) for image in images]


def _judge_image(image: ScoredImage, name: str, binning: tuple[float, float]) -> _Judged:
    low, scale = binning
    scores = upsample(image.maps[name].scores, image.shape)
    shares = region_shares(image.regions)
    exact = count_exactly(scores, image.regions, shares)
    figures = {
        metric: measure(exact) if exact.has_both else float("nan")
        for metric, measure in METRICS.items()
    }
    bins = np.clip((scores - low) * scale, 0, BINS - 1).astype(np.intp)
    counts = count_bins(bins, image.regions, shares, BINS)
    numbers = np.arange(1, image.regions.max() + 1)
    tops = BINS - 1 - np.asarray(ndimage.maximum(bins, image.regions, numbers), np.intp)
    base = image.maps[BASE].scores
    return _Judged(figures, counts, tops, _correlate(image.maps[name].scores, base))


def _correlate(scores: NDArray[np.float32], base: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of the judged part of two maps; NaN when one is constant."""
    inside = upsampling.judged(base.shape, CROP_SHARE)
    pair = scores[inside], base[inside]
    if any(np.ptp(one) == 0 for one in pair):
        return float("nan")
    return float(stats.spearmanr(*pair, axis=None).statistic)


def _column(judged: Sequence[_Judged], metric: str) -> NDArray[np.float64]:
    return np.array([one.figures[metric] for one in judged])


def _pooled(
    judged: Sequence[_Judged], metrics: Sequence[str], draws: Sequence[_Draws]
) -> list[dict[str, NDArray[np.float64]]]:
    """Of each pool each metric on all of its images, then on each draw of them (1 + resamples)."""
    return [_pooled_figures(judged, metrics, draw) for draw in draws]


def _pooled_figures(
    judged: Sequence[_Judged], metrics: Sequence[str], draw: _Draws
) -> dict[str, NDArray[np.float64]]:
    members, weights = draw
    counts = [judged[i].counts for i in members]
    stack = np.array([(one.normal, one.defective, one.coverage) for one in counts])
    figures = np.full((len(metrics), 1 + len(weights)), np.nan)
    for number, drawn in enumerate((np.ones(len(members)), *weights)):
        pooled = ScoreCounts(*np.tensordot(drawn, stack, 1))
        if pooled.has_both:
            figures[:, number] = [METRICS[metric](pooled) for metric in metrics]
    return dict(zip(metrics, figures, strict=True))


def _pair_pooled(
    base: Sequence[dict[str, NDArray[np.float64]]],
    form: Sequence[dict[str, NDArray[np.float64]]],
    metric: str,
) -> Paired:
    return average(
        [
            Paired(float(b[metric][0]), float(f[metric][0]), (f[metric] - b[metric])[1:])
            for b, f in zip(base, form, strict=True)
        ]
    )


def _correlations(judged: Sequence[_Judged]) -> tuple[float, float]:
    """Mean and lowest over the images whose maps rank anything."""
    values = [one.correlation for one in judged if not np.isnan(one.correlation)]
    return (float(np.mean(values)), min(values)) if values else (float("nan"), float("nan"))


def _speed(images: Sequence[ScoredImage], name: str) -> float:
    mpix = sum(image.shape[0] * image.shape[1] for image in images) / 1e6
    return sum(image.maps[name].seconds for image in images) / mpix


def _decide(
    base: Sequence[_Judged], form: Sequence[_Judged], pools: Sequence[NDArray[np.intp]]
) -> Decisions:
    """At the threshold that `NORMAL_SHARE` of the normal pixels of other images pass.

    Of each pool, images with even numbers are judged by the threshold of those with odd ones and
    the other way round, so that the false-positive area is measured and not given.
    """
    hits: list[list[NDArray[np.bool_]]] = []
    areas: list[list[float]] = []
    for judged in (base, form):
        decided = [_decide_pool([judged[i] for i in members]) for members in pools]
        hits.append([hit for pool_hits, _ in decided for hit in pool_hits])
        areas.append([area for _, pool_areas in decided for area in pool_areas])
    base_hits, form_hits = (np.concatenate(one) for one in hits)
    base_area, area = (float(np.mean(one)) for one in areas)
    return Decisions(
        base_hits.size,
        int(base_hits.sum()),
        int(form_hits.sum()),
        int((base_hits == form_hits).sum()),
        base_area,
        area,
    )


def _decide_pool(judged: Sequence[_Judged]) -> tuple[list[NDArray[np.bool_]], list[float]]:
    """Which regions are hit, and which share of the normal pixels is, image by image."""
    hits, areas = [], []
    halves = [judged[half::2] or judged for half in (1, 0)]
    thresholds = [_threshold(pool([one.counts for one in half])) for half in halves]
    for number, one in enumerate(judged):
        end = thresholds[number % 2]
        hits.append(one.tops < end)
        areas.append(float(one.counts.normal[:end].sum() / one.counts.normal.sum()))
    return hits, areas


def _threshold(counts: ScoreCounts) -> int:
    """How many thresholds, from the highest on, `NORMAL_SHARE` of the normal pixels pass."""
    passed = np.cumsum(counts.normal) / counts.normal.sum()
    return int(np.searchsorted(passed, NORMAL_SHARE, side="right"))
