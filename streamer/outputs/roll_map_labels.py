"""Writes into a finished roll map which defect each cell belongs to; decides nothing.

Ids are final when a region ends, which may be kilometres after its first cell: so the labels are
drawn at the end of the roll, from the boxes of the defect log and the scores, shard by shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from streamer.outputs.roll_map import create_levels, damage_named, open_map
from streamer.outputs.roll_map_format import COVERAGE, DEFECTS, MAP_NAME, SHARD_ROWS, pool
from streamer.outputs.roll_map_metadata import defect_attributes, labels_attributes
from streamer.outputs.roll_map_rows import cells_of
from streamer.outputs.storage import storage_errors
from streamer.regions import EIGHT_NEIGHBOURS, SEED_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import zarr

    from streamer.message import ScoreArray
    from streamer.outputs.defect_log import LoggedDefect, Piece


@dataclass(frozen=True, slots=True)
class CellBox:
    """The bounding box of a defect in cells of level 0, half-open."""

    id: int
    first_row: int
    end_row: int
    first_column: int
    end_column: int

    @property
    def area(self) -> int:
        """In cells."""
        return (self.end_row - self.first_row) * (self.end_column - self.first_column)

    @property
    def block(self) -> tuple[slice, slice]:
        """Index of its cells."""
        rows = slice(self.first_row, self.end_row)
        return rows, slice(self.first_column, self.end_column)

    def within(self, first_row: int, end_row: int) -> CellBox:
        """Its part in these rows, counted from the first of them."""
        low, high = max(self.first_row, first_row), min(self.end_row, end_row)
        return CellBox(
            self.id, low - first_row, high - first_row, self.first_column, self.end_column
        )


@dataclass(frozen=True, slots=True)
class Labelling:
    """What is to be drawn: defects in their pieces, down to the score where they end."""

    defects: Sequence[LoggedDefect]
    pieces: Sequence[Piece]
    grow_level: float


def write_labels(
    roll_folder: Path, labelling: Labelling, on_step: Callable[[], object] = lambda: None
) -> None:
    """Write `labels/defects` of a closed map: uint32 ids, 0 where there is no defect.

    Holds one shard at a time and touches only shards with defects; `on_step` is called after each.
    Labels that are there already are replaced.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version or damaged.
        StorageError: the disk is full or gone.
    """
    path = roll_folder / MAP_NAME
    group, form = open_map(roll_folder, "r+")
    with damage_named(path), storage_errors(path, "roll map"):
        scores: Any = group["0"]
        attributes = defect_attributes(form, labelling.grow_level)
        made = group.create_group(f"labels/{DEFECTS}", attributes=attributes, overwrite=True)
        levels = create_levels(made, form, scores.shape[0], np.uint32(0))
        boxes = [CellBox(d.id, *cells_of(d, labelling.pieces, form)) for d in labelling.defects]
        breaks = {0, scores.shape[0], *(piece.first_row for piece in labelling.pieces)}
        rules = _Rules(sorted(breaks), labelling.grow_level)
        touched = set()
        for shard in _write_finest(scores, levels[0], boxes, rules):
            touched.add(shard)
            on_step()
        for finer, coarser in zip(levels, levels[1:], strict=False):
            touched = {shard // 2 for shard in touched}
            for shard in sorted(touched):
                _write_coarser(finer, coarser, shard)
                on_step()
        # Named last: a crash leaves labels that are whole, or none that a reader looks at.
        group["labels"].attrs.put(labels_attributes([COVERAGE, DEFECTS]))


@dataclass(frozen=True, slots=True)
class _Rules:
    """`breaks` are rows that do not grow into the row above: starts of pieces, ends of the map."""

    breaks: Sequence[int]
    grow_level: float


def _write_finest(
    scores: zarr.Array[Any], labels: zarr.Array[Any], boxes: Sequence[CellBox], rules: _Rules
) -> Iterator[int]:
    """Label every shard that a box reaches; yields their numbers."""
    by_shard: dict[int, list[CellBox]] = {}
    for box in boxes:
        for shard in range(box.first_row // SHARD_ROWS, -(-box.end_row // SHARD_ROWS)):
            by_shard.setdefault(shard, []).append(box)
    for shard, found in sorted(by_shard.items()):
        first = shard * SHARD_ROWS
        cells = np.asarray(scores[first : first + SHARD_ROWS])
        labels[first : first + len(cells)] = _label_shard(cells, first, found, rules)
        yield shard


def _label_shard(
    cells: ScoreArray, first: int, boxes: Sequence[CellBox], rules: _Rules
) -> ScoreArray:
    """Piece by piece: nothing grows from one into the next."""
    found = np.zeros(cells.shape, np.uint32)
    end = first + len(cells)
    edges = [first, *(row for row in rules.breaks if first < row < end), end]
    for low, high in zip(edges, edges[1:], strict=False):
        inside = [box.within(low, high) for box in boxes if box.first_row < high]
        inside = [box for box in inside if box.first_row < box.end_row]
        runs_on = low not in rules.breaks, high not in rules.breaks
        rows = slice(low - first, high - first)
        found[rows] = label_cells(cells[rows] >= rules.grow_level, cells[rows], inside, runs_on)
    return found


def label_cells(
    grown: ScoreArray, scores: ScoreArray, boxes: Sequence[CellBox], runs_on: tuple[bool, bool]
) -> ScoreArray:
    """Ids of the `grown` cells inside the boxes of defects, (rows, columns) uint32.

    A connected part belongs to the smallest box that holds all of it; one that no box holds is
    shared out cell by cell, the smallest box first. A part that ends here (`runs_on`: it may go on
    beyond the first, the last row), holds no seed and does not fill a box is noise beside a defect.
    """
    parts, count = ndimage.label(grown, structure=EIGHT_NEIGHBOURS)
    bounds = np.array(
        [(r.start, r.stop, c.start, c.stop) for r, c in ndimage.find_objects(parts)], int
    ).reshape(count, 4)
    peaks = np.zeros(count)
    np.maximum.at(peaks, parts[grown] - 1, scores[grown])  # ndimage.maximum sorts every cell
    cut = (bounds[:, 0] == 0) & runs_on[0] | (bounds[:, 1] == len(grown)) & runs_on[1]
    counts = cut | (peaks >= SEED_LEVEL)
    owner = np.zeros(count, np.uint32)
    ordered = sorted(boxes, key=lambda box: -box.area)
    for box in ordered:
        edges = np.array([box.first_row, box.end_row, box.first_column, box.end_column])
        outside = (bounds - edges) * (1, -1, 1, -1) < 0
        counts |= (bounds == edges).all(axis=1)
        owner[~outside.any(axis=1)] = box.id
    return _paint(parts, owner, counts, ordered)


def _paint(
    parts: ScoreArray, owner: ScoreArray, counts: ScoreArray, ordered: Sequence[CellBox]
) -> ScoreArray:
    table = np.zeros(len(owner) + 1, np.uint32)
    table[1:] = np.where(counts, owner, 0)
    labels: ScoreArray = table[parts]
    homeless = np.concatenate([[False], counts & (owner == 0)])
    for box in ordered:
        block = labels[box.block]
        block[homeless[parts[box.block]]] = box.id
    return labels


def _write_coarser(finer: zarr.Array[Any], coarser: zarr.Array[Any], shard: int) -> None:
    """Pool the two shards below one of the coarser level."""
    first = shard * SHARD_ROWS
    cells = pool(np.asarray(finer[2 * first : 2 * first + 2 * SHARD_ROWS]))
    coarser[first : first + len(cells)] = cells
