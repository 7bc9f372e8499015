"""Score maps to pixels, and the part of an image that is judged; knows no label and no metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]


def upsample(scores: Scores, shape: tuple[int, int], stride: int) -> Scores:
    """A map (rows, columns) on the grid of the stride to the pixels (lines, columns) of its image.

    Bilinear with half-pixel centres; beyond the outermost centres the map is mirrored, as the
    published evaluation does. The image was extended to a multiple of the stride at its end.
    Pixels of cells that are NaN (masked) are NaN; their neighbours are interpolated without them.

    Raises:
        ValueError: the map has another size than the image on that grid.
    """
    wanted = tuple(-(-size // stride) for size in shape)
    if scores.shape != wanted:
        msg = f"scores must be {wanted} for an image of {shape}, got {scores.shape}"
        raise ValueError(msg)
    masked = np.isnan(scores)
    if not masked.any():
        return _bilinear(scores, stride)[: shape[0], : shape[1]]
    full = _without_masked(scores, masked, stride)
    return full[: shape[0], : shape[1]]


def judged(shape: tuple[int, ...], crop_share: float) -> tuple[slice, slice]:
    """The rows and columns that are judged: all but `crop_share` of each side at each border."""
    rows, columns = (round(crop_share * size) for size in shape[:2])
    return slice(rows, shape[0] - rows), slice(columns, shape[1] - columns)


def _without_masked(scores: Scores, masked: NDArray[np.bool_], stride: int) -> Scores:
    seen = _bilinear((~masked).astype(np.float32), stride)
    full = _bilinear(np.where(masked, np.float32(0), scores), stride)
    np.divide(full, seen, out=full, where=seen > 0)
    full[masked.repeat(stride, axis=0).repeat(stride, axis=1)] = np.nan
    return full


def _bilinear(scores: Scores, stride: int) -> Scores:
    mode = "reflect" if min(scores.shape) > 1 else "edge"
    around = np.pad(scores, 1, mode=mode)  # type: ignore[call-overload]
    size = (around.shape[1] * stride, around.shape[0] * stride)
    full = cv2.resize(around, size, interpolation=cv2.INTER_LINEAR)
    inner = np.asarray(full[stride:-stride, stride:-stride], np.float32)
    # Rounding of the interpolation must not lift a pixel over the cells that it lies between.
    return np.clip(inner, scores.min(), scores.max())
