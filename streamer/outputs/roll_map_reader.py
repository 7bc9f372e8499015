"""Reads any rows of any level of a roll map, also of one that a crash has cut; draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.outputs.roll_map import damage_named, open_map
from streamer.outputs.roll_map_format import COVERAGE, MAP_NAME, map_levels, pool

if TYPE_CHECKING:
    from pathlib import Path

    import zarr

    from streamer.message import PixelArray, ScoreArray


class MapReader:
    """The levels of a map: scores, and codes of coverage (roll_map_coverage)."""

    def __init__(self, roll_folder: Path) -> None:
        """Open the map.

        Raises:
            FileNotFoundError: there is no map in the folder.
            ValueError: it is of another version or damaged; reading raises it too.
        """
        self._path = roll_folder / MAP_NAME
        group, self.form = open_map(roll_folder)
        self.levels = map_levels(self.form.columns)
        with damage_named(self._path):
            covered = group[f"labels/{COVERAGE}"]
            self._scores = _arrays(group, len(self.levels))
            self._coverage = _arrays(covered, len(self.levels))
            self.codes: dict[str, int] = dict(covered.attrs["codes"])  # type: ignore[arg-type]

    @property
    def rows(self) -> int:
        """Rows of level 0 that can be read."""
        return int(self._scores[0].shape[0])

    def scores(self, level: int, first: int, end: int) -> ScoreArray:
        """Rows [first, end) of a level, counted in that level: (rows, its columns) float32."""
        with damage_named(self._path):
            return self._read(self._scores, level, first, end)

    def coverage(self, level: int, first: int, end: int) -> PixelArray:
        """Codes of rows [first, end) of a level: (rows, its columns) uint8."""
        with damage_named(self._path):
            return self._read(self._coverage, level, first, end)

    def _read(self, arrays: list[zarr.Array[Any]], level: int, first: int, end: int) -> ScoreArray:
        """What a crash kept from a level is pooled from the one below: two shards of each."""
        end = min(end, self.levels[level].rows(self.rows))
        written = int(arrays[level].shape[0])
        if end <= written or level == 0:
            return np.asarray(arrays[level][first:end])
        start = max(first, written)
        pooled = pool(self._read(arrays, level - 1, 2 * start, 2 * end))
        if start == first:
            return pooled
        return np.vstack([np.asarray(arrays[level][first:start]), pooled])


def _arrays(group: Any, count: int) -> list[zarr.Array[Any]]:
    return [group[str(number)] for number in range(count)]
