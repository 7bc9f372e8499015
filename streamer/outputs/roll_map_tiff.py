"""A finished roll map as one pyramidal OME-TIFF, written tile by tile; draws nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from streamer.outputs.roll_map_reader import MapReader
from streamer.outputs.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streamer.message import ScoreArray

TIFF_NAME = "map.ome.tif"
TILE = 256
MEANING = (
    "Anomaly scores of a web in units of the alarm level: 0 is typical texture, 1 the alarm level; "
    "NaN was not inspected or is masked. Rows run down-web, columns cross-web; every coarser level "
    "holds the largest score of the cells that it covers."
)


def write_tiff(roll_folder: Path, path: Path, on_step: Callable[[], object] = lambda: None) -> Path:
    """Write the scores of a map as BigTIFF: tiles of 256 x 256, the coarser levels as SubIFDs.

    float32, deflated, with the size of a cell in the resolution tags (cells per centimetre) and in
    the OME metadata (mm). At most one row of tiles is held in memory; `on_step`
    is called for each.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version, damaged or without rows.
        StorageError: the file cannot be written; one that was there is untouched.
    """
    reader = MapReader(roll_folder)
    if not reader.rows:
        msg = f"roll map must hold rows, got none in {roll_folder}"
        raise ValueError(msg)
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with storage_errors(path, "TIFF"):
            with tifffile.TiffWriter(draft, bigtiff=True, ome=True) as file:
                _write_levels(file, reader, on_step)
            draft.replace(path)
    finally:
        with suppress(OSError):  # the folder is not there at all
            draft.unlink(missing_ok=True)
    return path


def level_count(reader: MapReader) -> int:
    """How many levels are worth a place: up to the first that is one tile."""
    sizes = [(level.rows(reader.rows), level.columns) for level in reader.levels]
    small = [number for number, size in enumerate(sizes, start=1) if max(size) <= TILE]
    return small[0] if small else len(sizes)


def _write_levels(
    file: tifffile.TiffWriter, reader: MapReader, on_step: Callable[[], object]
) -> None:
    down_mm, cross_mm = reader.form.cell_mm
    metadata = {
        "axes": "YX",
        "Name": reader.form.roll,
        "Description": MEANING,
        "PhysicalSizeX": cross_mm,
        "PhysicalSizeXUnit": "mm",
        "PhysicalSizeY": down_mm,
        "PhysicalSizeYUnit": "mm",
    }
    count = level_count(reader)
    for number in range(count):
        level = reader.levels[number]
        cell_cm = [cross_mm * level.columns_per_cell / 10, down_mm * level.rows_per_cell / 10]
        first: dict[str, Any] = {"subifds": count - 1, "metadata": metadata}
        file.write(
            _tiles(reader, number, on_step),
            shape=(level.rows(reader.rows), level.columns),
            dtype=np.float32,
            tile=(TILE, TILE),
            compression="zlib",
            compressionargs={"level": 1},
            resolution=(1 / cell_cm[0], 1 / cell_cm[1]),
            resolutionunit="CENTIMETER",
            **(first if number == 0 else {"subfiletype": 1, "metadata": None}),
        )


def _tiles(reader: MapReader, number: int, on_step: Callable[[], object]) -> Iterator[ScoreArray]:
    """The tiles of a level, row by row; what hangs over the edge is NaN."""
    level = reader.levels[number]
    across = -(-level.columns // TILE)
    for first in range(0, level.rows(reader.rows), TILE):
        band = np.full((TILE, across * TILE), np.nan, np.float32)
        cells = reader.scores(number, first, first + TILE)
        band[: len(cells), : level.columns] = cells
        on_step()
        yield from (band[:, TILE * i : TILE * (i + 1)] for i in range(across))
