"""One alarm level per lane from the block maxima of all lanes; pure; knows no map and no rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.calibration.blocks import defect_limit
from streamer.calibration.tail import fit_tail
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.calibration.blocks import Values
    from streamer.calibration.tail import TailKind

SPREAD_OF_MEDIAN = 1.2533  # standard error of a median, in those of a mean (normal scores)
SPREAD_OF_DEVIATION = 1.4826  # standard deviation, in median absolute deviations (normal scores)


@dataclass(frozen=True, slots=True, eq=False)
class LaneMaxima:
    """Block maxima (n,) of one lane, n > 0."""

    lane: int
    maxima: Values


@dataclass(frozen=True, slots=True)
class PooledLane:
    """Alarm level of one lane, and how far its texture lies above that of the mean lane."""

    lane: int
    offset: float
    level: float
    blocks: int


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """Tail and chance per block of the pooled lanes; `dependence` maxima count as one."""

    tail: TailKind
    chance: float
    dependence: float = 1.0


def pool_lanes(lanes: Sequence[LaneMaxima], target: PoolTarget) -> tuple[PooledLane, ...]:
    """Levels with a location per lane and one tail for all, in the order of `lanes`.

    The location of a lane is the median of its maxima, drawn to that of all lanes the more, the
    fewer blocks it has and the less the lanes differ beyond chance (empirical Bayes; the variance
    between lanes by DerSimonian and Laird 1986). What is left over in each lane is pooled: the tail
    rests on the blocks of all. Lanes that do not differ get the same level.

    Raises:
        ValueError: there is no lane, or one without a maximum.
    """
    require(len(lanes) > 0, "lanes must not be empty", lanes)
    require(all(lane.maxima.size for lane in lanes), "lanes must have maxima", lanes)
    locations = _locations(lanes, target.dependence)
    rest = [lane.maxima - own for lane, own in zip(lanes, locations, strict=True)]
    pooled = np.concatenate(rest)
    kept = pooled[pooled <= defect_limit(pooled)]
    above = fit_tail(kept, target.tail).level(target.chance)
    centre = float(np.mean(locations))
    return tuple(
        PooledLane(lane.lane, own - centre, own + above, lane.maxima.size)
        for lane, own in zip(lanes, locations.tolist(), strict=True)
    )


def _locations(lanes: Sequence[LaneMaxima], dependence: float) -> Values:
    medians = np.array([float(np.median(lane.maxima)) for lane in lanes])
    sizes = np.array([float(lane.maxima.size) for lane in lanes])
    rest = np.concatenate([np.abs(lane.maxima - m) for lane, m in zip(lanes, medians, strict=True)])
    spread = SPREAD_OF_DEVIATION * float(np.median(rest))
    if spread == 0:
        return medians
    errors = (SPREAD_OF_MEDIAN * spread) ** 2 * dependence / sizes
    mean = float(np.average(medians, weights=1 / errors))
    between = _variance_between(medians, errors)
    drawn: Values = mean + between / (between + errors) * (medians - mean)
    return drawn


def _variance_between(values: Values, errors: Values) -> float:
    """Of `values` with error variances `errors`, beyond what the errors explain."""
    weights = 1 / errors
    mean = float(np.average(values, weights=weights))
    excess = float((weights * (values - mean) ** 2).sum()) - (values.size - 1)
    divisor = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(excess / divisor, 0.0) if divisor > 0 else 0.0
