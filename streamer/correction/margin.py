"""The margin beside the web at one side of a still: table, roller or frame; pure, knows no score.

A margin is told from a defect by what a defect does not have all at once: it runs along the whole
side, it is unlike the web all over, and a straight, abrupt border separates it from the web.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from streamer.correction.side_cells import BLOCK_PIXELS, CELL_PIXELS, SideCells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.correction.side_cells import Flags, Floats

    Depths = NDArray[np.int64]

MIDDLE = 0.2  # of blocks or cells that are left out at both ends where the web is looked at
LEAST_BLOCKS, LEAST_CELLS = 6, 24
LEVEL_SPREADS = 4.0  # median deviations of the web's levels that a margin is away at least
BRIGHTEST, DARKEST = 1.35, 0.35  # times the web's level that web may have, at least
# Of the web's deviations that bright and dark margins have at most: stripes of a web have them all,
# and dark web has more than the little that its light leaves.
TABLE_TEXTURE, FRAME_TEXTURE = 0.85, 0.6
SMOOTHNESS = 2.6  # or its contrast is so many times lower
MAJORITY = (3, 5)  # blocks and cells that outvote a speck on a table
SPECK_WEIGHT = 3  # foreign cells that make up for one that looks like web
LEAST_DEPTH = 2  # cells of the thinnest margin
LARGEST_SHARE = 0.45  # of the picture that a margin takes
STRAIGHTNESS = (1.0, 2.0)  # cells off a line: those of the thinnest and of thick margins
STEEPEST = 0.1  # of a border against its side
THICK = 12  # cells from which on a margin is certain enough for specks and edge lines
STRAIGHT_SHARES = (0.9, 0.8)  # of the blocks in the middle of thin and of thick margins
FULL_SHARE = 0.93  # of all blocks where there must be a margin
STEP_CELLS = 3  # within which the border is crossed
STEP_SHARE = 0.7  # of the difference of margin and web that lies within them
LINE_LEVEL = 0.2  # of the web's level that an edge line is away from it
LINE_SHARE = 0.7  # of the blocks in which it is
LINE_REACH, LINE_GAP = 32, 6  # cells beyond a margin, and between its edge lines
GUARD_CELLS = 1  # that are blurred by the border


@dataclass(frozen=True, slots=True, eq=False)
class _Foreign:
    """Cells that are unlike the web in one way, the plane that shows it, and by how much it does.

    A step of `line` in the level is an edge line. `flags`, `plane` and `level` are (blocks, cells).
    """

    flags: Flags
    plane: Floats
    difference: float
    level: Floats
    line: float


@dataclass(frozen=True, slots=True)
class _Web:
    """Typical level and contrast of the web, and the levels beyond which there is no web.

    Within `spread` of the level lies what is usual on the web.
    """

    level: float
    spread: float
    lowest: float
    highest: float
    contrast: float

    @classmethod
    def of(cls, cells: SideCells) -> _Web:
        inner = tuple(slice(int(MIDDLE * n), n - int(MIDDLE * n)) for n in cells.level.shape)
        level, contrast = float(np.median(cells.level[inner])), np.median(cells.contrast[inner])
        room = LEVEL_SPREADS * float(np.median(np.abs(cells.level[inner] - level)))
        lowest, highest = min(level - room, DARKEST * level), max(level + room, BRIGHTEST * level)
        return cls(level, room, lowest, highest, float(contrast))

    def foreign(self, cells: SideCells) -> tuple[_Foreign, ...]:
        """The ways to be no web, with the plane that shows it: a margin keeps to one of them."""
        deviation, usual = cells.contrast * cells.level, self.contrast * self.level
        bright = (cells.level > self.highest) & (deviation < TABLE_TEXTURE * usual)
        dark = (cells.level < self.lowest) & (deviation < FRAME_TEXTURE * usual)
        smooth = (cells.contrast < self.contrast / SMOOTHNESS) & (deviation < usual / SMOOTHNESS)
        drop = self.contrast * (1 - 1 / SMOOTHNESS)
        line = self.highest - self.level
        kinds = (
            (bright, cells.level, self.highest - self.level),
            (dark, cells.level, self.level - self.lowest),
            (smooth, cells.contrast, drop),
            (smooth | bright, cells.contrast, drop),
            (smooth | dark, cells.contrast, drop),
        )
        return tuple(_Foreign(*kind, cells.level, line) for kind in kinds)


def margin_depth(grey: Floats) -> Depths | None:
    """How many pixels at the left of each line are no web, (lines,); None: there is no margin.

    `grey` is (lines, columns) in 0..1. An edge line or a striking selvedge that follows the margin
    belongs to it; without a margin before it, it is web.
    """
    cells = SideCells.of(grey)
    if cells.level.shape[0] < LEAST_BLOCKS or cells.level.shape[1] < LEAST_CELLS:
        return None
    kinds = _Web.of(cells).foreign(cells)
    found = [border for kind in kinds if (border := _border(kind)) is not None]
    if not found:
        return None
    border = max(found, key=lambda one: float(np.median(one)))
    depth = (border + _edge_lines(cells, border) + GUARD_CELLS) * CELL_PIXELS
    lines = np.repeat(depth, BLOCK_PIXELS)
    return np.pad(lines, (0, grey.shape[0] - lines.size), mode="edge")


def _border(foreign: _Foreign) -> Depths | None:
    """Cells of margin in each block, if `foreign` makes one."""
    voted = ndimage.uniform_filter(foreign.flags.astype(np.float32), MAJORITY, mode="nearest") > 0.5
    runs = _foreign_runs(voted)
    middle = slice(int(MIDDLE * runs.size), runs.size - int(MIDDLE * runs.size))
    typical = float(np.median(runs[middle]))
    largest = LARGEST_SHARE * voted.shape[1]
    if (runs >= 1).mean() < FULL_SHARE or not LEAST_DEPTH <= typical <= largest:
        return None
    line = _straight_line(runs, middle)
    thin, thick = STRAIGHTNESS
    room, off = min(max(typical / 4, thin), thick), runs - line
    tilt = abs(float(line[-1] - line[0])) * CELL_PIXELS / (BLOCK_PIXELS * (runs.size - 1))
    # Beyond the middle another margin may cross, so that there only too little speaks against it.
    straight, deep = np.abs(off[middle]) <= room, off >= -2 * room
    share = STRAIGHT_SHARES[typical >= THICK]
    if tilt > STEEPEST or min(straight.mean(), deep.mean()) < share:
        return None
    border = np.where(np.abs(off) <= room, runs, np.maximum(np.round(line), 0)).astype(np.int64)
    return border if _is_abrupt(foreign, border) else None


def _foreign_runs(foreign: Flags) -> Depths:
    """Of each block the cells up to where the foreign ones most outweigh the others among them.

    A speck on a table does not end the run, as the first cell that looks like web would.
    """
    balance = np.cumsum(np.where(foreign, 1, -SPECK_WEIGHT), axis=1)
    runs: Depths = np.where(balance.max(axis=1) > 0, np.argmax(balance, axis=1) + 1, 0)
    return runs


def _straight_line(runs: Depths, middle: slice) -> Floats:
    """The line through the runs of the middle blocks by median slopes (Theil and Sen)."""
    blocks = np.arange(runs.size)
    inner, depth = blocks[middle], runs[middle]
    first, second = np.triu_indices(inner.size, max(1, inner.size // 3))
    slope = np.median((depth[second] - depth[first]) / (inner[second] - inner[first]))
    line: Floats = slope * blocks + np.median(depth - slope * inner)
    return line


def _is_abrupt(foreign: _Foreign, border: Depths) -> bool:
    """Whether most of the difference lies within a few cells; falling light is gradual."""
    plane, cells = foreign.plane, foreign.plane.shape[1]
    inside = np.median([np.median(p[: max(b, 1)]) for p, b in zip(plane, border, strict=True)])
    web = np.median(plane[:, int(MIDDLE * cells) : cells - int(MIDDLE * cells)])
    difference = abs(float(inside - web))
    if difference < foreign.difference:
        return False
    step = _step(plane, border) >= STEP_SHARE * difference
    return step or _step(foreign.level, border) >= foreign.line


def _step(plane: Floats, border: Depths) -> float:
    """The largest change within a few cells near the border, of the profile across it."""
    reach = np.arange(-2 * STEP_CELLS, 2 * STEP_CELLS + 1)
    at = np.clip(border[:, None] + reach, 0, plane.shape[1] - 1)
    profile = np.median(plane[np.arange(border.size)[:, None], at], axis=0)
    return float(np.abs(profile[STEP_CELLS:] - profile[:-STEP_CELLS]).max())


def _edge_lines(cells: SideCells, border: Depths) -> int:
    """Cells beyond the border up to the last edge line, each unlike the web in most blocks."""
    if np.median(border) < THICK:
        return 0
    reach = min(LINE_REACH, cells.level.shape[1] - int(border.max()) - 1)
    web = _Web.of(cells)
    foreign = np.abs(cells.level - web.level) > max(web.spread, LINE_LEVEL * web.level)
    at = border[:, None] + np.arange(reach)
    share = foreign[np.arange(border.size)[:, None], at].mean(axis=0)
    last = 0
    for cell in np.flatnonzero(share >= LINE_SHARE):
        if cell - last > LINE_GAP:
            break
        last = int(cell) + 1
    return last
