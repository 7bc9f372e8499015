"""Curves of a class as paths to draw: ROC, precision-recall, PRO; knows no page and no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.pixel_metrics import PRO_LIMIT, precision, rates, region_overlap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streamer.evaluation.pixel_metrics import ScoreCounts

    Points = tuple[NDArray[np.float64], NDArray[np.float64]]

WIDTH, HEIGHT = 200.0, 140.0  # of the drawing area, in units of the picture
LOWEST_RATE = 1e-6  # left end of a logarithmic axis
MOST_POINTS = 240


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high` over the width of the drawing area."""

    title: str
    low: float
    high: float
    is_log: bool = False

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where values lie, 0..1 from the left; beyond the ends they lie on them."""
        inside = np.clip(values, self.low, self.high)
        if self.is_log:
            span = np.log(self.high / self.low)
            return np.asarray(np.log(inside / self.low) / span)
        return (inside - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places along the width and labels."""
        if self.is_log:
            first, last = np.log10(self.low), np.log10(self.high)
            powers = range(int(np.ceil(first)), int(np.floor(last + 1e-9)) + 1)
            return [(WIDTH * (p - first) / (last - first), f"1e{p}") for p in powers]
        values = np.linspace(self.low, self.high, 3)
        return [(WIDTH * n / 2, f"{value:g}") for n, value in enumerate(values)]


@dataclass(frozen=True, slots=True)
class Plot:
    """A kind of curve: what stands on its axes; the ordinate runs from 0 to 1."""

    title: str
    axis: Axis
    ordinate: str
    of_pixels: bool  # means nothing where the truth are boxes


PLOTS = {
    "roc": Plot("ROC", Axis("false-positive rate", 0, 1), "true-positive rate", of_pixels=True),
    "roc_log": Plot(
        "ROC, log rate",
        Axis("false-positive rate", LOWEST_RATE, 1, is_log=True),
        "true-positive rate",
        of_pixels=True,
    ),
    "pr": Plot("Precision-recall", Axis("recall", 0, 1), "precision", of_pixels=True),
    "pro": Plot(
        "PRO", Axis("false-positive rate", 0, PRO_LIMIT), "region overlap", of_pixels=False
    ),
    "pro_log": Plot(
        "PRO, log rate",
        Axis("false-positive rate", LOWEST_RATE, 1, is_log=True),
        "region overlap",
        of_pixels=False,
    ),
}


def draw_curves(counts: ScoreCounts, *, boxes: bool) -> dict[str, str]:
    """SVG path by plot, in a drawing area of `WIDTH` x `HEIGHT` with the origin at its top left.

    Without normal or defective pixels there are no curves.
    """
    if not counts.has_both:
        return {}
    points = dict(_points(counts))
    return {
        name: _path(PLOTS[name].axis, points[name.removesuffix("_log")])
        for name in PLOTS
        if not (boxes and PLOTS[name].of_pixels)
    }


def _points(counts: ScoreCounts) -> Iterator[tuple[str, Points]]:
    false_rate, true_rate = rates(counts.normal), rates(counts.defective)
    exact = precision(counts)
    flagged = counts.normal + counts.defective > 0
    yield "roc", (false_rate, true_rate)
    yield "pr", (true_rate[1:][flagged], exact[flagged])
    yield "pro", (false_rate, region_overlap(counts))


def _path(axis: Axis, points: Points) -> str:
    """A polyline of at most `MOST_POINTS`, one per step of the longer way that it goes."""
    right, up = axis.place(points[0]), np.clip(points[1], 0, 1)
    way = np.cumsum(np.r_[0, np.abs(np.diff(right)) + np.abs(np.diff(up))])
    steps = np.floor(way / max(way[-1], 1e-12) * (MOST_POINTS - 2))
    kept = np.r_[True, np.diff(steps) > 0]
    kept[-1] = True
    places = zip(WIDTH * right[kept], HEIGHT * (1 - up[kept]), strict=True)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
