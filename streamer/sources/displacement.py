"""How far a texture moved between two pictures, by phase correlation; knows no camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import fft

from streamer.message import require

if TYPE_CHECKING:
    from streamer.message import PixelArray

_Plane = npt.NDArray[np.float32]
LEAST_OVERLAP = 32  # lines that two pictures must share for a measurement
MOST_COLUMNS = 512  # more say nothing new about the motion
_PEAK_RADIUS = 2


@dataclass(frozen=True, slots=True)
class Displacement:
    """Motion of the texture towards row 0 (`lines`) and column 0 (`columns`), in pixels.

    `confidence` is 0 to 1: how far the peak of the correlation stands above the next one.
    """

    lines: float
    columns: float
    confidence: float


UNKNOWN = Displacement(0.0, 0.0, 0.0)


def measure_displacement(
    before: PixelArray, after: PixelArray, expected_lines: float, tolerance_lines: float
) -> Displacement:
    """How far the texture moved towards row 0 from one picture to the next.

    `before` and `after` are (lines, columns[, 3]) of one size. Only motions within
    `tolerance_lines` of `expected_lines` are looked for: a woven texture repeats, and without
    knowing about how far it moved, nobody can tell one repeat from the next. The pictures are
    compared where they overlap after the expected motion; UNKNOWN when that is too little.
    Method: phase correlation (Kuglin and Hines 1975) with a Hann window and the peak refined by
    a parabola.

    Raises:
        ValueError: the sizes differ, or the tolerance is negative.
    """
    rule = "pictures must be of one size"
    require(before.shape == after.shape, rule, (before.shape, after.shape))
    require(tolerance_lines >= 0, "tolerance_lines must be >= 0", tolerance_lines)
    shift = round(expected_lines)
    overlap = before.shape[0] - abs(shift)
    if overlap < LEAST_OVERLAP:
        return UNKNOWN
    upper, lower = (before[max(shift, 0) :], after[max(-shift, 0) :])
    surface = _correlate(_plane(upper[:overlap]), _plane(lower[:overlap]))
    reach = min(int(np.ceil(tolerance_lines)), (overlap - 1) // 2)
    peak = _find_peak(surface, reach)
    return replace(peak, lines=peak.lines + shift)


def _plane(pixels: PixelArray) -> _Plane:
    """Grey, without mean, faded out to the edges, from the middle columns."""
    columns = pixels.shape[1]
    first = max(0, (columns - MOST_COLUMNS) // 2)
    part = pixels[:, first : first + MOST_COLUMNS].astype(np.float32)
    grey: _Plane = part if part.ndim == 2 else part.mean(axis=2, dtype=np.float32)
    fade = np.hanning(grey.shape[0] + 2)[1:-1, None] * np.hanning(grey.shape[1] + 2)[1:-1]
    faded: _Plane = ((grey - grey.mean()) * fade).astype(np.float32)
    return faded


def _correlate(before: _Plane, after: _Plane) -> _Plane:
    """Phase correlation; its peak lies at the motion towards row 0 and column 0, cyclic."""
    cross = fft.rfft2(before) * np.conj(fft.rfft2(after))
    size = np.abs(cross)
    # Frequencies that the texture hardly has are noise: they must not count like the others.
    cross /= np.maximum(size, 1e-3 * size.max() + 1e-12)
    surface: _Plane = fft.irfft2(cross, before.shape)
    return surface


def _find_peak(surface: _Plane, reach: int) -> Displacement:
    """The highest peak within `reach` lines, and how far it stands above any other anywhere.

    The texture's repeats are the others; a motion beyond the reach shows as one that is higher.
    """
    lines, width = surface.shape
    rows = np.arange(-reach, reach + 1)
    side = max(1, width // 8)
    columns = np.arange(-side, side + 1)
    window = surface[np.ix_(rows % lines, columns % width)]
    at = np.unravel_index(int(window.argmax()), window.shape)
    row, column, height = int(rows[at[0]]), int(columns[at[1]]), float(window[at])
    near = np.ix_(
        np.arange(row - _PEAK_RADIUS, row + _PEAK_RADIUS + 1) % lines,
        np.arange(column - _PEAK_RADIUS, column + _PEAK_RADIUS + 1) % width,
    )
    others = surface.copy()
    others[near] = -np.inf
    confidence = 1 - max(float(others.max()), 0.0) / height if height > 0 else 0.0
    return Displacement(
        row + _refine(surface[:, column % width], row),
        column + _refine(surface[row % lines], column),
        max(confidence, 0.0),
    )


def _refine(line: _Plane, place: int) -> float:
    """Offset of a parabola's top through the peak and its neighbours, within half a pixel."""
    left, top, right = (float(line[(place + n) % len(line)]) for n in (-1, 0, 1))
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
