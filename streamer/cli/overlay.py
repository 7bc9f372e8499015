"""Draws what was found over the picture of the web; knows no file and no origin of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import Interval, PixelArray, ScoreArray

SMALLEST_SIDE = 256  # smaller pictures are enlarged by a whole factor
LARGEST_SIDE = 8192  # but not beyond this
FAINT, FULL = 0.4, 1.2  # units of the alarm level: where the heat appears, where it is strongest
HOTTEST = 2.5
COLDEST_SHADE, SHADES = 60, 140  # of the colour map: violet to orange; its ends look like web
OPACITY = 0.6
STRIP_LINES = 512
DIMMED = 0.85  # a little darker, so that heat and boxes stand out on white webs too
HATCH_PERIOD = 16  # pixels; divides STRIP_LINES, so that the hatching goes on between strips
HATCH_GREY = 150
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Box:
    """A region to mark; `peak` in units of the alarm level."""

    lines: Interval
    columns: Interval
    peak: float


def draw_overlay(
    pixels: PixelArray, heat: ScoreArray, boxes: Sequence[Box], caption: str = ""
) -> PixelArray:
    """(lines, columns, 3) uint8 BGR: the picture, heat where it is unusual, and labelled boxes.

    `heat` is (lines, columns) in units of the alarm level; where it is NaN nothing was judged, and
    the picture is grey and hatched. `caption` stands in the lower left corner. Small pictures come
    out enlarged.
    """
    picture = _to_bgr(pixels)
    # In strips: the blend works in floats, 12 times the size of the picture.
    for first in range(0, picture.shape[0], STRIP_LINES):
        lines = slice(first, first + STRIP_LINES)
        picture[lines] = _tinted(picture[lines], heat[lines])
    factor = _enlargement(picture.shape)
    if factor > 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    thickness = max(1, round(min(picture.shape[:2]) / 900))
    corners = [_draw_box(picture, box, factor, thickness) for box in boxes]
    for box, corner in zip(boxes, corners, strict=True):
        _draw_label(picture, f"{box.peak:.1f}x", corner, thickness)
    if caption:
        _draw_label(picture, caption, (0, picture.shape[0]), thickness)
    return picture


def _to_bgr(pixels: PixelArray) -> PixelArray:
    """8 bits per channel; 16-bit pictures are stretched over what they use of their range."""
    if pixels.dtype == np.uint16:
        low, high = np.percentile(pixels[::4, ::4], [0.5, 99.5])
        scale = 255 / max(float(high - low), 1.0)
        pixels = cv2.convertScaleAbs(np.maximum(pixels, low) - low, alpha=scale)
    code = cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR
    return cv2.cvtColor(np.ascontiguousarray(pixels), code)


def _tinted(picture: PixelArray, heat: ScoreArray) -> PixelArray:
    masked = np.isnan(heat)
    heat = np.where(masked, 0, heat)
    shade = (COLDEST_SHADE + np.clip(heat / HOTTEST, 0, 1) * SHADES).astype(np.uint8)
    colours = cv2.applyColorMap(shade, cv2.COLORMAP_INFERNO)
    weight = OPACITY * np.clip((heat - FAINT) / (FULL - FAINT), 0, 1)[..., None]
    blended = picture * DIMMED * (1 - weight) + colours * weight
    drawn = blended.astype(np.uint8)
    drawn[masked] = _hatched(picture)[masked]
    return drawn


def _hatched(picture: PixelArray) -> PixelArray:
    """(lines, columns, 3): half as bright, without colour, under slanted stripes."""
    lines, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    stripe = (lines + columns) % HATCH_PERIOD < HATCH_PERIOD // 4
    grey = np.where(stripe, HATCH_GREY, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) // 2)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def _enlargement(shape: tuple[int, ...]) -> int:
    """The whole factor that brings a picture to a size one can look at."""
    wanted = -(-SMALLEST_SIDE // min(shape[:2]))
    return max(1, min(wanted, LARGEST_SIDE // max(shape[:2])))


def _draw_box(picture: PixelArray, box: Box, factor: int, thickness: int) -> tuple[int, int]:
    """Draw the outline a little outside the region; returns its upper left corner."""
    margin = 2 * thickness
    top, bottom = box.lines.first * factor - margin, box.lines.end * factor + margin
    left, right = box.columns.first * factor - margin, box.columns.end * factor + margin
    for colour, width in ((BLACK, 3 * thickness), (WHITE, thickness)):
        cv2.rectangle(picture, (left, top), (right, bottom), colour, width, cv2.LINE_AA)
    return left, top


def _draw_label(picture: PixelArray, text: str, corner: tuple[int, int], thickness: int) -> None:
    """White on black above the corner, moved inside where it would leave the picture."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45 * max(1.0, thickness * 0.8)
    (width, height), below = cv2.getTextSize(text, font, scale, thickness)
    margin = 3 * thickness
    left = max(0, min(corner[0], picture.shape[1] - width - 2 * margin))
    top = max(0, corner[1] - height - below - 2 * margin)
    end = (left + width + 2 * margin, top + height + below + 2 * margin)
    cv2.rectangle(picture, (left, top), end, BLACK, cv2.FILLED)
    origin = (left + margin, top + height + margin)
    cv2.putText(picture, text, origin, font, scale, WHITE, thickness, cv2.LINE_AA)
