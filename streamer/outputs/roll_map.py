"""The stitched map of a roll as a Zarr v3 pyramid, one writer, shard by shard; knows no defect."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from streamer.message import ScoreArray, require
from streamer.outputs.roll_map_coverage import coverage_of_scores
from streamer.outputs.roll_map_format import (
    CHUNK_COLUMNS,
    CHUNK_ROWS,
    COVERAGE,
    MAP_NAME,
    MAP_SCHEMA,
    SHARD_ROWS,
    map_levels,
    pool,
)
from streamer.outputs.roll_map_format import MapFormat as MapFormat
from streamer.outputs.roll_map_metadata import (
    AXES,
    coverage_attributes,
    labels_attributes,
    map_attributes,
)
from streamer.outputs.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.message import PixelArray

_FORM_FIELDS = ("roll", "columns", "stride", "pixel_mm", "line_mm")


class RollMap:
    """Writes `map.zarr` in the roll folder, an OME-NGFF 0.5 image with labels.

    Arrays `0` (all cells) to `9` hold scores, float32 (rows, columns), in units of the alarm level;
    NaN: not inspected, masked, or not written yet. Each level has the largest of 2 x 2 cells of
    the one before. `labels/coverage` says the same way what became of each cell. Of each level at
    most one shard of rows is buffered; after a crash every shard that was closed reads, in every
    level, and a coarser level may end before the finest one. Only `close` writes a shard that is
    not full. The machine's own death may cost what its disk had not stored yet.
    """

    def __init__(self, roll_folder: Path, form: MapFormat) -> None:
        """Create the map.

        Raises:
            FileExistsError: there is one already; a map is never overwritten.
            StorageError: the folder cannot be written.
        """
        self._path = roll_folder / MAP_NAME
        if self._path.exists():
            msg = f"roll map must not exist yet, got {self._path}; choose another roll name"
            raise FileExistsError(msg)
        self._columns = form.columns
        with storage_errors(self._path, "roll map"):
            group = zarr.create_group(self._path, zarr_format=3, attributes=map_attributes(form))
            labels = group.create_group("labels", attributes=labels_attributes([COVERAGE]))
            covered = labels.create_group(COVERAGE, attributes=coverage_attributes(form))
            self._scores = _level_writers(create_levels(group, form, 0, np.float32(np.nan)))
            self._coverage = _level_writers(create_levels(covered, form, 0, np.uint8(0)))

    @property
    def rows(self) -> int:
        """Rows appended so far."""
        return self._scores.rows

    def append(self, scores: ScoreArray, coverage: PixelArray | None = None) -> None:
        """Append (rows, columns) float32, NaN where not inspected or masked.

        `coverage`, uint8 of the same shape, are the codes of roll_map_coverage; without it only
        what was inspected is known.

        Raises:
            ValueError: the scores have another width, or the coverage another shape.
            StorageError: the disk is full or gone.
        """
        fits = scores.ndim == 2 and scores.shape[1] == self._columns
        require(fits, f"scores must be (rows, {self._columns})", scores.shape)
        codes = coverage_of_scores(scores) if coverage is None else coverage
        require(codes.shape == scores.shape, f"coverage must be {scores.shape}", codes.shape)
        with storage_errors(self._path, "roll map"):
            # Coverage first: after a crash it reaches at least as far as the scores.
            self._coverage.append(codes)
            self._scores.append(scores)

    def close(self) -> None:
        """Write what is buffered; may be called twice."""
        with storage_errors(self._path, "roll map"):
            self._coverage.close()
            self._scores.close()


class _LevelWriter:
    """Appends rows to one level, whole shards only, and their pooled form to the next."""

    def __init__(self, array: zarr.Array[Any], coarser: _LevelWriter | None) -> None:
        self._array, self._coarser = array, coarser
        self._buffer: ScoreArray = np.empty((SHARD_ROWS, array.shape[1]), array.dtype)
        self._buffered = 0
        self._written = 0

    @property
    def rows(self) -> int:
        return self._written + self._buffered

    def append(self, rows: ScoreArray) -> None:
        while len(rows):
            taken = rows[: SHARD_ROWS - self._buffered]
            self._buffer[self._buffered : self._buffered + len(taken)] = taken
            self._buffered += len(taken)
            rows = rows[len(taken) :]
            if self._buffered == SHARD_ROWS:
                self._write()

    def close(self) -> None:
        if self._buffered:
            self._write()
        if self._coarser is not None:
            self._coarser.close()

    def _write(self) -> None:
        first, end = self._written, self.rows
        cells = self._buffer[: self._buffered]
        # The shape first: a crash between the two leaves NaN, never a shard out of reach.
        self._array.resize((end, cells.shape[1]))
        self._array[first:end] = cells
        self._written, self._buffered = end, 0
        if self._coarser is not None:
            self._coarser.append(pool(cells))


def _level_writers(arrays: list[zarr.Array[Any]]) -> _LevelWriter:
    """The writer of the finest level, chained to those of the coarser ones."""
    coarser: _LevelWriter | None = None
    for array in reversed(arrays[1:]):
        coarser = _LevelWriter(array, coarser)
    return _LevelWriter(arrays[0], coarser)


def create_levels(
    group: zarr.Group, form: MapFormat, rows: int, fill: np.generic
) -> list[zarr.Array[Any]]:
    """The arrays `0`, `1`, ... of a group for a map of so many rows; type and fill as `fill`."""
    found: list[zarr.Array[Any]] = []
    for number, level in enumerate(map_levels(form.columns)):
        chunk_columns = min(CHUNK_COLUMNS, level.columns)
        shard_columns = -(-level.columns // chunk_columns) * chunk_columns
        array = group.create_array(
            str(number),
            shape=(level.rows(rows), level.columns),
            shards=(SHARD_ROWS, shard_columns),
            chunks=(CHUNK_ROWS, chunk_columns),
            dtype=fill.dtype,
            compressors=ZstdCodec(level=1),
            fill_value=fill,
            dimension_names=AXES,
        )
        found.append(array)
    return found


def open_map(roll_folder: Path, mode: str = "r") -> tuple[zarr.Group, MapFormat]:
    """The Zarr group of a map and what its numbers mean.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version or damaged.
    """
    path = roll_folder / MAP_NAME
    if not path.is_dir():
        msg = f"roll map must exist, got no {path}"
        raise FileNotFoundError(msg)
    with damage_named(path):
        group = zarr.open_group(path, mode="r+" if mode == "r+" else "r")
        given = group.attrs.get("schema")
        advice = "; inspect the roll again, or read it with the version that wrote it"
        if given != MAP_SCHEMA:
            msg = f"schema must be {MAP_SCHEMA}, got {given!r}{advice}"
            raise ValueError(msg)
        form = MapFormat(**{name: group.attrs[name] for name in _FORM_FIELDS})  # type: ignore[arg-type]
    return group, form


def read_map(roll_folder: Path) -> tuple[MapFormat, Iterator[ScoreArray]]:
    """The format of a map and its rows at full resolution, shard by shard, in web order.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version or damaged; the rows raise it too.
    """
    group, form = open_map(roll_folder)
    path = roll_folder / MAP_NAME
    with damage_named(path):
        return form, _shards(path, group["0"])  # type: ignore[arg-type]


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """What Zarr raises at a damaged map does not say which map it is."""
    try:
        yield
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        msg = f"{path} must be a whole roll map, got: {error}"
        raise ValueError(msg) from None


def _shards(path: Path, scores: zarr.Array[Any]) -> Iterator[ScoreArray]:
    for first in range(0, scores.shape[0], SHARD_ROWS):
        with damage_named(path):
            shard = np.asarray(scores[first : first + SHARD_ROWS])
        yield shard
