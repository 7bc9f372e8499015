"""How much narrow strips of web differ from what lies beside them; knows no profile and no tile.

A scratch of a pixel or two hardly shows in a cell, and less in any single one. Summed along the
web it does: what is narrow and goes on is seen against its surround, in which slow light cancels.
Some are as bright as the web and only smoother. A thread across the web is the same, turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streamer.message import PixelArray, ScoreArray

    Counts: TypeAlias = "NDArray[np.int64]"
    Fixed: TypeAlias = "NDArray[np.int32]"

STRIP_PX = 4  # the width that showed most scratches of 1.5 to 6 pixels; 8 showed fewer
SURROUND = 21  # strips about each that it is compared with; 11 and none showed fewer
LENGTHS = (9, 21)  # rows of cells, odd; the longest is as long as the halo of most methods holds
SLOPES = (-0.12, -0.06, 0.0, 0.06, 0.12)  # columns per line; three missed what leans
CHANNELS = 2  # grey and roughness
LINE_REACH = LENGTHS[-1] // 2  # cells down-web; across, surround and slope take fewer
LINES = tuple((slope, length) for slope in SLOPES for length in LENGTHS)
UNIT = 1 << 16  # fixed point of a log contrast: sums are exact, in any order


def strips_per_cell(stride: int) -> int:
    """How many strips of equal width, of STRIP_PX where they fit, a cell of `stride` pixels has."""
    wanted = max(stride // STRIP_PX, 1)
    return next(count for count in range(wanted, 0, -1) if stride % count == 0)


def log_contrast(pixels: PixelArray, stride: int) -> ScoreArray:
    """Log of each strip's grey, and of its roughness, over that of the strips about it, float32.

    `pixels` are (lines, columns[, 3]) uint8 or uint16; the result is (CHANNELS, lines // stride,
    columns // stride * strips_per_cell). A strip is `stride` lines long; grey is the mean of the
    colours, roughness the mean step from one of its lines to the next (one grey level is added to
    both, for the dark and for the smooth). Beyond the sides the strips are mirrored. Sums are of
    integers: a strip is the same to the bit however the web is cut, as long as SURROUND // 2 strips
    beside it are there.
    """
    rows, columns = (size // stride for size in pixels.shape[:2])
    web = pixels[: rows * stride, : columns * stride].reshape(rows, stride, -1)
    strips = columns * strips_per_cell(stride)
    steps = np.maximum(web[:, 1:], web[:, :-1]) - np.minimum(web[:, 1:], web[:, :-1])
    return np.stack(
        [
            _compare(_strip_sums(web, strips), web.size),
            _compare(_strip_sums(steps, strips), steps.size),
        ]
    )


def turned_contrast(pixels: PixelArray, stride: int) -> ScoreArray:
    """As the grey of `log_contrast`, of strips that lie across the web, float32.

    The result is (columns // stride, lines // stride * strips_per_cell): turned, so that
    `line_means` runs across the web. A strip is `stride` columns wide, and compared with those
    before and behind it. Roughness raised more false alarms here than it found threads.
    """
    rows, columns = (size // stride for size in pixels.shape[:2])
    strips = rows * strips_per_cell(stride)
    web = pixels[: rows * stride, : columns * stride].reshape(strips, rows * stride // strips, -1)
    return _compare(np.ascontiguousarray(_strip_sums(web, columns).T), web.size)


def _strip_sums(web: PixelArray, strips: int) -> Counts:
    """(rows, lines, values) to (rows, strips)."""
    # Lines first: long runs of neighbours add up fast, and in half the bytes where they fit.
    narrow = np.uint16 if np.iinfo(web.dtype).max * web.shape[1] < 1 << 16 else np.uint32
    lines = web.sum(axis=1, dtype=narrow)
    # Whole columns at a time: numpy is slow along an axis of a few values.
    width = lines.shape[1] // strips
    sums: Counts = np.zeros((web.shape[0], strips), np.int64)
    for column in range(width):
        sums += lines[:, column::width]
    return sums


def _compare(sums: Counts, values: int) -> ScoreArray:
    """With the strips beside each; `values` are what all sums are made of."""
    grey_level = max(values // sums.size, 1)
    return np.log((sums + grey_level) / (_sum_across(sums) / SURROUND + grey_level)).astype(
        np.float32
    )


def _sum_across(sums: Counts) -> Counts:
    """Over SURROUND strips about each."""
    half = SURROUND // 2
    padded = np.pad(sums, ((0, 0), (half + 1, half)), mode="symmetric")
    # The first column only makes room for the difference.
    running = padded.cumsum(axis=1)
    total: Counts = running[:, SURROUND:] - running[:, :-SURROUND]
    return total


def fixed_point(contrast: ScoreArray, normal: ScoreArray) -> Fixed:
    """int32 as `contrast`: what of it is beyond `normal`, which broadcasts to it, in 1 / UNIT.

    What is masked (NaN) neither adds to a line nor takes from it.
    """
    beyond = np.nan_to_num(contrast - normal, nan=0.0)
    fixed: Fixed = np.rint(beyond * UNIT).astype(np.int32)
    return fixed


def line_means(beyond: Fixed, strips: int) -> Iterator[ScoreArray]:
    """Means of `beyond` (rows, strips) along the line through each strip, for each of LINES.

    `strips` are those of a cell. Beyond the web, where a line ends, all is normal, as under a mask:
    mirrored, a line would count twice there, and so would its noise. Strips are mirrored.
    The result is no fixed point any more, and equal to the bit wherever the same cells are there.
    """
    for slope in SLOPES:
        for sums, length in zip(_sums_of_slope(beyond, slope * strips), LENGTHS, strict=True):
            yield sums * np.float32(1 / (UNIT * length))


def _sums_of_slope(beyond: Fixed, strips_per_row: float) -> Iterator[Fixed]:
    """For each of LENGTHS, from the middle outwards."""
    rows, strips = beyond.shape
    side = shift_of(LINE_REACH, abs(strips_per_row))
    padded = np.pad(beyond, ((0, 0), (side, side)), mode="symmetric")
    padded = np.pad(padded, ((LINE_REACH, LINE_REACH), (0, 0)))
    total = np.zeros_like(beyond)
    for distance in range(LINE_REACH + 1):
        for row in {-distance, distance}:
            left = side + shift_of(row, strips_per_row)
            top = LINE_REACH + row
            total += padded[top : top + rows, left : left + strips]
        if 2 * distance + 1 in LENGTHS:
            yield total.copy()


def shift_of(row: int, strips_per_row: float) -> int:
    """By how many strips a line has moved after so many rows, to the nearest, odd as a function."""
    moved = int(abs(row * strips_per_row) + 0.5)
    return moved if row * strips_per_row > 0 else -moved
