"""Makes webs whose edges wander over a table, with holes and threads; what is true is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.message import PixelArray

    Columns = NDArray[np.float64]

# Level and noise of what lies beside the web, in levels of 255.
MARGINS = {
    "white": (255.0, 0.0),
    "table": (105.0, 3.0),
    "black": (4.0, 1.5),
    "bright": (190.0, 4.0),
}
LEVEL, YARN, NOISE, ROLLOFF = 130.0, 22.0, 10.0, 0.15  # of the web; its light falls off


@dataclass(frozen=True, slots=True, eq=False)
class EdgedWeb:
    """`pixels` (lines, columns) uint8; at each line `left` and `right` columns are margin."""

    pixels: PixelArray
    left: Columns
    right: Columns


def woven(lines: int, columns: int, seed: int = 0, rolloff: float = ROLLOFF) -> Columns:
    """Levels (lines, columns) of a plain weave with yarn noise, darker towards both sides."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:lines, 0:columns]
    texture = YARN * np.sin(2 * np.pi * cols / 6.3) * np.sin(2 * np.pi * rows / 7.1)
    light = 1 - rolloff * np.square((cols / columns - 0.5) * 2)
    levels: Columns = (LEVEL + texture + rng.normal(0, NOISE, (lines, columns))) * light
    return levels


def wandering(lines: int, start: float, amplitude: float, period: float) -> Columns:
    """Columns of margin at each line."""
    way: Columns = start + amplitude * np.sin(2 * np.pi * np.arange(lines) / period)
    return way


def edged_web(
    left: Columns, right: Columns, columns: int, margin: str = "white", seed: int = 0
) -> EdgedWeb:
    """A web with `left` and `right` columns of margin at each line."""
    return frayed_web(left, right, columns, margin, seed, 0.0)


def frayed_web(
    left: Columns, right: Columns, columns: int, margin: str, seed: int, fray_px: float
) -> EdgedWeb:
    """As `edged_web`, each line ending within some `fray_px` of its edge, more or less."""
    rng = np.random.default_rng(seed + 1)
    level, noise = MARGINS[margin]
    table = level + noise * rng.standard_normal((left.size, columns))
    first, end = (edge + fray_px * rng.standard_normal(left.size) for edge in (left, right))
    cols = np.arange(columns)
    is_web = (cols >= np.round(first)[:, None]) & (cols < columns - np.round(end)[:, None])
    pixels = np.where(is_web, woven(left.size, columns, seed), table)
    return EdgedWeb(to_bytes(pixels), left, right)


def pierced(web: EdgedWeb, count: int, margin: str, seed: int = 0, largest: int = 40) -> EdgedWeb:
    """With `count` holes that show the table, each less than `largest` lines and columns."""
    rng = np.random.default_rng(seed)
    pixels = web.pixels.copy()
    lines, columns = pixels.shape
    for _ in range(count):
        line, column = rng.integers(0, lines), rng.integers(0, columns)
        height, width = rng.integers(4, largest, 2)
        pixels[line : line + height, column : column + width] = np.uint8(MARGINS[margin][0])
    return EdgedWeb(pixels, web.left, web.right)


def to_bytes(levels: Columns) -> PixelArray:
    """Rounded and cut to uint8."""
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)
