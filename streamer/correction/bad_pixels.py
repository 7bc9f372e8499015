"""Fills the columns of bad pixels from those beside them; pure, knows no light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.message import PixelArray

_UNIT = 1 << 12  # of a weight: 16 bits of a level and 12 fit a word of 32


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRepair:
    """Which good columns stand in for each bad one, and with what weight out of 2 ** 12."""

    bad: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    right_weight: NDArray[np.uint32]

    @classmethod
    def of(cls, bad: Sequence[int], columns: int) -> ColumnRepair:
        """Linear between the nearest good columns on both sides; at the ends the nearest one.

        Raises:
            ValueError: no column is good, or one lies outside.
        """
        places = np.unique(np.asarray(bad, np.intp))
        inside = not places.size or (places[0] >= 0 and places[-1] < columns)
        require(inside, f"bad columns must be within 0..{columns - 1}", places.tolist())
        good = np.setdiff1d(np.arange(columns), places)
        require(good.size > 0, "at least one column must be good", f"{columns} bad ones")
        after = np.searchsorted(good, places)
        left = good[np.maximum(after - 1, 0)]
        right = good[np.minimum(after, good.size - 1)]
        left, right = np.where(after == 0, right, left), np.where(after == good.size, left, right)
        weight = np.rint((places - left) / np.maximum(right - left, 1) * _UNIT)
        return cls(places, left, right, np.where(left == right, 0, weight).astype(np.uint32))

    def within(self, first: int, end: int) -> ColumnRepair:
        """Of the bad columns in [first, end) alone."""
        here = slice(*np.searchsorted(self.bad, (first, end)))
        return ColumnRepair(
            self.bad[here], self.left[here], self.right[here], self.right_weight[here]
        )

    def filled(self, left: PixelArray, right: PixelArray) -> PixelArray:
        """(lines, bad[, 3]): the bad columns from the levels of the `left` and the `right` ones.

        Rounded to the nearest level, in 32 bits.
        """
        weight = self.right_weight.reshape(-1, *(1,) * (left.ndim - 2))
        filled = left.astype(np.uint32) * (np.uint32(_UNIT) - weight)
        filled += right.astype(np.uint32) * weight
        filled += np.uint32(_UNIT // 2)
        return filled >> np.uint32(_UNIT.bit_length() - 1)
