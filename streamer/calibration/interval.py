"""What the tail may be, given the maxima seen: intervals of level and rate; pure; knows no map.

The tail is a generalised Pareto distribution of unknown shape and scale. Their posterior stands on
a grid: no random numbers, the same maxima give the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.calibration.support import CONFIDENCE
from streamer.calibration.tail import STRAIGHT, tail_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.calibration.blocks import Values
    from streamer.calibration.tail import TailKind

SHAPE_SPREAD = 0.2  # standard deviation of the shape before anything is seen, around 0
SHAPES = np.linspace(-0.6, 0.6, 25)
LOG_SCALES = np.linspace(-1.6, 1.6, 41)  # around the logarithm of the mean excess
SHARE_NODES = np.array([-1.65, -0.67, 0.0, 0.67, 1.65])  # standard errors of the share in the tail
SHARE_WEIGHTS = np.array([0.1, 0.24, 0.32, 0.24, 0.1])
LARGEST_KEPT, GROUPS = 48, 32  # excesses taken one by one; the rest in so many groups
MOST_MAXIMA = 400  # of many maxima only the largest tell how the tail goes on
MOST_BELIEVED = 80  # no real tail is exactly a generalised Pareto distribution

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class TailPosterior:
    """Tails that may be the true one, and their weights, (n,) each; `start` is where they begin."""

    start: float
    shapes: Values
    scales: Values
    shares: Values
    weights: Values

    def chance_interval(self, level: float) -> Interval:
        """Probability that a normal maximum exceeds `level`, seen as >= start."""
        depth = max(level - self.start, 0.0) / self.scales
        return self._interval(self.shares * _survival(depth, self.shapes))

    def level_interval(self, chance: float) -> Interval:
        """The score that a normal maximum exceeds with probability `chance`."""
        depth = np.maximum(np.log(self.shares / chance), 0.0)
        divisor = np.where(_straight(self.shapes), 1.0, self.shapes)
        bent = np.where(_straight(self.shapes), depth, np.expm1(self.shapes * depth) / divisor)
        return self._interval(self.start + self.scales * bent)

    def _interval(self, values: Values) -> Interval:
        order = np.argsort(values, kind="stable")
        below = np.cumsum(self.weights[order])
        ends = np.searchsorted(below, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        low, high = values[order[np.minimum(ends, values.size - 1)]]
        return float(low), float(high)


def tail_posterior(
    maxima: Values, kind: TailKind, dependence: float = 1.0, limit: float = np.inf
) -> TailPosterior | None:
    """The posterior of the tail of `maxima` (n,), n > 0; None if they do not differ.

    Likelihood of the excesses over the start of the tail (`tail.tail_share`, at most the 400
    largest), tempered so that `dependence` of them count as one, and no more than 80 in all:
    more would speak of the model rather than of the web. Scale flat in
    its logarithm; shape normal around 0 (exponential) with a deviation of 0.2, which holds -0.4
    (a tail with an end) to 0.4 (one alarm in 40,000 blocks then lies far outside of anything
    seen). The share of the maxima in the tail has its sampling error. `limit` (score): what lay
    beyond was cut off, normal or not; the tail is then known up to there only.
    """
    share = min(tail_share(maxima.size, kind), MOST_MAXIMA / maxima.size)
    start = float(np.quantile(maxima, 1 - share))
    excess = np.sort(maxima[maxima > start] - start)
    if excess.size == 0:
        return None
    shapes, log_scales = (g.ravel() for g in np.meshgrid(SHAPES, LOG_SCALES, indexing="ij"))
    scales = float(excess.mean()) * np.exp(log_scales)
    believed = min(excess.size / dependence, MOST_BELIEVED) / excess.size
    log_weights = _log_likelihood(excess, shapes, scales) - excess.size * _log_below(
        limit - start, shapes, scales
    )
    log_weights *= believed
    log_weights -= 0.5 * (shapes / SHAPE_SPREAD) ** 2
    weights = np.exp(log_weights - log_weights.max())
    error = float(np.sqrt((1 - share) * dependence / excess.size))
    shares = np.minimum(share * np.exp(error * SHARE_NODES), 1.0)
    count = shares.size
    return TailPosterior(
        start,
        np.repeat(shapes, count),
        np.repeat(scales, count),
        np.tile(shares, shapes.size),
        (weights[:, None] * SHARE_WEIGHTS / weights.sum()).ravel(),
    )


def _log_below(length: float, shapes: Values, scales: Values) -> Values:
    """Logarithm of the probability that an excess is at most `length`."""
    if length == np.inf:
        return np.zeros(shapes.size)
    below: Values = np.log1p(-np.minimum(_survival(length / scales, shapes), 1 - 1e-12))
    return below


def _survival(depth: Values, shapes: Values) -> Values:
    """Probability that an excess is above `depth` scales."""
    inside = np.maximum(1 + shapes * depth, 0.0)
    divisor = np.where(_straight(shapes), 1.0, shapes)
    with np.errstate(divide="ignore"):  # beyond a finite end of the tail: probability 0
        steps = np.where(_straight(shapes), depth, np.log(inside) / divisor)
    survival: Values = np.where(inside > 0, np.exp(-np.where(inside > 0, steps, 0.0)), 0.0)
    return survival


def _straight(shapes: Values) -> NDArray[np.bool_]:
    straight: NDArray[np.bool_] = np.abs(shapes) <= STRAIGHT
    return straight


def _log_likelihood(excess: Values, shapes: Values, scales: Values) -> Values:
    """Of ascending `excess` for each tail; -inf where one lies beyond the tail's end."""
    values, counts = _grouped(excess)
    depth = values / scales[:, None]
    inside = 1 + shapes[:, None] * depth
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = (1 + 1 / shapes[:, None]) * np.log(inside)
    terms = np.where(_straight(shapes)[:, None], depth, np.where(inside > 0, bent, np.inf))
    log_likelihood: Values = -(terms @ counts) - counts.sum() * np.log(scales)
    return log_likelihood


def _grouped(excess: Values) -> tuple[Values, Values]:
    """The largest one by one, the others as means of groups: the cost does not grow with them."""
    rest, largest = excess[:-LARGEST_KEPT], excess[-LARGEST_KEPT:]
    if rest.size <= GROUPS:
        return excess, np.ones(excess.size)
    firsts = np.arange(GROUPS) * rest.size // GROUPS
    counts = np.diff(np.append(firsts, rest.size)).astype(np.float64)
    means = np.add.reduceat(rest, firsts) / counts
    return np.concatenate([means, largest]), np.concatenate([counts, np.ones(largest.size)])
