"""The windows that a streaming median must know, found one by one, and their sorted medians."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from kernels import MedianAccumulator, MedianMemory


@dataclass
class Roll:
    """A roll of web of which some lines were pushed and some features barred."""

    memory: MedianMemory
    levels: np.ndarray
    keep: np.ndarray
    tiles: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def random(cls, memory: MedianMemory, lines: int, barred: float, seed: int) -> Roll:
        random = np.random.default_rng(seed)
        shape = (memory.channels, lines, memory.columns)
        present = random.integers(1, memory.levels_count + 1)
        levels = random.integers(0, present, shape, np.uint8)
        return cls(memory, levels, random.random(shape[1:]) >= barred)

    def push(self, accumulator: MedianAccumulator, first: int, end: int) -> None:
        self.tiles.append((first, end))
        levels = torch.from_numpy(self.levels[:, first:end])
        keep = torch.from_numpy(self.keep[first:end])
        accumulator.push(levels, first, None if bool(keep.all()) else keep)

    def windows(self) -> list[tuple[int, np.ndarray]]:
        """Band and sorted values (C, T*T) of each remembered window."""
        memory, side = self.memory, self.memory.patch_size
        pushed = np.zeros(self.levels.shape[1], bool)
        for first, end in self.tiles:
            pushed[first:end] = True
        newest = (self.tiles[-1][1] - 1) // memory.segment_lines
        oldest = (newest - memory.memory_lines // memory.segment_lines + 1) * memory.segment_lines
        across = memory.stride if memory.band_width is None else 1
        found = []
        for top in range(0, len(pushed) - side + 1, memory.stride):
            if top + side - 1 < oldest or not pushed[top : top + side].all():
                continue
            for left in range(0, memory.columns - side + 1, across):
                place = (slice(top, top + side), slice(left, left + side))
                if self.keep[place].all():
                    values = self.levels[(slice(None), *place)].reshape(memory.channels, -1)
                    found.append((self._band(left + side // 2), np.sort(values, axis=-1)))
        return found

    def _band(self, centre: int) -> int:
        width = self.memory.band_width
        return 0 if width is None else (self.memory.first_column + centre) // width

    def reference(self) -> tuple[np.ndarray, list[int]]:
        """Medians (bands, C, T*T) and windows per band; of no windows, nothing."""
        memory, windows = self.memory, self.windows()
        bands = 1 + (self._band(memory.columns - 1))
        counted = [sum(band == one for band, _ in windows) for one in range(bands)]
        held = [band for band in range(bands) if counted[band]]
        references = []
        for band in range(bands if held else 0):
            nearest = min(held, key=lambda other: (abs(other - band), other))
            values = np.sort([one for other, one in windows if other == nearest], axis=0)
            references.append(values[(len(values) - 1) // 2])
        return np.array(references), counted


def check(accumulator: MedianAccumulator, roll: Roll) -> None:
    """The reference is that of the windows of `roll`, or is refused if there are none."""
    expected, counted = roll.reference()
    assert accumulator.windows_per_band().tolist() == counted
    if sum(counted) == 0:
        with pytest.raises(ValueError, match="windows must be >= 1 for a reference"):
            accumulator.reference()
        return
    found = accumulator.reference().numpy()
    assert found.dtype == np.uint8
    banded = roll.memory.band_width is not None
    np.testing.assert_array_equal(found, expected if banded else expected[0])
