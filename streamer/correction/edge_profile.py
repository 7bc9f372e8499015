"""Level and texture across the web from a few lines of a group; pure, knows no edge and no mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from streamer.correction.side_cells import Floats
    from streamer.message import PixelArray

SAMPLES = 9  # lines of a group that are looked at: three times three for the median of medians
LEAST_CELLS = 24
CELL_SIZES = ((2048, 4), (6144, 8), (12288, 16))  # columns below which a cell has so many pixels
WIDEST_CELL = 32
CELL_COLUMNS = 8  # of a cell that are looked at, at most
FAINTEST = 0.004  # deviation below which there is only noise, as share of the full range


@dataclass(frozen=True, slots=True, eq=False)
class EdgeProfile:
    """What a group of lines shows across the web; levels are 0..1, `cell_px` columns are a cell.

    `grey` is (SAMPLES, columns / step): every `step`th column of whole cells, `rest_px` columns
    beyond them are left out. `line_levels` and `line_variances` are (SAMPLES, cells), mean and
    variance of each line by itself. `level` and `texture` are (cells,): typical of all lines, so
    that a few lines with a hole or a thread do not count; texture is the logarithm of the deviation
    inside a cell.
    """

    grey: Floats
    line_levels: Floats
    line_variances: Floats
    level: Floats
    texture: Floats
    cell_px: int
    step: int
    rest_px: int

    @property
    def mirrored(self) -> EdgeProfile:
        """The same, seen from the right side of the last whole cell."""
        return EdgeProfile(
            self.grey[:, ::-1],
            self.line_levels[:, ::-1],
            self.line_variances[:, ::-1],
            self.level[::-1],
            self.texture[::-1],
            self.cell_px,
            self.step,
            self.rest_px,
        )


def sampled_lines(count: int) -> tuple[int, ...]:
    """Which SAMPLES of `count` lines are looked at, rising; the last one always is.

    Raises:
        ValueError: there is no line.
    """
    require(count > 0, "group must hold a line", count)
    return tuple(max((n + 1) * count // SAMPLES - 1, 0) for n in range(SAMPLES))


def cell_pixels(columns: int) -> int:
    """Columns of a cell on a web of `columns`: as finely as texture can be told from noise."""
    return next((size for below, size in CELL_SIZES if columns < below), WIDEST_CELL)


def column_step(columns: int) -> int:
    """Of how many columns one is looked at: of wide cells not all are needed."""
    return max(cell_pixels(columns) // CELL_COLUMNS, 1)


def to_levels(pixels: PixelArray) -> Floats:
    """(lines, columns[, 3]) to (lines, columns) float32 in 0..1: green stands for the colours.

    The mean of the channels costs as much as all the rest, and tells no edge that green does not.
    """
    grey = pixels[..., 1] if pixels.ndim == 3 else pixels
    levels = grey.astype(np.float32)
    levels *= np.float32(1 / np.iinfo(pixels.dtype).max)
    return levels


def profile_of(lines: PixelArray) -> EdgeProfile:
    """Of the sampled lines (SAMPLES, columns[, 3]) of a group.

    Raises:
        ValueError: there are other than SAMPLES lines, or fewer than LEAST_CELLS cells.
    """
    require(lines.shape[0] == SAMPLES, f"lines must be {SAMPLES}", lines.shape[0])
    columns = lines.shape[1]
    cell_px, step = cell_pixels(columns), column_step(columns)
    rule = f"web must be at least {LEAST_CELLS * cell_px} columns wide for its edges to be found"
    require(columns >= LEAST_CELLS * cell_px, rule, columns)
    rest_px = columns % cell_px
    grey = to_levels(lines[:, : columns - rest_px : step])
    levels, variances = cell_statistics(grey, cell_px // step)
    deviation = np.maximum(ninther(variances), np.float32(FAINTEST**2))
    texture = np.log(deviation) * np.float32(0.5)
    level = ninther(levels)
    return EdgeProfile(grey, levels, variances, level, texture, cell_px, step, rest_px)


def cell_statistics(grey: Floats, size: int) -> tuple[Floats, Floats]:
    """Mean and variance (lines, cells) of `size` columns of each line; the remainder is left out.

    Sums by a product with ones: a reduction over so short an axis takes five times as long.
    """
    lines, cells = grey.shape[0], grey.shape[1] // size
    whole = grey[:, : cells * size].reshape(-1, size)
    share = np.full(size, 1 / size, np.float32)
    mean = whole @ share
    variance = np.maximum((whole * whole) @ share - mean * mean, 0)
    return mean.reshape(lines, cells), variance.reshape(lines, cells)


def ninther(values: Floats) -> Floats:
    """(9, n) -> (n,): median of the medians of lines 0 3 6, 1 4 7 and 2 5 8 (Tukey's ninther).

    Up to three lines in a row, wherever they are, do not change it beyond what the others show.
    """
    return _middle(*_middle(*values.reshape(3, 3, -1)))


def _middle(a: Floats, b: Floats, c: Floats) -> Floats:
    smaller, larger = np.minimum(a, b), np.maximum(a, b)
    middle: Floats = np.maximum(smaller, np.minimum(larger, c))
    return middle
