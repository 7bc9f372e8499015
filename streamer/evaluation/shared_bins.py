"""Thresholds that the images of a class share, so that their counts add up; knows no metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BINS = 8192
FINE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class SharedBins:
    """`BINS` bins over the scores of some maps, half of their budget by rank and half by value.

    So a bin is never wider than 2/`BINS` of the range of the scores, and holds no more than
    2/`BINS` of the cells of the maps beside those of one of `FINE` equal steps of the range.
    Scores in one bin count as equal: AUROC is off by no more than half the sum over the bins of
    (share of the normal pixels there) * (share of the defective pixels there); measured, by 1e-5.
    """

    low: float
    scale: float
    table: NDArray[np.int32]

    @classmethod
    def over(cls, maps: Iterable[NDArray[np.float32]]) -> SharedBins:
        """For pixels that are interpolated from these maps; masked (NaN) cells do not count.

        Raises:
            ValueError: no cell is seen.
        """
        cells = np.concatenate([scores[~np.isnan(scores)] for scores in maps])
        if not cells.size:
            msg = "maps must hold a score, got masked cells alone"
            raise ValueError(msg)
        low, high = float(cells.min()), float(cells.max())
        scale = (FINE - 1) / max(high - low, 1e-30)
        amounts = np.bincount(_fine(cells, low, scale), minlength=FINE)
        ranks = (np.cumsum(amounts) - amounts / 2) / cells.size
        places = (ranks + np.arange(FINE) / FINE) / 2
        return cls(low, scale, (places * BINS).astype(np.int32))

    def place(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """The bin of each score, 0 for the lowest; any shape."""
        return self.table[_fine(scores, self.low, self.scale)].astype(np.intp)

    def edge(self, number: int) -> float:
        """The lowest score that falls into bin `number` or above."""
        return self.low + float(np.searchsorted(self.table, number)) / self.scale


def _fine(scores: NDArray[np.float32], low: float, scale: float) -> NDArray[np.intp]:
    steps = (scores.astype(np.float64) - low) * scale
    return np.clip(steps, 0, FINE - 1).astype(np.intp)
