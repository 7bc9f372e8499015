"""The head of an endless rail as reflectance; knows no defects, light or sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.sources.lattice import (
    Floats,
    blend_rows,
    chunk_lines,
    noise_key,
    slide_rows,
    streaky_pool,
    value_noise,
    white_pool,
)

if TYPE_CHECKING:
    import numpy.typing as npt

_SLOW_ROWS = 96  # chunks over which a grinding mark comes and goes
_BAND_HALF_WIDTH = 0.55  # of half the web


class Rail:
    """A bright running band between darker, rougher flanks, with longitudinal grinding marks."""

    def __init__(self, seed: int, columns: int) -> None:
        self._columns = columns
        self._keys = {
            name: noise_key(seed, f"rail {name}") for name in ("edge", "fine", "coarse", "short")
        }
        self._column = np.arange(columns, dtype=np.float64)
        self._across = (2 * self._column + 1) / columns - 1
        self._band_centre = 0.08 * value_noise(noise_key(seed, "rail band"), 0, np.zeros(1))[0]
        flank = np.clip(np.abs(self._across) - 0.5, 0, None)
        self._roughness = (0.06 + 0.16 * flank).astype(np.float32)  # flanks are never run smooth
        self._rough = streaky_pool(seed, "rail rough", columns, 7.0)
        self._grain = white_pool(seed, "rail grain", columns)

    def reflectance(self, chunk: int) -> Floats:
        """(CHUNK_LINES, columns) of chunk number `chunk`, about 0.03 to 0.7."""
        lines = chunk_lines(chunk)
        light = blend_rows(chunk, self._marks) + 1
        light *= slide_rows(chunk, self._shading)
        rough = self._rough.lines(lines) * self._roughness
        rough += self._grain.lines(lines) * np.float32(0.035)
        rough += 1
        light *= rough
        return np.maximum(light, np.float32(0.01))

    def _shading(self, row: int) -> Floats:
        """Cross-section of the light that the head sends back; the band wanders slowly."""
        place = np.array([row / 16])
        left, right = (
            self._band_centre
            + side * _BAND_HALF_WIDTH
            + 0.03 * value_noise(self._keys["edge"], side, place)
            for side in (-1, 1)
        )
        band = _step((self._across - left) / 0.05) * _step((right - self._across) / 0.05)
        falloff = np.sqrt(np.clip(1.02 - self._across**2, 0, None))
        return (0.10 + 0.14 * falloff + 0.26 * band * falloff).astype(np.float32)

    def _marks(self, row: int) -> Floats:
        """Grinding marks: fixed to a column for metres (coarse, fine) or decimetres (short)."""
        slow, second = divmod(row, _SLOW_ROWS)
        weight = second / _SLOW_ROWS
        scale = np.hypot(1 - weight, weight)
        marks = np.zeros(self._columns, np.float32)
        for name, pitch, strength in (("coarse", 9.0, 0.045), ("fine", 1.8, 0.05)):
            here, there = (
                value_noise(self._keys[name], slow + step, self._column / pitch) for step in (0, 1)
            )
            marks += ((1 - weight) * here + weight * there) * np.float32(strength / scale)
        short = value_noise(self._keys["short"], row, self._column / 1.5)
        return marks + short * np.float32(0.03)


def _step(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth step from 0 to 1 around 0."""
    return 0.5 * (1 + np.tanh(distance))
