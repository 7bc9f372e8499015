"""The stitched map of a roll as a Zarr v3 array, one writer, shard by shard; knows no defect."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from streamer.message import ScoreArray, require
from streamer.outputs.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAP_NAME = "map.zarr"
SHARD_ROWS = 1024
CHUNK_ROWS = 256
CHUNK_COLUMNS = 512
MAP_SCHEMA = "linescan.map/1"
_FORM_FIELDS = ("roll", "columns", "stride", "pixel_mm", "line_mm")


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


class RollMap:
    """Writes `map.zarr` in the roll folder: array `scores`, float32, (rows, columns) of the grid.

    NaN: not inspected, masked, or not written yet. At most one shard of rows is buffered; after a
    crash the array holds every shard that was closed, and rows that it announces but were never
    written read as NaN. Only `close` writes a shard that is not full.
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
        self._buffer: ScoreArray = np.full((SHARD_ROWS, form.columns), np.nan, np.float32)
        self._buffered = 0
        self._written = 0
        with storage_errors(self._path, "roll map"):
            self._scores = _create(self._path, form)

    @property
    def rows(self) -> int:
        """Rows appended so far."""
        return self._written + self._buffered

    def append(self, scores: ScoreArray) -> None:
        """Append (rows, columns) float32, NaN where not inspected or masked.

        Raises:
            ValueError: the scores have another width.
            StorageError: the disk is full or gone.
        """
        fits = scores.ndim == 2 and scores.shape[1] == self._columns
        require(fits, f"scores must be (rows, {self._columns})", scores.shape)
        while len(scores):
            taken = scores[: SHARD_ROWS - self._buffered]
            self._buffer[self._buffered : self._buffered + len(taken)] = taken
            self._buffered += len(taken)
            scores = scores[len(taken) :]
            if self._buffered == SHARD_ROWS:
                self._write()

    def close(self) -> None:
        """Write what is buffered; may be called twice."""
        if self._buffered:
            self._write()

    def _write(self) -> None:
        first, end = self._written, self._written + self._buffered
        with storage_errors(self._path, "roll map"):
            # The shape first: a crash between the two leaves NaN, never a shard out of reach.
            self._scores.resize((end, self._columns))
            self._scores[first:end] = self._buffer[: self._buffered]
        self._written, self._buffered = end, 0


def read_map(roll_folder: Path) -> tuple[MapFormat, Iterator[ScoreArray]]:
    """The format of a map and its rows, shard by shard, in web order.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version or damaged; the rows raise it too.
    """
    path = roll_folder / MAP_NAME
    if not path.is_dir():
        msg = f"roll map must exist, got no {path}"
        raise FileNotFoundError(msg)
    with _damage_named(path):
        group = zarr.open_group(path, mode="r")
        given = group.attrs.get("schema")
        require(given == MAP_SCHEMA, f"schema must be {MAP_SCHEMA}", given)
        form = MapFormat(**{name: group.attrs[name] for name in _FORM_FIELDS})  # type: ignore[arg-type]
        return form, _shards(path, group["scores"])  # type: ignore[arg-type]


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """What Zarr raises at a damaged map does not say which map it is."""
    try:
        yield
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        msg = f"{path} must be a whole roll map, got: {error}"
        raise ValueError(msg) from None


def _create(path: Path, form: MapFormat) -> zarr.Array:  # type: ignore[type-arg]
    chunk_columns = min(CHUNK_COLUMNS, form.columns)
    shard_columns = -(-form.columns // chunk_columns) * chunk_columns
    group = zarr.create_group(
        path, zarr_format=3, attributes={"schema": MAP_SCHEMA, **asdict(form)}
    )
    return group.create_array(
        "scores",
        shape=(0, form.columns),
        shards=(SHARD_ROWS, shard_columns),
        chunks=(CHUNK_ROWS, chunk_columns),
        dtype="float32",
        compressors=ZstdCodec(level=1),
        fill_value=np.nan,
        dimension_names=("row", "column"),
    )


def _shards(path: Path, scores: zarr.Array) -> Iterator[ScoreArray]:  # type: ignore[type-arg]
    for first in range(0, scores.shape[0], SHARD_ROWS):
        with _damage_named(path):
            shard = np.asarray(scores[first : first + SHARD_ROWS])
        yield shard
