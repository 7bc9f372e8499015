"""Pixels of a payload by the PFNC name of their format; knows no camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamer.message import PixelArray

# Channels and bits of a pixel, as they lie in the payload.
_LAYOUT = {"Mono8": (1, 8), "Mono16": (1, 16), "RGB8": (3, 8), "BGR8": (3, 8)}


def pixel_layout(pixel_format: str) -> tuple[int, int]:
    """Channels (1 or 3) and bits per channel (8 or 16).

    Raises:
        ValueError: the format is not known.
    """
    if pixel_format not in _LAYOUT:
        msg = (
            f"source.pixel_format must be one of {', '.join(_LAYOUT)}, got {pixel_format}; "
            "set one that the camera has, too"
        )
        raise ValueError(msg)
    return _LAYOUT[pixel_format]


def unpack(payload: bytes, pixel_format: str, shape: tuple[int, int]) -> PixelArray:
    """(lines, columns[, 3]) of the first bytes of `payload`; colour as RGB.

    A view where the format allows, so nobody may write to it.

    Raises:
        ValueError: the format is not known, or the payload is too short.
    """
    channels, bits = pixel_layout(pixel_format)
    count = shape[0] * shape[1] * channels
    pixels: PixelArray = np.frombuffer(payload, f"<u{bits // 8}", count)
    if channels == 1:
        return pixels.reshape(shape)
    colours = pixels.reshape(*shape, 3)
    return np.ascontiguousarray(colours[:, :, ::-1]) if pixel_format == "BGR8" else colours
