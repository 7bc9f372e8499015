"""How far two forms of a backbone agree in features, scores and decisions; runs neither."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamer.cli.image_report import FoundRegion
    from streamer.message import ScoreArray

ALARM = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What one form makes of one image.

    `features` (channels, rows, columns); `scores` (rows, columns) raw, `levels` the same in units
    of the form's own alarm level; `regions` are those that exceed it.
    """

    features: npt.NDArray[np.float32]
    scores: ScoreArray
    levels: ScoreArray
    regions: tuple[FoundRegion, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Differences of a form to the reference; over several images the largest of each.

    Features: relative to the largest feature. Scores: relative to the map's maximum, after `gain`
    (1 unless the form's scores may have a scale of their own). `flipped` is
    the share of cells that are above the alarm level in one map only. `lost_peak` and `new_peak`
    are the strongest region that only the reference or only the form has, in units of the alarm
    level (0: none): how far from the level a decision was that went the other way.
    """

    feature_max: float = 0.0
    feature_mean: float = 0.0
    score_max: float = 0.0
    score_mean: float = 0.0
    flipped: float = 0.0
    regions: int = 0
    lost: int = 0
    new: int = 0
    lost_peak: float = 0.0
    new_peak: float = 0.0
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The largest `Agreement` figures that pass; a region may be missed up to `peak`."""

    feature_mean: float
    score_max: float
    score_mean: float
    flipped: float
    peak: float

    def __add__(self, other: Tolerance) -> Tolerance:
        """For a form that departs in two ways, each of which has its tolerance."""
        return Tolerance(
            self.feature_mean + other.feature_mean,
            self.score_max + other.score_max,
            self.score_mean + other.score_mean,
            self.flipped + other.flipped,
            self.peak + other.peak - ALARM,
        )


def compare(reference: Judgement, form: Judgement, *, own_scale: bool = False) -> Agreement:
    """Differences of `form` to `reference` on one image.

    `own_scale`: the form's scores are means over other channels and may differ by a factor, which
    its own alarm level takes up; they are compared after the factor that fits best.
    """
    gain = _best_gain(reference.scores, form.scores) if own_scale else 1.0
    feature = np.abs(form.features.astype(np.float64) - reference.features)
    score = np.abs(gain * form.scores.astype(np.float64) - reference.scores)
    feature_scale, score_scale = (
        float(np.abs(values).max()) or 1.0 for values in (reference.features, reference.scores)
    )
    lost = _without_partner(reference.regions, form.regions)
    new = _without_partner(form.regions, reference.regions)
    return Agreement(
        feature_max=float(feature.max()) / feature_scale,
        feature_mean=float(feature.mean()) / feature_scale,
        score_max=float(score.max()) / score_scale,
        score_mean=float(score.mean()) / score_scale,
        flipped=float(np.mean((reference.levels >= ALARM) != (form.levels >= ALARM))),
        regions=len(reference.regions),
        lost=len(lost),
        new=len(new),
        lost_peak=max((region.peak for region in lost), default=0.0),
        new_peak=max((region.peak for region in new), default=0.0),
        gain=gain,
    )


def _best_gain(reference: ScoreArray, scores: ScoreArray) -> float:
    """The factor on `scores` with the least squared difference; 1 for a map of zeros."""
    power = float(np.square(scores, dtype=np.float64).sum())
    return float((reference.astype(np.float64) * scores).sum()) / power if power else 1.0


def worst(agreements: Sequence[Agreement]) -> Agreement:
    """The largest of each figure, and how many regions there are in all."""
    columns = [asdict(one) for one in agreements]
    largest = Agreement(**{key: max(row[key] for row in columns) for key in columns[0]})
    counted = {key: sum(row[key] for row in columns) for key in ("regions", "lost", "new")}
    return replace(largest, **counted)


def departures(found: Agreement, allowed: Tolerance) -> list[str]:
    """What lies beyond the tolerance, each with its limit; empty when all is within."""
    pairs = {
        "mean difference of features": (found.feature_mean, allowed.feature_mean),
        "largest difference of scores": (found.score_max, allowed.score_max),
        "mean difference of scores": (found.score_mean, allowed.score_mean),
        "share of flipped cells": (found.flipped, allowed.flipped),
        "peak of a lost region": (found.lost_peak, allowed.peak),
        "peak of a new region": (found.new_peak, allowed.peak),
    }
    # Written so that NaN is a departure.
    return [
        f"{name} must be <= {limit:g}, got {value:.3g}"
        for name, (value, limit) in pairs.items()
        if not value <= limit
    ]


def _without_partner(
    regions: Sequence[FoundRegion], others: Sequence[FoundRegion]
) -> list[FoundRegion]:
    return [one for one in regions if not any(_overlap(one, other) for other in others)]


def _overlap(one: FoundRegion, other: FoundRegion) -> bool:
    return all(
        a.first < b.end and b.first < a.end
        for a, b in ((one.lines, other.lines), (one.columns, other.columns))
    )
