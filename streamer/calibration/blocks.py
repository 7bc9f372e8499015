"""Score maps to maxima of blocks, and which of them are defects; pure; knows no tail and no rate.

Blocks have the size of the score's correlation length, so that their maxima are nearly independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values: TypeAlias = "NDArray[np.float64]"

CLIP_ROUNDS = 6
CLIP_CHANCE = 0.5  # a block is cut off where fewer normal ones than this are expected beyond it
MIDDLE, UPPER = 0.5, 0.8  # quantiles that a tenth of foreign blocks hardly moves
HIGHER = ((0.8, 0.92), (0.9, 0.96))  # for what is left once most of them are gone
HIGHEST = (0.95, 0.98)
FEWEST_BEYOND = 20  # blocks above the upper quantile: fewer say too little about the tail
FIRST_BLOCKS = 1000  # the limit for so many blocks comes first: further out defects hide in a tail
MANY_BEYOND = 10.0  # times as many as expected beyond it are defects, not the tail of normal web


def block_maxima(scores: Values, block: int) -> Values:
    """Maxima (block rows, block columns) of `scores` (rows, columns); NaN where there is no block.

    Blocks start at the first row and column. One with less than half of its cells counts only if
    the map has no other.
    """
    rows, columns = (-(-size // block) * block for size in scores.shape)
    padded = np.full((rows, columns), -np.inf)
    seen = np.isfinite(scores)
    padded[: scores.shape[0], : scores.shape[1]][seen] = scores[seen]
    cells = padded.reshape(rows // block, block, columns // block, block)
    counts = np.isfinite(cells).sum(axis=(1, 3))
    least = block * block / 2 if (counts >= block * block / 2).any() else 1
    maxima: Values = np.where(counts >= least, cells.max(axis=(1, 3), initial=-np.inf), np.nan)
    return maxima


def finite(values: Values) -> Values:
    """Those of `values` that are numbers, in order, flat."""
    kept: Values = values[np.isfinite(values)]
    return kept


def quantile_tail(
    values: Values, lower: float = MIDDLE, upper: float = UPPER
) -> tuple[float, float]:
    """The `lower` quantile and the decay of the exponential tail through both quantiles."""
    low, high = (float(quantile) for quantile in np.quantile(values, [lower, upper]))
    return low, (high - low) / float(np.log((1 - lower) / (1 - upper)))


def defect_limit(maxima: Values) -> float:
    """The score above which a block is no normal one; infinite if none is.

    A tail through the 50 % and 80 % quantiles, which a tenth of foreign blocks moves by half, says
    beyond which score less than half a normal block of 1000 is expected; again, without what lies
    beyond, until nothing more does. A tail that bends leaves foreign blocks below that limit, or
    normal ones above it: tails through higher quantiles of what was kept correct it. Of more than
    1000 blocks some normal ones lie beyond: unless there are ten times as many, the limit is moved
    out to where half of one of all is expected.
    """
    count = min(maxima.size, FIRST_BLOCKS)
    limit = _corrected(maxima, _first_limit(maxima, count), count)
    beyond = maxima.size - int((maxima <= limit).sum())
    if maxima.size <= FIRST_BLOCKS or beyond > MANY_BEYOND * maxima.size / FIRST_BLOCKS:
        return limit
    return max(limit, _limit(maxima[maxima <= limit], maxima.size, *HIGHEST))


def _first_limit(maxima: Values, count: int) -> float:
    limit = float("inf")
    for _ in range(CLIP_ROUNDS):
        kept = maxima[maxima <= limit]
        following = _limit(kept, count, MIDDLE, UPPER)
        if (maxima <= following).sum() == kept.size:
            break
        limit = following
    return limit


def _corrected(maxima: Values, limit: float, count: int) -> float:
    for lower, upper in HIGHER:
        kept = maxima[maxima <= limit]
        if kept.size * (1 - upper) >= FEWEST_BEYOND:
            limit = _limit(kept, count, lower, upper)
    return limit


def _limit(kept: Values, count: int, lower: float, upper: float) -> float:
    """Where the tail of `kept` lets half of one of `count` blocks be expected."""
    low, decay = quantile_tail(kept, lower, upper)
    if decay <= 0:
        return float("inf")
    return low + decay * float(np.log((1 - lower) * count / CLIP_CHANCE))
