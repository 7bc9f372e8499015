"""From reflectance to pixels: light, photon noise, quantisation; knows no surface and no defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.sources.lattice import chunk_lines, white_pool

if TYPE_CHECKING:
    from streamer.config import SimulatorSource
    from streamer.message import PixelArray
    from streamer.sources.lattice import Floats

_FULL_WELL = 10_000.0  # electrons at full scale, EMVA 1288 saturation of a small line-scan pixel
_DARK_NOISE = 20.0  # electrons
_MONO = (1.0,)
_TINT = (1.0, 0.94, 0.82)  # red, green, blue of warm light


class Sensor:
    """A line camera with a lens that darkens towards the edges."""

    def __init__(self, settings: SimulatorSource) -> None:
        self._tints = _MONO if settings.channels == 1 else _TINT
        self._noise = np.float32(settings.noise)
        self._full_scale = np.float32((1 << settings.bits) - 1)
        self._dtype = np.uint8 if settings.bits == 8 else np.uint16
        across = (2 * np.arange(settings.columns) + 1) / settings.columns - 1
        self._light = (1 - settings.rolloff * across**2).astype(np.float32)
        self._pools = [
            white_pool(settings.seed, f"sensor {channel}", settings.columns)
            for channel in range(settings.channels if settings.noise else 0)
        ]

    def noise(self, chunk: int) -> tuple[Floats, ...]:
        """Per channel (CHUNK_LINES, columns) standard normal; empty when noise is off."""
        return tuple(pool.lines(chunk_lines(chunk)) for pool in self._pools)

    def expose(self, reflectance: Floats, noise: tuple[Floats, ...], columns: slice) -> PixelArray:
        """(lines, columns) at the web's `columns` -> (lines, columns[, 3]) uint8 or uint16.

        Every pixel depends on its own reflectance and noise alone, so a part exposed by itself
        equals the same part of the whole.
        """
        lit = reflectance * self._light[columns]
        channels = [
            self._digitise(lit * np.float32(tint), noise[channel] if noise else None)
            for channel, tint in enumerate(self._tints)
        ]
        return channels[0] if len(channels) == 1 else np.stack(channels, axis=-1)

    def _digitise(self, signal: Floats, noise: Floats | None) -> PixelArray:
        if noise is not None:
            spread = signal * np.float32(1 / _FULL_WELL)
            spread += np.float32((_DARK_NOISE / _FULL_WELL) ** 2)
            np.sqrt(spread, out=spread)
            spread *= noise
            spread *= self._noise
            signal += spread
        signal *= self._full_scale
        signal += np.float32(0.5)
        np.clip(signal, 0, self._full_scale, out=signal)
        return signal.astype(self._dtype)
