"""Which columns stand in for those of bad pixels, and how much; pure, knows no light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_UNIT = 1 << 12  # of a share


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRepair:
    """Which good columns stand in for each bad one, and the right one's share out of 2 ** 12."""

    bad: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    right_share: NDArray[np.uint32]

    @classmethod
    def of(cls, bad: Sequence[int], columns: int) -> ColumnRepair:
        """Linear between the nearest good columns on both sides; at the ends the nearest one.

        Raises:
            ValueError: no column is good, or one lies outside.
        """
        places = np.unique(np.asarray(bad, np.int64))
        inside = not places.size or (places[0] >= 0 and places[-1] < columns)
        require(inside, f"bad columns must be within 0..{columns - 1}", places.tolist())
        good = np.setdiff1d(np.arange(columns), places)
        require(good.size > 0, "at least one column must be good", f"{columns} bad ones")
        after = np.searchsorted(good, places)
        left = good[np.maximum(after - 1, 0)]
        right = good[np.minimum(after, good.size - 1)]
        left, right = np.where(after == 0, right, left), np.where(after == good.size, left, right)
        share = np.rint((places - left) / np.maximum(right - left, 1) * _UNIT)
        return cls(places, left, right, np.where(left == right, 0, share).astype(np.uint32))
