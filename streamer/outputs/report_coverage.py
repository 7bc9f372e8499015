"""The coverage bar of the report and its gaps, however short; pure, knows no page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.outputs.report_figures import Mark
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamer.message import ScoreArray
    from streamer.outputs.defect_log import CoverageRow

COVERAGE_BINS = 520
SMALLEST_GAP = 1.5  # bins: 3 pixels on a screen, 0.5 mm on paper
COVERAGE_COLOURS = {INSPECTED: "#2f9e6e", MASKED: "#cbd0d6"}
GAP_COLOURS = ("#d9480f", "#9c36b5", "#1c7ed6", "#c2255c", "#5f3dc4", "#e8590c", "#364fc7")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of the coverage bar: from `x` over `width` (in bins), `y` and `height` of 0..1."""

    status: str
    x: int
    width: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class GapTrack:
    """Where a reason left web out: (first, end) in bins, never narrower than can be seen."""

    status: str
    stretches: tuple[tuple[float, float], ...]
    metres: float


@dataclass(frozen=True, slots=True)
class CameraSpan:
    """The columns of a camera, in mm of the web."""

    camera: str
    first_mm: float
    end_mm: float


def coverage_runs(rows: Iterable[CoverageRow], lines: int) -> list[Run]:
    """The coverage bar: per stretch of web the shares of each status, stacked cross-web."""
    if lines <= 0:
        return []
    areas: dict[str, ScoreArray] = {}
    for row in rows:
        bins = areas.setdefault(row.status, np.zeros(COVERAGE_BINS))
        _spread(bins, row, lines)
    if not areas:
        return []
    statuses = sorted(areas, key=lambda status: (status != INSPECTED, status == MASKED, status))
    stacked = np.cumsum([areas[status] for status in statuses], axis=0)
    shares = np.round(stacked / np.maximum(stacked[-1], 1e-12), 3)
    shares[:, stacked[-1] <= 0] = 0
    return [run for run in _runs(statuses, shares) if run.height > 0]


def gap_tracks(rows: Iterable[CoverageRow], lines: int, line_m: float) -> list[GapTrack]:
    """One track per reason, so that none lies under another; a gap of one line is seen."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        if row.status not in COVERAGE_COLOURS and row.lines.size and lines > 0:
            found.setdefault(row.status, []).append((row.lines.first, row.lines.end))
    return [
        GapTrack(
            status,
            tuple(_joined([_visible(a, b, lines) for a, b in spans])),
            line_m * sum(b - a for a, b in _joined(spans)),
        )
        for status, spans in sorted(found.items())
    ]


def merged_marks(marks: Iterable[Mark]) -> list[Mark]:
    """Marks of the same height that touch become one: as many as can be seen, not as there are."""
    rows: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for mark in marks:
        rows.setdefault((mark.y, mark.height), []).append((mark.x, mark.x + mark.width))
    return [
        Mark(first, round(end - first, 2), y, height)
        for (y, height), spans in rows.items()
        for first, end in _joined(spans)
    ]


def camera_spans(rows: Iterable[CoverageRow], pixel_mm: float) -> list[CameraSpan]:
    """Which columns each camera shows, from left to right."""
    spans: dict[str, tuple[int, int]] = {}
    for row in rows:
        first, end = spans.get(row.camera, (row.columns.first, row.columns.end))
        spans[row.camera] = (min(first, row.columns.first), max(end, row.columns.end))
    ordered = sorted(spans.items(), key=lambda item: item[1])
    return [CameraSpan(name, a * pixel_mm, b * pixel_mm) for name, (a, b) in ordered]


def camera_at(spans: Sequence[CameraSpan], cross_mm: float) -> str:
    """The camera that shows a place of the web; "" if none does."""
    return next((s.camera for s in spans if s.first_mm <= cross_mm <= s.end_mm), "")


def status_colours(statuses: Iterable[str]) -> dict[str, str]:
    """A colour per status, the same for the same set of statuses."""
    gaps = sorted(set(statuses) - set(COVERAGE_COLOURS))
    chosen = {gap: GAP_COLOURS[i % len(GAP_COLOURS)] for i, gap in enumerate(gaps)}
    return {**COVERAGE_COLOURS, **chosen}


def _runs(statuses: Sequence[str], shares: ScoreArray) -> list[Run]:
    """Neighbouring bins with the same shares become one stretch."""
    changes = np.flatnonzero(np.any(np.diff(shares, axis=1) != 0, axis=0)) + 1
    edges = [0, *changes.tolist(), shares.shape[1]]
    found = []
    for first, end in zip(edges, edges[1:], strict=False):
        tops = [0.0, *shares[:, first].tolist()]
        found += [
            Run(status, first, end - first, tops[i], tops[i + 1] - tops[i])
            for i, status in enumerate(statuses)
        ]
    return found


def _spread(bins: ScoreArray, row: CoverageRow, lines: int) -> None:
    """Add the area of a row to the bins that it reaches, in proportion."""
    scale = COVERAGE_BINS / lines
    first, end = row.lines.first * scale, min(row.lines.end * scale, COVERAGE_BINS)
    low, high = int(first), math.ceil(end)
    edges = np.clip(np.arange(low, high + 1), first, end)
    bins[low:high] += np.diff(edges) * row.columns.size


def _visible(first: float, end: float, lines: int) -> tuple[float, float]:
    """A stretch of lines in bins, widened around its middle, inside the bar."""
    scale = COVERAGE_BINS / lines
    width = max((end - first) * scale, SMALLEST_GAP)
    start = min(max((first + end) * scale / 2 - width / 2, 0.0), COVERAGE_BINS - width)
    return round(start, 2), round(start + width, 2)


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans (first, end) that overlap or touch become one; sorted."""
    joined: list[tuple[float, float]] = []
    for first, end in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((first, end))
    return joined
