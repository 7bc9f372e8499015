"""How many block maxima count as one independent one; pure; knows no tail and no rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.calibration.blocks import Values

FEWEST_GROUPS = 8  # fewer say too little about the scatter between them
BATCHES = 10  # long stretches of a sequence, for what changes slowly
HIGHEST_CORRELATION = 0.8


def dependence(groups: Sequence[Values], start: float) -> float:
    """Variance of the count of maxima above `start`, as a multiple of that of independent ones.

    `groups` are in web order; those of two dimensions are grids of neighbours, NaN where there is
    no block. The largest of three estimates, at least 1: correlation of direct neighbours, taken as
    decaying geometrically, (1 + r) / (1 - r) along each axis (the variance inflation of AR(1));
    scatter of the counts between groups; the same between ten stretches of all groups (batch
    means, for slow changes). The last two need at least 8 groups.
    """
    above = [np.where(np.isfinite(g), (g > start).astype(np.float64), np.nan) for g in groups]
    sizes = np.array([float(np.isfinite(a).sum()) for a in above])
    counts = np.array([float(np.nansum(a)) for a in above])
    total = float(counts.sum())
    if not 0 < total < sizes.sum():
        return 1.0
    share = total / float(sizes.sum())
    grids = [a - share for a in above if a.ndim == 2]
    along = [_inflation(grids, axis, share * (1 - share)) for axis in (0, 1)]
    used = sizes > 0
    return max(
        1.0,
        float(np.prod(along)),
        _scatter(counts[used], sizes[used], share),
        _scatter(_batched(counts[used]), _batched(sizes[used]), share),
    )


def _inflation(grids: Sequence[Values], axis: int, variance: float) -> float:
    products = [np.take(g, range(1, g.shape[axis]), axis) * _all_but_last(g, axis) for g in grids]
    values = np.concatenate([np.zeros(0), *(p[np.isfinite(p)] for p in products)])
    if values.size == 0:
        return 1.0
    correlation = float(np.clip(values.mean() / variance, 0.0, HIGHEST_CORRELATION))
    return (1 + correlation) / (1 - correlation)


def _all_but_last(grid: Values, axis: int) -> Values:
    kept: Values = np.take(grid, range(grid.shape[axis] - 1), axis)
    return kept


def _scatter(counts: Values, sizes: Values, share: float) -> float:
    """Variance between groups over that of a binomial count."""
    if counts.size < FEWEST_GROUPS:
        return 1.0
    squares = (counts - share * sizes) ** 2 / (sizes * share * (1 - share))
    return float(squares.sum()) / (counts.size - 1)


def _batched(values: Values) -> Values:
    if values.size < 2 * BATCHES:
        return values
    firsts = np.arange(BATCHES) * values.size // BATCHES
    sums: Values = np.add.reduceat(values, firsts)
    return sums
