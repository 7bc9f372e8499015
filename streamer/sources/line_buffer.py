"""The buffer that a host hands to a source; knows only the format of the web."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.message import PixelArray, require

if TYPE_CHECKING:
    from streamer.ports import WebFormat


def new_buffer(web: WebFormat, lines: int) -> PixelArray:
    """Room for `lines` lines: (lines, columns) or (lines, columns, 3), uint8 or uint16."""
    return np.empty((lines, *_line_shape(web)), np.dtype(f"u{web.bits // 8}"))


def require_fits(buffer: PixelArray, web: WebFormat) -> None:
    """Raise ValueError unless `buffer` holds at least one line of exactly this format."""
    shape, bits = _line_shape(web), buffer.dtype.itemsize * 8
    fits = len(buffer) > 0 and buffer.shape[1:] == shape and bits == web.bits
    rule = f"buffer must be (lines >= 1, {', '.join(map(str, shape))}) of {web.bits} bits"
    require(fits, rule, (buffer.shape, str(buffer.dtype)))


def _line_shape(web: WebFormat) -> tuple[int, ...]:
    return (web.columns,) if web.channels == 1 else (web.columns, web.channels)
