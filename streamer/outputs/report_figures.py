"""Figures and shapes of the report, computed from what the roll folder holds; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.outputs.defect_log import LoggedDefect

BAND_WIDTH_PX = 1040
BAND_HEIGHT_PX = 88
MOST_BANDS = 6
SMALLEST_MARK_PX = 7.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the head of the report says: `tone` is "good", "warn" or "bad"."""

    title: str
    tone: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One row of the defect map: the metres it shows and its height on the page."""

    first_m: float
    end_m: float
    height_px: float
    width_mm: float

    def mark(self, box: tuple[float, float, float, float]) -> Mark | None:
        """Where a box (down first, end, cross first, end; in mm) lies; None if it is outside."""
        down_first, down_end, cross_first, cross_end = box
        if down_end <= self.first_m * 1000 or down_first >= self.end_m * 1000:
            return None
        span_mm = (self.end_m - self.first_m) * 1000
        x, width = _side(down_first - self.first_m * 1000, down_end - down_first, span_mm)
        y, height = _side(cross_first, cross_end - cross_first, self.width_mm)
        return Mark(
            *_at_least_visible(x * BAND_WIDTH_PX, width * BAND_WIDTH_PX, BAND_WIDTH_PX),
            *_at_least_visible(y * self.height_px, height * self.height_px, self.height_px),
        )

    def ticks(self) -> list[tuple[float, str]]:
        """(x in pixels, metres) of round numbers along the band."""
        step = round_step((self.end_m - self.first_m) / 10)
        first = math.ceil(self.first_m / step - 1e-9)
        last = math.floor(self.end_m / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step)))
        scale = BAND_WIDTH_PX / (self.end_m - self.first_m)
        numbers = [number * step for number in range(first, last + 1)]
        return [((metres - self.first_m) * scale, f"{metres:.{digits}f}") for metres in numbers]


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle in pixels of a band."""

    x: float
    width: float
    y: float
    height: float


def verdict(manifest: dict[str, Any], defects: Sequence[LoggedDefect]) -> Verdict:
    """The headline; blindness and an early end come before a clean result."""
    lost = manifest["totals"]["coverage"]["not_inspected_percent"]
    whole = manifest["outcome"] == "complete"
    remarks = [] if whole else [f"ended early: {manifest['outcome']}"]
    if lost > 0:
        remarks.append(f"{percent_text(lost)} of the captured area not inspected")
    if not manifest["totals"]["coverage"]["is_exact"]:
        remarks.append("the coverage does not add up to the captured area")
    grave = sum(defect.severity == "high" for defect in defects)
    if grave:
        remarks.insert(0, f"{grave} of high severity")
    if defects:
        noun = "defect" if len(defects) == 1 else "defects"
        return Verdict(f"{len(defects)} {noun}", "bad" if grave else "warn", tuple(remarks))
    if remarks:
        return Verdict("No defects in what was inspected", "warn", tuple(remarks))
    return Verdict("No defects", "good", ("everything was inspected",))


def percent_text(percent: float) -> str:
    """Two digits that never round a loss away nor make an almost a whole."""
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.99 < percent < 100:
        return "> 99.99 %"
    return f"{percent:.2f} %"


def inspected_percent(coverage: dict[str, Any]) -> float:
    """Share of the web (captured without masked) with a verdict; 0 without web."""
    web = coverage["captured_px"] - coverage["masked_px"]
    return 100.0 * coverage["inspected_px"] / web if web else 0.0


def bands(length_m: float, width_mm: float) -> list[Band]:
    """Cut the roll into rows of the page so that the web is about true to scale."""
    if length_m <= 0:
        return []
    true_height = BAND_WIDTH_PX * width_mm / (length_m * 1000)
    count = max(1, min(MOST_BANDS, round(BAND_HEIGHT_PX / true_height)))
    height = max(56.0, min(200.0, true_height * count))
    edges = [length_m * number / count for number in range(count + 1)]
    return [Band(a, b, height, width_mm) for a, b in zip(edges, edges[1:], strict=False)]


def _side(first_mm: float, size_mm: float, whole_mm: float) -> tuple[float, float]:
    """Position and size as shares of the whole, cut at its edges."""
    low, high = max(first_mm, 0.0), min(first_mm + size_mm, whole_mm)
    return low / whole_mm, max(high - low, 0.0) / whole_mm


def _at_least_visible(first: float, size: float, whole: float) -> tuple[float, float]:
    """Widen around the centre to the smallest mark, inside the band."""
    shown = max(size, SMALLEST_MARK_PX)
    start = min(max(first + size / 2 - shown / 2, 0.0), max(whole - shown, 0.0))
    return round(start, 2), round(shown, 2)


def round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten, not smaller than `step` > 0."""
    power: float = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * (1 - 1e-9))
