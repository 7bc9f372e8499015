"""Which pixels of a still show no web, at all four sides; pure, knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.margin import margin_depth
from streamer.correction.side_cells import to_grey

if TYPE_CHECKING:
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray

LEAST_WEB = 0.4  # of height and of width; less is no web with margins, but something else
BLANK_SHARE = 0.99  # of the pixels at one end of the sensor's range: overexposed, or a covered lens


def find_off_web(pixels: PixelArray) -> Flags:
    """(lines, columns): True where a still (lines, columns[, 3]) shows a margin and no web.

    Nothing is found in doubt: a false mask hides defects. A picture that is wholly black or
    overexposed shows no web at all.
    """
    grey = to_grey(pixels)
    if max((grey <= 0).mean(), (grey >= 1).mean()) >= BLANK_SHARE:
        return np.ones(grey.shape, dtype=bool)
    off_web = np.zeros(grey.shape, dtype=bool)
    # Each side as the left one of a view; the mask is written through the same view.
    for picture, mask in (
        (grey, off_web),
        (grey[:, ::-1], off_web[:, ::-1]),
        (grey.T, off_web.T),
        (grey.T[:, ::-1], off_web.T[:, ::-1]),
    ):
        depth = margin_depth(picture)
        if depth is not None:
            mask |= np.arange(mask.shape[1]) < depth[:, None]
    web_share = min((~off_web).any(axis=axis).mean() for axis in (0, 1))
    return off_web if web_share >= LEAST_WEB else np.zeros_like(off_web)
