"""Sizes and levels of a roll map, and how a level becomes the next one; pure, knows no file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.message import ScoreArray, require

MAP_NAME = "map.zarr"
MAP_SCHEMA = "linescan.map/2"
LEVELS = 10  # the last one has 1 row for 512: 10 km of 0.1 mm lines at stride 8 are 24,000 rows
LEAST_COLUMNS = 128  # a level that is not wider keeps its columns, only rows are pooled on
SHARD_ROWS = 1024
CHUNK_ROWS = 256
CHUNK_COLUMNS = 512
COVERAGE, DEFECTS = "coverage", "defects"  # label images under `labels`


@dataclass(frozen=True, slots=True)
class MapFormat:
    """What the numbers of a map mean: its width in grid cells and the size of a cell."""

    roll: str
    columns: int
    stride: int
    pixel_mm: float
    line_mm: float

    def __post_init__(self) -> None:
        require(self.columns > 0 and self.stride > 0, "MapFormat must be positive", self)

    @property
    def cell_mm(self) -> tuple[float, float]:
        """(down-web, cross-web) size of a cell of level 0."""
        return self.line_mm * self.stride, self.pixel_mm * self.stride


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the pyramid: cells of level 0 that one of its cells covers, and its columns."""

    rows_per_cell: int
    columns_per_cell: int
    columns: int

    def rows(self, map_rows: int) -> int:
        """Its height when level 0 has `map_rows`."""
        return -(-map_rows // self.rows_per_cell)


def map_levels(columns: int) -> tuple[Level, ...]:
    """All levels of a map with so many columns, finest first; each has half the rows."""
    levels = [Level(1, 1, columns)]
    while len(levels) < LEVELS:
        above = levels[-1]
        factor = column_factor(above.columns)
        wide = -(-above.columns // factor)
        levels.append(Level(2 * above.rows_per_cell, factor * above.columns_per_cell, wide))
    return tuple(levels)


def column_factor(columns: int) -> int:
    """Columns of a level that become one of the next."""
    return 2 if columns > LEAST_COLUMNS else 1


def pool(cells: ScoreArray) -> ScoreArray:
    """The next level of (rows, columns): the largest of each 2 rows and 1 or 2 columns.

    NaN only where all cells are NaN; a last odd row or column stands alone. Integers likewise.
    """
    tall = _largest(cells[0::2], cells[1::2])
    if column_factor(cells.shape[1]) == 1:
        return tall
    return _largest(tall[:, 0::2].T, tall[:, 1::2].T).T


def _largest(first: ScoreArray, second: ScoreArray) -> ScoreArray:
    """Row by row; `second` may lack the last row."""
    larger = np.fmax if first.dtype.kind == "f" else np.maximum
    found = first.copy()
    larger(first[: len(second)], second, out=found[: len(second)])
    return found
