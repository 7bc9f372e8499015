"""What was planted in the web so far, measured on the pixels; renders nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.message import Interval, PixelArray

if TYPE_CHECKING:
    import numpy.typing as npt

    from streamer.sources.planting import Planted
    from streamer.web import WebGeometry

VERSION = 1


@dataclass(frozen=True, slots=True)
class Change:
    """The part of a defect in one chunk: pixels without and with it, (lines, columns[, 3])."""

    defect: Planted
    first_line: int
    before: PixelArray
    after: PixelArray


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a defect changed so far; the box is the smallest that holds every changed pixel."""

    lines: Interval
    columns: Interval
    pixels: int
    change: int
    level: int

    def joined(self, other: _Mark) -> _Mark:
        return _Mark(
            _hull(self.lines, other.lines),
            _hull(self.columns, other.columns),
            self.pixels + other.pixels,
            self.change + other.change,
            self.level + other.level,
        )


class GroundTruth:
    """Grows with every line; tells of the web from line 0 to the last one."""

    def __init__(self, camera: str, geometry: WebGeometry) -> None:
        self._camera = camera
        self._geometry = geometry
        self._end_line = 0
        self._defects: dict[int, tuple[Planted, _Mark]] = {}

    def deliver(self, lines: Interval, changes: tuple[Change, ...]) -> None:
        """Take `lines`, each once, in any order; `changes` are those of their chunk."""
        self._end_line = max(self._end_line, lines.end)
        for change in changes:
            mark = _measure(change, lines)
            if mark is not None:
                _, known = self._defects.get(change.defect.id, (None, mark))
                joined = mark if known is mark else known.joined(mark)
                self._defects[change.defect.id] = (change.defect, joined)

    def to_json(self) -> bytes:
        """Version, lines, scale and defects, down-web; see `_entry` for the fields."""
        found = sorted(self._defects.values(), key=lambda known: known[1].lines)
        content = {
            "version": VERSION,
            "camera": self._camera,
            "first_line": 0,
            "end_line": self._end_line,
            "columns": self._geometry.columns,
            "pixel_mm": self._geometry.pixel_mm,
            "line_mm": self._geometry.line_mm,
            "defects": [self._entry(*known) for known in found],
        }
        return json.dumps(content).encode()

    def _entry(self, defect: Planted, mark: _Mark) -> dict[str, Any]:
        """`contrast`: mean change over mean level of the `pixels` that changed (Weber)."""
        region = self._geometry.region(mark.lines, mark.columns)
        return {
            "id": defect.id,
            "kind": defect.kind.value,
            "first_line": mark.lines.first,
            "end_line": mark.lines.end,
            "first_column": mark.columns.first,
            "end_column": mark.columns.end,
            "down_first_mm": region.down_first,
            "down_end_mm": region.down_end,
            "cross_first_mm": region.cross_first,
            "cross_end_mm": region.cross_end,
            "pixels": mark.pixels,
            "contrast": round(mark.change / max(1, mark.level), 4),
        }


def _measure(change: Change, lines: Interval) -> _Mark | None:
    """What `change` does within `lines`; None when no pixel differs."""
    start = max(lines.first, change.first_line)
    rows = slice(start - change.first_line, max(0, lines.end - change.first_line))
    before, after = change.before[rows].astype(np.int64), change.after[rows].astype(np.int64)
    differs = before != after
    if differs.ndim == 3:
        differs = differs.any(axis=2)
    if not differs.any():
        return None
    return _Mark(
        _extent(differs.any(axis=1), start),
        _extent(differs.any(axis=0), change.defect.first_column),
        int(differs.sum()),
        int(np.abs(after - before)[differs].sum()),
        int(before[differs].sum()),
    )


def _extent(hit: npt.NDArray[np.bool_], offset: int) -> Interval:
    places = np.flatnonzero(hit)
    return Interval(int(places[0]) + offset, int(places[-1]) + 1 + offset)


def _hull(a: Interval, b: Interval) -> Interval:
    return Interval(min(a.first, b.first), max(a.end, b.end))
