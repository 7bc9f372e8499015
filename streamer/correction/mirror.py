"""Puts a mirror of the web where a still shows none; pure, knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray


def mirror_web(pixels: PixelArray, off_web: Flags) -> PixelArray:
    """A copy of (lines, columns[, 3]) whose pixels in `off_web` show the web nearest to them.

    Each is mirrored at the web's border, so that texture goes on beyond it and the border itself
    is no edge; where the mirror image would lie outside or off the web too, it is the pixel at the
    border.
    """
    if not off_web.any() or off_web.all():
        return pixels
    nearest = ndimage.distance_transform_edt(off_web, return_distances=False, return_indices=True)
    at = np.nonzero(off_web)
    border = [plane[at].astype(np.int64) for plane in np.asarray(nearest)]
    mirrored = [2 * edge - own for edge, own in zip(border, at, strict=True)]
    inside = np.ones(at[0].size, dtype=bool)
    for position, size in zip(mirrored, off_web.shape, strict=True):
        inside &= (position >= 0) & (position < size)
        np.clip(position, 0, size - 1, out=position)
    inside &= ~off_web[mirrored[0], mirrored[1]]
    lines, columns = (np.where(inside, m, b) for m, b in zip(mirrored, border, strict=True))
    filled = pixels.copy()
    filled[at] = pixels[lines, columns]
    return filled
