"""A piece of a roll map sampled into the pixels of a picture; draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.outputs.defect_log import read_log
from streamer.outputs.roll_map_reader import MapReader
from streamer.outputs.roll_map_rows import end_line, rows_of_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.message import PixelArray, ScoreArray
    from streamer.outputs.defect_log import LoggedDefect
    from streamer.outputs.roll_map_format import Level

WIDEST_PX, HIGHEST_PX = 1500, 760
NARROWEST_PX, LOWEST_PX = 560, 120
MOST_CELLS = 1 << 24  # read for one picture: 64 MB


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in mm, half-open."""

    first_mm: float
    end_mm: float

    @property
    def size_mm(self) -> float:
        """Its length."""
        return self.end_mm - self.first_mm


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """What a picture shows: (pixels cross-web, pixels down-web) scores and codes.

    `codes` names the codes, `cell_mm` is the (down-web, cross-web) size of the cells that were
    read, of level `level`. `defects` reach into the piece, the strongest first.
    """

    roll: str
    down: Span
    cross: Span
    scores: ScoreArray
    coverage: PixelArray
    codes: dict[int, str]
    level: int
    cell_mm: tuple[float, float]
    defects: tuple[LoggedDefect, ...]


class MapScene:
    """A roll's map and log, from which views are cut."""

    def __init__(self, roll_folder: Path) -> None:
        """Open map and log; the roll may still run, or have died.

        Raises:
            FileNotFoundError: there is no map or no log.
            ValueError: one of them is damaged or of another version; `view` raises it too.
        """
        self._reader = MapReader(roll_folder)
        self._log = read_log(roll_folder)
        form = self._reader.form
        lines = end_line(self._log.pieces, self._reader.rows, form.stride)
        columns = max((row.columns.end for row in self._log.coverage), default=0)
        width = min(columns, form.columns * form.stride) or form.columns * form.stride
        self.down = Span(0.0, lines * form.line_mm)
        self.cross = Span(0.0, width * form.pixel_mm)

    def view(self, down: Span, cross: Span) -> MapView:
        """Sample a piece; both spans lie within those of the scene and are not empty."""
        size = picture_size(down, cross)
        number = self._level(down, cross, size)
        level = self._reader.levels[number]
        rows, known = self._rows(down, size[1])
        columns = self._columns(cross, size[0], level)
        edges = rows // level.rows_per_cell, columns
        cell_mm = self._reader.form.cell_mm
        coverage = _sample(self._reader.coverage, number, edges)
        coverage[~known] = 0
        scores = _sample(self._reader.scores, number, edges)
        scores[~known] = np.nan
        return MapView(
            roll=self._reader.form.roll,
            down=down,
            cross=cross,
            scores=scores.T,
            coverage=coverage.T,
            codes={code: status for status, code in self._reader.codes.items()},
            level=number,
            cell_mm=(cell_mm[0] * level.rows_per_cell, cell_mm[1] * level.columns_per_cell),
            defects=self._defects(down, cross),
        )

    def _level(self, down: Span, cross: Span, size: tuple[int, int]) -> int:
        """The coarsest level whose cells are no larger than a pixel, as far as memory allows."""
        down_mm, cross_mm = self._reader.form.cell_mm
        pixel_mm = down.size_mm / size[1], cross.size_mm / size[0]
        levels = self._reader.levels
        fits = [
            level.rows_per_cell * down_mm <= pixel_mm[0]
            and level.columns_per_cell * cross_mm <= max(pixel_mm[1], cross_mm)
            for level in levels
        ]
        number = max((n for n, fit in enumerate(fits) if fit), default=0)
        rows = down.size_mm / down_mm
        while (
            number + 1 < len(levels)
            and rows / levels[number].rows_per_cell * levels[number].columns > MOST_CELLS
        ):
            number += 1
        return number

    def _rows(self, down: Span, pixels: int) -> tuple[ScoreArray, ScoreArray]:
        """Row of level 0 at which each pixel starts, the end of the last, and which are known."""
        form = self._reader.form
        starts_mm = down.first_mm + np.arange(pixels + 1) * down.size_mm / pixels
        lines = np.floor(starts_mm / form.line_mm + 1e-6).astype(np.int64)
        last = max(int(np.ceil(down.end_mm / form.line_mm - 1e-6)) - 1, 0)
        lines = np.minimum(lines, last)
        rows, known = rows_of_lines(lines, self._log.pieces, form.stride)
        rows = np.minimum(rows, max(self._reader.rows - 1, 0))
        return rows, known[:-1]

    def _columns(self, cross: Span, pixels: int, level: Level) -> ScoreArray:
        """Column of the level at which each pixel starts, and that in which the last one ends."""
        cell_mm = self._reader.form.cell_mm[1] * level.columns_per_cell
        starts_mm = cross.first_mm + np.arange(pixels + 1) * cross.size_mm / pixels
        columns = np.floor(starts_mm / cell_mm + 1e-6).astype(np.int64)
        last = int(np.ceil(cross.end_mm / cell_mm - 1e-6)) - 1
        found: ScoreArray = np.clip(columns, 0, min(max(last, 0), level.columns - 1))
        return found

    def _defects(self, down: Span, cross: Span) -> tuple[LoggedDefect, ...]:
        inside = [
            defect
            for defect in self._log.defects
            if defect.down_first_mm < down.end_mm
            and defect.down_end_mm > down.first_mm
            and defect.cross_first_mm < cross.end_mm
            and defect.cross_end_mm > cross.first_mm
        ]
        return tuple(sorted(inside, key=lambda defect: (-defect.peak, defect.id)))


def picture_size(down: Span, cross: Span) -> tuple[int, int]:
    """(height, width) in pixels: true to scale where the bounds of a picture allow it."""
    scale = min(WIDEST_PX / down.size_mm, HIGHEST_PX / cross.size_mm)
    width, height = round(down.size_mm * scale), round(cross.size_mm * scale)
    return max(height, LOWEST_PX), max(width, NARROWEST_PX)


def _sample(
    read: Callable[[int, int, int], ScoreArray], number: int, edges: tuple[ScoreArray, ScoreArray]
) -> ScoreArray:
    """The largest cell in each pixel, (pixels down-web, pixels cross-web); none is left out."""
    rows, columns = edges
    cells = read(number, int(rows[0]), int(rows.max()) + 1)
    larger = np.fmax if cells.dtype.kind == "f" else np.maximum
    narrow = larger.reduceat(cells[:, : columns[-1] + 1], columns[:-1], axis=1)
    found: ScoreArray = larger.reduceat(narrow, rows[:-1] - rows[0], axis=0)
    return found
