"""Where the defects of a simulated web lie: a function of seed and metre alone; draws no pixel."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from streamer.sources.defects import DefectKind, Patch, Room, draw_defect
from streamer.sources.lattice import generator
from streamer.sources.surfaces import thread_pitch_mm

if TYPE_CHECKING:
    import numpy as np

    from streamer.config import SimulatorSource, Web

_KINDS = {
    "fabric": tuple(kind for kind in DefectKind if kind is not DefectKind.CRACK),
    "rail": (DefectKind.CRACK, DefectKind.HOLE, DefectKind.SCRATCH, DefectKind.STAIN),
}
_CELL_MM = 1000.0
_SLOT_LINES = 8  # a defect and its distance to the next need this much
_IDS_PER_CELL = 1000


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect on the web; `patch` is already cut at the edges of the web."""

    id: int
    kind: DefectKind
    first_line: int
    first_column: int
    patch: Patch

    @property
    def end_line(self) -> int:
        """The line after the last that may change."""
        return self.first_line + len(self.patch.gain)

    @property
    def end_column(self) -> int:
        """The column after the last that may change."""
        return self.first_column + int(self.patch.gain.shape[1])


@dataclass(frozen=True, slots=True)
class _Slot:
    """A stretch of web that holds one defect and shares no line with another."""

    id: int
    first_line: int
    lines: int


class Planting:
    """Settles the defects metre by metre: a Poisson number in each, in slots of equal length.

    A web with lines so long that no metre has room for a defect stays clean.
    """

    def __init__(self, settings: SimulatorSource, web: Web) -> None:
        self._settings = settings
        self._web = web
        self._cell_lines = _CELL_MM / web.down_mm
        self._clean_lines = ceil(settings.clean_m * 1000 / web.down_mm)
        self._cells: dict[int, tuple[Planted, ...]] = {}

    def between(self, first_line: int, end_line: int) -> tuple[Planted, ...]:
        """Defects that touch lines [first_line, end_line), down-web."""
        if self._cell_lines < _SLOT_LINES or self._settings.defects_per_m == 0:
            return ()
        first, last = (int(line / self._cell_lines) for line in (first_line, end_line))
        cells = range(max(0, first - 1), last + 1)
        known = self._cells
        self._cells = {c: known[c] if c in known else self._plant(c) for c in cells}
        return tuple(
            defect
            for cell in cells
            for defect in self._cells[cell]
            if defect.first_line < end_line and defect.end_line > first_line
        )

    def _plant(self, cell: int) -> tuple[Planted, ...]:
        rng = generator(self._settings.seed, f"defects {cell}")
        first, end = (ceil(number * self._cell_lines) for number in (cell, cell + 1))
        count = min(int(rng.poisson(self._settings.defects_per_m)), (end - first) // _SLOT_LINES)
        lines = (end - first) // max(1, count)
        slots = (
            _Slot(cell * _IDS_PER_CELL + number, first + number * lines, lines)
            for number in range(count)
        )
        planted = [self._plant_one(slot, rng) for slot in slots]
        return tuple(defect for defect in planted if defect.first_line >= self._clean_lines)

    def _plant_one(self, slot: _Slot, rng: np.random.Generator) -> Planted:
        kinds = _KINDS[self._settings.surface]
        kind = kinds[int(rng.integers(len(kinds)))]
        room = Room(
            lines=slot.lines - 2,
            columns=self._settings.columns,
            line_mm=self._web.down_mm,
            pixel_mm=self._web.pixel_mm,
            thread_mm=thread_pitch_mm(self._web),
        )
        patch = draw_defect(kind, rng, room)
        first_line = slot.first_line + 1 + int(rng.integers(room.lines - len(patch.gain) + 1))
        return self._cut(Planted(slot.id, kind, first_line, self._column(patch, rng), patch))

    def _column(self, patch: Patch, rng: np.random.Generator) -> int:
        """First column: up to a quarter of the defect may lie beyond an edge of the web."""
        width, columns = patch.gain.shape[1], self._settings.columns
        place = round(float(rng.uniform(-0.25 * width, columns - 0.75 * width)))
        return 0 if width == columns else place

    def _cut(self, defect: Planted) -> Planted:
        left, right = max(0, -defect.first_column), self._settings.columns - defect.first_column
        inside = slice(left, right)
        patch = Patch(defect.patch.gain[:, inside], defect.patch.offset[:, inside])
        return Planted(defect.id, defect.kind, defect.first_line, defect.first_column + left, patch)
