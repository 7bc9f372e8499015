"""Level and contrast of small cells of a picture, seen from one side; knows no margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.message import PixelArray

    Floats = NDArray[np.float32]
    Flags = NDArray[np.bool_]

BLOCK_PIXELS = 16  # of a cell along the side: enough to average the texture
CELL_PIXELS = 4  # of a cell away from the side: as finely as a margin is measured
DARKEST = 0.02  # added to the level, so that the noise of black pixels is no contrast


@dataclass(frozen=True, slots=True, eq=False)
class SideCells:
    """Cells (blocks along the side, cells away from it), both float32; levels are 0..1.

    `contrast` is the standard deviation inside a cell as a share of its level, so that the same
    texture keeps it where the light is dimmer.
    """

    level: Floats
    contrast: Floats

    @classmethod
    def of(cls, grey: Floats) -> SideCells:
        """Of a picture (lines, columns) in 0..1 as seen from its left; remainders are left out."""
        blocks, cells = grey.shape[0] // BLOCK_PIXELS, grey.shape[1] // CELL_PIXELS
        whole = grey[: blocks * BLOCK_PIXELS, : cells * CELL_PIXELS]
        split = whole.reshape(blocks, BLOCK_PIXELS, cells, CELL_PIXELS)
        level = split.mean(axis=(1, 3), dtype=np.float64)
        squares = np.square(split).mean(axis=(1, 3), dtype=np.float64)
        deviation = np.sqrt(np.maximum(squares - level**2, 0))
        contrast = deviation / (level + DARKEST)
        return cls(level.astype(np.float32), contrast.astype(np.float32))


def to_grey(pixels: PixelArray) -> Floats:
    """(lines, columns[, 3]) of 8 or 16 bits to (lines, columns) float32 in 0..1."""
    grey = pixels.mean(axis=2, dtype=np.float32) if pixels.ndim == 3 else pixels
    full = np.float32(np.iinfo(pixels.dtype).max)
    return np.asarray(grey / full, np.float32)
