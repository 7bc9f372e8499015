"""Connected regions of a strip and what is known of those that may still grow; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from streamer.message import ScoreArray, Severity

if TYPE_CHECKING:
    from streamer.web import Strip, WebGeometry

SEED_LEVEL = 1.0
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
_NONE_KEPT = np.zeros(0, np.int64)


class Region(NamedTuple):
    """Statistics of a region that may still grow: lines and columns in web pixels, half-open.

    `defect_id` is 0 until it is announced, with the severity `told`; no UPDATE that tells of mere
    growth is due before `quiet_until` (a line). A tuple, since a strip may make thousands.
    """

    key: int
    first_line: int
    end_line: int
    first_column: int
    end_column: int
    cells: int
    total: float
    peak: float
    pixels: int
    captured_ns: int
    defect_id: int = 0
    quiet_until: int = 0
    told: Severity = Severity.LOW


class Labelled(NamedTuple):
    """Groups of a strip; `keys[k]`, that of an open region, lies in group `of_key[k]`.

    `groups` is (rows, kept grid columns), 0 = none; `columns` are the grid columns that are kept.
    Groups count from 1 to `groups_count`, with those of open regions without a cell in the strip.
    """

    groups: ScoreArray
    columns: ScoreArray
    groups_count: int
    keys: ScoreArray
    of_key: ScoreArray


def label_strip(scores: ScoreArray, last_row: ScoreArray, grow_level: float) -> Labelled:
    """Label the cells of a strip with scores >= `grow_level`, and join what open regions join.

    `scores` is (rows, columns), NaN for no cell; `last_row` (columns,) has the key of the open
    region in each column above, 0 for none. Cells are 8-connected. Columns without any cell are
    left out but for one in each run of them, which keeps apart what is not connected.
    """
    grown = scores >= grow_level  # False for NaN
    busy = grown.any(axis=0) | (last_row > 0)
    kept = busy.copy()
    kept[1:] |= busy[:-1]
    columns = np.flatnonzero(kept)
    if not columns.size:
        return Labelled(np.zeros((len(scores), 0), np.int32), columns, 0, _NONE_KEPT, _NONE_KEPT)
    last = last_row[columns]
    labels, count = ndimage.label(
        np.vstack([last > 0, grown[:, columns]]), structure=EIGHT_NEIGHBOURS
    )
    if not last.any():
        return Labelled(labels[1:], columns, int(count), _NONE_KEPT, _NONE_KEPT)
    return _joined(labels, int(count), columns, last)


def _joined(labels: ScoreArray, count: int, columns: ScoreArray, last: ScoreArray) -> Labelled:
    """Open regions connect what they touch, however far apart on the strip."""
    keys, positions = np.unique(last[last > 0], return_inverse=True)
    above = labels[0][last > 0]
    of_key = np.zeros(keys.size, np.int64)
    of_key[positions] = above
    if (of_key[positions] == above).all():  # as nearly always; a graph would take longer than all
        return Labelled(labels[1:], columns, count, keys, of_key)
    nodes = count + keys.size
    joins = (above - 1, count + positions)
    graph = coo_array((np.ones(positions.size, np.int8), joins), shape=(nodes, nodes))
    total, group = connected_components(graph, directed=False)
    table = np.concatenate([[0], group[:count] + 1])
    return Labelled(table[labels[1:]], columns, int(total), keys, group[count:] + 1)


def new_parts(
    labelled: Labelled, strip: Strip, geometry: WebGeometry, next_key: int
) -> dict[int, Region]:
    """What the strip adds to each group that can matter (seeded, open above or open below)."""
    rows, kept = np.nonzero(labelled.groups)
    if not rows.size:
        return {}
    columns = labelled.columns[kept]
    group, size = labelled.groups[rows, kept], labelled.groups_count + 1
    scores = strip.scores[rows, columns].astype(np.float64)
    peak = _extreme(np.maximum, group, scores, np.full(size, -np.inf))
    matters = peak >= SEED_LEVEL
    matters[labelled.of_key] = True
    matters[labelled.groups[-1:].ravel()] = True
    bottom, right = _cell_ends(strip, geometry)
    tops, lefts = rows * strip.stride, columns * strip.stride
    areas = (bottom[rows] - tops) * (right[columns] - lefts)
    far, none = np.iinfo(np.int64).max, np.zeros(size, np.int64)
    figures = (
        _extreme(np.minimum, group, tops, np.full(size, far)) + strip.first_line,
        _extreme(np.maximum, group, bottom[rows], none.copy()) + strip.first_line,
        _extreme(np.minimum, group, lefts, np.full(size, far)),
        _extreme(np.maximum, group, right[columns], none.copy()),
        np.bincount(group, minlength=size),
        np.bincount(group, weights=scores, minlength=size),
        peak,
        _extreme(np.add, group, areas, none.copy()),
        np.full(size, strip.captured_ns),
    )
    found = np.flatnonzero(matters & (figures[4] > 0))
    table = zip(*(figure[found].tolist() for figure in figures), strict=True)
    return {
        group_number: Region(next_key + index, *row)
        for index, (group_number, row) in enumerate(zip(found.tolist(), table, strict=True))
    }


def _extreme(
    operation: np.ufunc, group: ScoreArray, values: ScoreArray, into: ScoreArray
) -> ScoreArray:
    operation.at(into, group, values)
    return into


def _cell_ends(strip: Strip, geometry: WebGeometry) -> tuple[ScoreArray, ScoreArray]:
    """Where each row (from the strip's first line) and column of the grid ends, in pixels."""
    rows, columns = strip.scores.shape
    bottom = np.minimum(np.arange(1, rows + 1) * strip.stride, strip.line_count)
    right = np.minimum(np.arange(1, columns + 1) * strip.stride, geometry.columns)
    return bottom, right


def join_regions(region: Region, other: Region) -> Region:
    """`region` with the cells of `other`; key and announcements stay those of `region`."""
    return region._replace(
        first_line=min(region.first_line, other.first_line),
        end_line=max(region.end_line, other.end_line),
        first_column=min(region.first_column, other.first_column),
        end_column=max(region.end_column, other.end_column),
        cells=region.cells + other.cells,
        total=region.total + other.total,
        peak=max(region.peak, other.peak),
        pixels=region.pixels + other.pixels,
        captured_ns=max(region.captured_ns, other.captured_ns),
    )
