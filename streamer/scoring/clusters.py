"""Looks of a texture: counted windows in a few groups, none of them a minority; knows no band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.scoring.window_counts import median_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.scoring.rolling_plan import PrototypeRule
    from streamer.scoring.window_counts import Counts

ROUNDS = 20  # the assignment settles in a few
AXIS_ROUNDS = 30  # power iteration: the order along the axis matters, not its digits
LEAST_PLACE = 1e-9
LEAST_GAIN = 0.1  # another prototype must make windows fit so much better
FEWEST = 2  # windows of a prototype: one alone is none


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A prototype: counts (C, levels - 1), and the windows that it stands for."""

    counts: Counts
    windows: int


def find_looks(counts: Counts, weights: NDArray[np.int64], rule: PrototypeRule) -> list[Look]:
    """The 1..K prototypes of windows or references, counts (n, C, levels - 1), n > 0.

    Each of them stands for `weights` (n,) windows. One group at first; as long as there are less
    than K, the group that its median fits worst is cut in two, and each joins the nearest of the
    groups' medians until nothing changes. A group of less than `rule.least_share` of the weight is
    given up and its members join the others: a defect must not become normal by being a kind of
    its own. A cut that does not make all of them fit clearly better is the last, and not made.
    Heaviest first. Nothing is random, and distances are of integers.
    """
    found = _Grouping.of(counts, weights, np.zeros(len(counts), np.int64))
    while found.number < rule.count:
        cuts = [_Grouping.of(counts, weights, cut) for cut in _cut_worst(found, rule)]
        if not cuts:
            break
        finer = min((_settle(cut, rule) for cut in cuts), key=lambda one: one.cost)
        if finer.number <= found.number or finer.cost > (1 - LEAST_GAIN) * found.cost:
            break
        found = finer
    return found.looks


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """Which of the groups 0..k-1 each of n windows belongs to, the medians, and how they fit."""

    counts: Counts
    weights: NDArray[np.int64]
    groups: NDArray[np.int64]
    medians: list[Counts]
    distances: NDArray[np.float64]  # (n, k)

    @classmethod
    def of(cls, counts: Counts, weights: NDArray[np.int64], groups: NDArray[np.int64]) -> _Grouping:
        """With the groups numbered anew, none empty."""
        _, groups = np.unique(groups, return_inverse=True)
        medians = [median_counts(counts[groups == one]) for one in range(groups.max() + 1)]
        return cls(counts, weights, groups, medians, _distances(counts, medians))

    @property
    def number(self) -> int:
        return len(self.medians)

    @property
    def fits(self) -> NDArray[np.float64]:
        """(n,) distance of each to its own group's median, times its weight."""
        own = np.take_along_axis(self.distances, self.groups[:, None], axis=1)[:, 0]
        fits: NDArray[np.float64] = own * self.weights
        return fits

    @property
    def cost(self) -> float:
        return float(self.fits.sum())

    @property
    def looks(self) -> list[Look]:
        loads = np.bincount(self.groups, self.weights)
        order = np.argsort(-loads, kind="stable")
        return [Look(self.medians[one], int(loads[one])) for one in order]


def _distances(counts: Counts, medians: list[Counts]) -> NDArray[np.float64]:
    """(n, k): sums of absolute differences; integers below 2 ** 24, so that float32 is exact."""
    values, known = (
        torch.from_numpy(one.reshape(len(one), -1).astype(np.float32))
        for one in (counts, np.stack(medians))
    )
    return torch.cdist(values, known, p=1).numpy().astype(np.float64)


def _settle(start: _Grouping, rule: PrototypeRule) -> _Grouping:
    """Each in the group of the nearest median, the first on equality; no group a minority."""
    grouping = start
    for _ in range(ROUNDS):
        joined = _Grouping.of(start.counts, start.weights, _joined(grouping, rule))
        if np.array_equal(joined.groups, grouping.groups):
            break
        grouping = joined
    return grouping


def _joined(grouping: _Grouping, rule: PrototypeRule) -> NDArray[np.int64]:
    nearest = grouping.distances.argmin(axis=1)
    loads = np.bincount(nearest, grouping.weights, minlength=grouping.number)
    enough = loads >= max(FEWEST, rule.least_share * grouping.weights.sum())
    enough[loads.argmax()] = True
    joined: NDArray[np.int64] = np.where(enough, grouping.distances, np.inf).argmin(axis=1)
    return joined


def _cut_worst(grouping: _Grouping, rule: PrototypeRule) -> list[NDArray[np.int64]]:
    """Group numbers with one group more, cut in up to two ways; none where no group is so large."""
    worst = int(np.bincount(grouping.groups, grouping.fits).argmax())
    members = np.flatnonzero(grouping.groups == worst)
    weights = grouping.weights[members].astype(np.float64)
    least = max(FEWEST, rule.least_share * float(grouping.weights.sum()))
    cuts = []
    for places in _axes(grouping.counts[members], grouping.medians[worst]):
        order = np.argsort(places, kind="stable")
        first = _best_cut(places[order], weights[order], least)
        if first is not None:
            groups = grouping.groups.copy()
            groups[members[order[first:]]] = grouping.number
            cuts.append(groups)
    return cuts


def _axes(counts: Counts, median: Counts) -> list[NDArray[np.float64]]:
    """Places (n,) of each along two axes through the median.

    The first is where they differ most; a few far ones may make it. For the second only the
    directions of their differences count; noise may make that. Rounded: the order must not hang
    on the last digit of a sum.
    """
    values = counts.reshape(len(counts), -1) - median.reshape(-1).astype(np.float64)
    products = values @ values.T  # of integers, exact
    lengths = np.sqrt(np.maximum(np.diag(products), 1.0))
    alike = products / (lengths * lengths[:, None])
    return [_first_axis(products / np.square(lengths).max()), _first_axis(alike)]


def _first_axis(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) along the first principal axis of vectors with these inner products (n, n)."""
    place = products[:, (products**2).sum(0).argmax()]
    for _ in range(AXIS_ROUNDS):
        place = (products * place).sum(1)
        place /= max(float(np.abs(place).max()), LEAST_PLACE)
    return place.round(6)


def _best_cut(
    places: NDArray[np.float64], weights: NDArray[np.float64], least: float
) -> int | None:
    """Where ascending places part best: the first place of the second part, each part >= `least`.

    The cut with the most weight times squared distance of the means between the parts.
    """
    below, sums = weights.cumsum()[:-1], (weights * places).cumsum()[:-1]
    above = weights.sum() - below
    index = np.arange(1, len(places))
    fits = (below >= least) & (above >= least)
    if not fits.any():
        return None
    apart = sums / below - ((weights * places).sum() - sums) / above
    return int(index[np.where(fits, below * above * apart**2, -1.0).argmax()])
