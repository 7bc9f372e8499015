"""Camera pixels to the planes that a network reads; knows no network and no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from streamer.message import require_pixels

if TYPE_CHECKING:
    from streamer.message import PixelArray

Planes: TypeAlias = npt.NDArray[np.float32]  # (1, 3, lines, columns), 0..1


def to_planes(pixels: PixelArray, stride: int) -> Planes:
    """(lines, columns[, 3]) uint8 or uint16 -> float32 (1, 3, lines, columns) in 0..1, one copy.

    A monochrome image fills all three planes; 16-bit pixels use the full 16-bit range.

    Raises:
        ValueError: wrong type or shape, or lines or columns are no multiple of `stride`.
    """
    require_pixels("pixels", pixels)
    lines, columns = pixels.shape[:2]
    if lines == 0 or columns == 0 or lines % stride or columns % stride:
        msg = f"pixels must have a multiple of {stride} lines and columns, got {lines, columns}"
        raise ValueError(msg)
    scale = np.float32(1 / np.iinfo(pixels.dtype).max)
    planes = np.empty((1, 3, lines, columns), np.float32)
    if pixels.ndim == 3:
        np.multiply(pixels.transpose(2, 0, 1), scale, out=planes[0], dtype=np.float32)
    else:
        np.multiply(pixels, scale, out=planes[0, 0], dtype=np.float32)
        planes[0, 1:] = planes[0, 0]
    return planes
