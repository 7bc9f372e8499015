"""Which lines show no web at all; pure, knows what margin and web look like, but finds no edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.edge_profile import (
    FAINTEST,
    cell_pixels,
    cell_statistics,
    column_step,
    to_levels,
)
from streamer.correction.edge_search import LEAST_SEPARATION, separations
from streamer.correction.web_grid import true_runs

if TYPE_CHECKING:
    from streamer.correction.edge_profile import EdgeProfile
    from streamer.correction.edge_search import Material
    from streamer.correction.edge_tracker import TrackState
    from streamer.correction.side_cells import Flags, Floats
    from streamer.message import PixelArray

# Lines; less is a defect or a disturbance, unless it goes on after the group. No longer run slips
# through between the sampled lines of the longest group.
LEAST_RUN = 48
DARKEST, BRIGHTEST = 0.02, 0.99  # levels of a covered lens or a dark gap, and of glare
BLANK_SHARE = 0.98  # of the cells of a line
CELL_STEP = 4  # every fourth cell tells whether a whole line is blank
SEGMENTS = 8  # of the web's width, none of which may show web
HALF_WAY = 0.5  # from web to margin
TOO_FAR = 2.0  # beyond the margin: neither


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Mean and variance (lines, cells) of the cells where the web was."""

    levels: Floats
    variances: Floats

    def parts(self, values: Floats) -> Floats:
        """(lines, cells) to the means (lines, segments)."""
        lines, cells = values.shape
        size = max(cells // SEGMENTS, 1)
        whole = values[:, : cells // size * size].reshape(lines, -1, size)
        means: Floats = whole.mean(axis=2)
        return means


def blank_samples(profile: EdgeProfile, state: TrackState) -> Flags:
    """(SAMPLES,): True where a sampled line shows no web."""
    cells = _cells(state, profile.level.size, profile.cell_px)
    levels = profile.line_levels[:, cells]
    # Most lines are so far from blank that their mean level alone tells.
    mean = levels.sum(axis=1) / levels.shape[1]
    if not _may_be_blank(mean, state):
        return np.zeros(mean.size, bool)
    return _blank(_Lines(levels, profile.line_variances[:, cells]), state)


def find_blank(pixels: PixelArray, state: TrackState, *, goes_on: bool = False) -> Flags:
    """(lines,): True where a line of (lines, columns[, 3]) is one of many that show no web.

    Runs of fewer than LEAST_RUN lines count only at the end, where they may go on, and if the line
    before was blank (`goes_on`) at the beginning. A line is blank
    where it is at an end of the sensor's range all over, or like one of the known margins in each
    part of the width: without a margin, another kind of table is not told from web.
    """
    columns = pixels.shape[1]
    size, step = cell_pixels(columns), column_step(columns)
    grey = to_levels(pixels[:, : columns - columns % size : step])
    levels, variances = cell_statistics(grey, size // step)
    cells = _cells(state, levels.shape[1], size)
    blank = _blank(_Lines(levels[:, cells], variances[:, cells]), state)
    for first, end in true_runs(blank):
        is_cut = end == blank.size or (goes_on and first == 0)
        if end - first < LEAST_RUN and not is_cut:
            blank[first:end] = False
    return blank


def _cells(state: TrackState, count: int, size: int) -> slice:
    """Every fourth of the cells between the edges, without those that the edges cross."""
    left, right = (int(margin) // size for margin in state.margins_px)
    first, end = left + 2 * (left > 0), count - right - 2 * (right > 0)
    return slice(first, end, CELL_STEP) if end - first > SEGMENTS * CELL_STEP else slice(0, count)


def _may_be_blank(mean: Floats, state: TrackState) -> bool:
    """Whether a mean level (lines,) is near an end of the range, or not on the web's side."""
    lowest, highest = float(mean.min()), float(mean.max())
    if lowest < 1 - BLANK_SHARE + DARKEST or highest > BRIGHTEST * BLANK_SHARE:
        return True
    web = state.web
    for side in (state.left, state.right):
        if web is None or side.margin is None:
            continue
        by_level, _ = separations(web, side.margin)
        half_way = (web.level + side.margin.level) / 2
        is_near = lowest < half_way if side.margin.level < web.level else highest > half_way
        if is_near or by_level < LEAST_SEPARATION:
            return True
    return False


def _blank(lines: _Lines, state: TrackState) -> Flags:
    ends = (lines.levels < DARKEST) | (lines.levels > BRIGHTEST)
    blank: Flags = ends.mean(axis=1) >= BLANK_SHARE
    margins = [side.margin for side in (state.left, state.right) if side.margin is not None]
    if state.web is None or not margins:
        return blank
    level = lines.parts(lines.levels)
    deviation = np.maximum(lines.parts(lines.variances), np.float32(FAINTEST**2))
    texture = np.log(deviation) * np.float32(0.5)
    for margin in margins:
        blank |= _like_margin(level, texture, state.web, margin)
    return blank


def _like_margin(level: Floats, texture: Floats, web: Material, margin: Material) -> Flags:
    """(lines,): in all parts, all in which web and margin differ is nearer to the margin's."""
    like = np.ones(level.shape, bool)
    by_level, by_texture = separations(web, margin)
    for say, values, a, b in (
        (by_level, level, web.level, margin.level),
        (by_texture, texture, web.texture, margin.texture),
    ):
        if say >= LEAST_SEPARATION:
            place = (values - a) / (b - a)
            like &= (place > HALF_WAY) & (place < TOO_FAR)
    differs = max(by_level, by_texture) >= LEAST_SEPARATION
    return np.asarray(like.all(axis=1) & differs, np.bool_)
