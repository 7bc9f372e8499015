"""Best cuts of a roll into first-quality pieces, by dynamic programming; pure, knows no file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import ScoreArray, require

if TYPE_CHECKING:
    from collections.abc import Sequence

TINY = 1e-6  # of a cell: metres are sums of lines, and must not round into the next cell
MOST_LENGTHS = 10_000


@dataclass(frozen=True, slots=True)
class PieceRules:
    """What a first-quality piece is: one of `lengths_cells`, with few enough points.

    A cell is `resolution_m` of web. A piece may have at most `limit_per_100m2` points per 100 m2 of
    `width_m`.
    """

    lengths_cells: tuple[int, ...]
    resolution_m: float
    width_m: float
    limit_per_100m2: float

    def __post_init__(self) -> None:
        lengths = self.lengths_cells
        fits = 0 < len(lengths) <= MOST_LENGTHS and min(lengths, default=0) > 0
        require(fits, f"lengths_cells must be 1 to {MOST_LENGTHS} positive lengths", len(lengths))
        positive = self.resolution_m > 0 and self.width_m > 0 and self.limit_per_100m2 >= 0
        require(positive, "PieceRules must be positive", self)

    def most_points(self, cells: ScoreArray) -> ScoreArray:
        """Whole points that pieces of so many cells may have."""
        areas_m2 = cells * (self.resolution_m * self.width_m)
        return np.floor(self.limit_per_100m2 * areas_m2 / 100 + 1e-9).astype(np.int64)


@dataclass(frozen=True, slots=True)
class PlannedWeb:
    """The web to be cut, in metres from the start of the roll.

    `blocked` stretches are not first quality (not inspected); no piece spans one of `seams`.
    `faults` are (first, end, points): each counts in full for every piece that it touches.
    """

    length_m: float
    blocked: tuple[tuple[float, float], ...] = ()
    seams: tuple[float, ...] = ()
    faults: tuple[tuple[float, float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """A piece from `first` to `end`, in cells, and its points."""

    first: int
    end: int
    points: int


@dataclass(frozen=True, slots=True)
class CutPlan:
    """Pieces in web order; `cells` is the whole roll."""

    pieces: tuple[PlannedPiece, ...]
    cells: int

    @property
    def first_quality_cells(self) -> int:
        """Cells in pieces."""
        return sum(piece.end - piece.first for piece in self.pieces)


def plan_cuts(web: PlannedWeb, rules: PieceRules) -> CutPlan:
    """The pieces with the greatest length in all; of equal plans one with the fewest pieces.

    Exact on the grid of cells, by dynamic programming over the end of the last piece: O(cells *
    lengths) time, O(cells) memory. A stretch that is blocked in part blocks its whole cell, and a
    seam within a cell does, too. The last cell of the roll, if it is not whole, is cut off.
    """
    cells = math.floor(web.length_m / rules.resolution_m + TINY)
    lengths = np.array(sorted(set(rules.lengths_cells), reverse=True), np.int64)
    lengths = lengths[lengths <= cells]
    if not lengths.size:
        return CutPlan((), max(cells, 0))
    starts = _earliest_starts(web, cells, rules.resolution_m)
    before, over = _running_points(web, cells, rules.resolution_m)
    taken = _best_lengths(lengths, starts, (before, over), rules)
    return CutPlan(_pieces(taken, before, over), cells)


def _best_lengths(
    lengths: ScoreArray,
    starts: ScoreArray,
    points: tuple[ScoreArray, ScoreArray],
    rules: PieceRules,
) -> list[int]:
    """For each end the length of the piece that ends there in the best plan; 0: none ends there."""
    before, over = points
    cells = len(starts) - 1
    # A cell outweighs any number of pieces, so that one number says length first, then pieces.
    gains = lengths * (cells + 1) - 1
    allowed = rules.most_points(lengths)
    counts = np.searchsorted(-lengths, -(np.arange(cells + 1) - starts))  # too long ones
    best = np.zeros(cells + 1, np.int64)
    taken = [0] * (cells + 1)
    for end in range(1, cells + 1):
        best[end] = best[end - 1]
        longest = int(counts[end])
        if longest == lengths.size:
            continue
        firsts = end - lengths[longest:]
        good = before[end] - over[firsts] <= allowed[longest:]
        values = np.where(good, best[firsts] + gains[longest:], -1)
        choice = int(values.argmax())
        if values[choice] > best[end]:
            best[end], taken[end] = values[choice], int(lengths[longest + choice])
    return taken


def _earliest_starts(web: PlannedWeb, cells: int, resolution_m: float) -> ScoreArray:
    """For each end the first cell from which on the web up to it is whole and inspected."""
    barrier = np.zeros(cells + 1, np.int64)
    seams = [(seam, seam) for seam in web.seams]
    for first_m, end_m in (*web.blocked, *seams):
        first, end = _cells(first_m, end_m, resolution_m)
        inside = np.arange(min(first, cells) + 1, min(end, cells) + 1)
        barrier[inside] = inside  # no piece ends here
        if end < cells:
            barrier[end + 1] = max(barrier[end + 1], end)
    return np.maximum.accumulate(barrier)


def _running_points(
    web: PlannedWeb, cells: int, resolution_m: float
) -> tuple[ScoreArray, ScoreArray]:
    """By border: points of faults that begin before it, and of those that end at or before it."""
    before, over = np.zeros(cells + 2, np.int64), np.zeros(cells + 2, np.int64)
    for first_m, end_m, points in web.faults:
        first, end = _cells(first_m, end_m, resolution_m)
        end = max(end, first + 1)
        before[min(first + 1, cells + 1)] += points
        over[min(end, cells + 1)] += points
    return np.cumsum(before)[:-1], np.cumsum(over)[:-1]


def _cells(first_m: float, end_m: float, resolution_m: float) -> tuple[int, int]:
    """Cells that a stretch touches, half-open; empty for a point on a border."""
    first = math.floor(first_m / resolution_m + TINY)
    return first, max(first, math.ceil(end_m / resolution_m - TINY))


def _pieces(taken: Sequence[int], before: ScoreArray, over: ScoreArray) -> tuple[PlannedPiece, ...]:
    found = []
    end = len(taken) - 1
    while end > 0:
        first = end - max(taken[end], 1)
        if taken[end]:
            found.append(PlannedPiece(first, end, int(before[end] - over[first])))
        end = first
    return tuple(reversed(found))
