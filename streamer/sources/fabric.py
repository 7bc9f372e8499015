"""An endless woven fabric as reflectance; knows no defects, light or sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.sources.lattice import (
    CHUNK_LINES,
    Floats,
    Places,
    blend_rows,
    chunk_lines,
    hashed,
    noise_key,
    slide_rows,
    smooth_weights,
    streaky_pool,
    value_noise,
)

if TYPE_CHECKING:
    import numpy.typing as npt

_REPEAT = 4  # threads of a weave repeat
_STEPS = 32  # table samples per thread
_SIDE = _REPEAT * _STEPS
_NODE_PX = 64  # columns between the nodes of a weft thread's own variation

# True where the warp thread (second index) lies over the weft thread (first index).
_WEFT, _WARP = np.indices((_REPEAT, _REPEAT))
_WEAVES = (
    (_WARP + _WEFT) % 2 == 0,  # plain
    (_WARP + _WEFT) % 4 < 2,  # twill 2/2
    (_WARP + _WEFT) % 4 < 3,  # twill 3/1
)


@dataclass(frozen=True, slots=True)
class ThreadPitch:
    """Distance between threads: warp threads in columns, weft threads in lines."""

    warp_px: float
    weft_px: float


class Fabric:
    """Warp threads run down-web, weft threads cross-web; the seed chooses weave and irregularity.

    The weave is a table of one repeat, looked up at phases that wander a little; every thread has
    its own slowly changing thickness, and fuzz lies over all of it.
    """

    def __init__(self, seed: int, columns: int, pitch: ThreadPitch) -> None:
        self._columns = columns
        self._pitch = pitch
        self._keys = {
            name: noise_key(seed, f"fabric {name}")
            for name in ("spacing", "picks", "wander", "bow", "ends", "cloud", "wefts")
        }
        self._warp_table, self._weft_table = weave_tables(_WEAVES[seed % len(_WEAVES)], pitch)
        self._fuzz = streaky_pool(seed, "fabric fuzz", columns, 2.0)
        self._column = np.arange(columns, dtype=np.float64)
        self._warp_phase = self._phases(self._column / pitch.warp_px, "spacing")
        self._warp_thread = np.floor(self._warp_phase).astype(np.int64)

    def reflectance(self, chunk: int) -> Floats:
        """(CHUNK_LINES, columns) of chunk number `chunk`, about 0.1 to 0.8."""
        lines = chunk_lines(chunk)
        weft_phase = self._phases(lines / self._pitch.weft_px, "picks")
        place = self._places(chunk, weft_phase)
        warp = self._warp_table.take(place)
        warp *= blend_rows(chunk, self._warp_variation) + 1
        weft = self._weft_table.take(place)
        weft *= self._weft_variation(np.floor(weft_phase).astype(np.int64)) + 1
        warp += weft
        warp *= self._fuzz.lines(lines) * np.float32(0.05) + 1
        return warp

    def _phases(self, threads: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
        """Thread positions made irregular over a few threads."""
        return threads + 0.10 * value_noise(self._keys[name], 0, threads / 2.5)

    def _places(self, chunk: int, weft_phase: npt.NDArray[np.float64]) -> Places:
        warp = slide_rows(chunk, self._warp_position).astype(np.int32)
        bow = slide_rows(chunk, self._weft_position)
        bow += ((weft_phase % _REPEAT + _REPEAT) * _STEPS).astype(np.float32)[:, None]
        weft = bow.astype(np.int32)
        warp &= _SIDE - 1
        weft &= _SIDE - 1
        weft *= _SIDE
        weft += warp
        return weft.astype(np.int64)

    def _warp_position(self, row: int) -> Floats:
        wander = value_noise(self._keys["wander"], row, self._column / 96)
        return ((self._warp_phase + 0.12 * wander + _REPEAT) * _STEPS).astype(np.float32)

    def _weft_position(self, row: int) -> Floats:
        bow = value_noise(self._keys["bow"], row, self._column / 128)
        return (bow * np.float32(0.15 * _STEPS)).astype(np.float32)

    def _warp_variation(self, row: int) -> Floats:
        own = hashed(self._keys["ends"], np.full(1, row), self._warp_thread)
        cloud = value_noise(self._keys["cloud"], row, self._column / 150)
        return own * np.float32(0.09) + cloud * np.float32(0.02)

    def _weft_variation(self, thread: Places) -> Floats:
        """(CHUNK_LINES, columns): each weft thread changes along its own length."""
        nodes = -(-self._columns // _NODE_PX)
        value = hashed(self._keys["wefts"], thread[:, None], np.arange(nodes + 1)[None, :])
        first, second = smooth_weights(np.arange(_NODE_PX) / _NODE_PX)
        field = value[:, :-1, None] * (first * np.float32(0.11))
        field += value[:, 1:, None] * (second * np.float32(0.11))
        return field.reshape(CHUNK_LINES, nodes * _NODE_PX)[:, : self._columns]


def weave_tables(warp_over: npt.NDArray[np.bool_], pitch: ThreadPitch) -> tuple[Floats, Floats]:
    """Reflectance of the visible warp and weft over one repeat, (side, side) each.

    Row: phase across the weft threads; column: across the warp threads; averaged over the
    aperture of a pixel, since the camera cannot resolve what is finer.
    """
    phase = (np.arange(_SIDE) + 0.5) / _STEPS
    across = phase % 1 - 0.5
    height = np.where(warp_over, 1.0, -1.0)
    round_warp, round_weft = (
        np.sqrt(1 - 3.6 * across**2)[None, :],
        np.sqrt(1 - 3.6 * across**2)[:, None],
    )
    thread = np.floor(phase).astype(np.int64)
    warp_height = _bend(height, phase)[:, thread] + 0.9 * round_warp
    weft_height = -_bend(height.T, phase)[:, thread].T + 0.9 * round_weft
    seen = warp_height > weft_height
    light = np.where(seen, 0.62 * round_warp, 0.54 * round_weft)
    light = light * (0.72 + 0.16 * np.maximum(warp_height, weft_height))
    blur = 1.3 * _STEPS  # pixel aperture and lens
    aperture = max(1, round(blur / pitch.weft_px)), max(1, round(blur / pitch.warp_px))
    return _average(light * seen, aperture), _average(light * ~seen, aperture)


def _bend(
    height: npt.NDArray[np.float64], phase: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(side, repeat) height of each thread along its length, from +-1 at the crossings."""
    before = np.floor(phase - 0.5).astype(np.int64)
    weight = (phase - 0.5 - before)[:, None]
    weight = weight * weight * (3 - 2 * weight)
    return height[before % _REPEAT] * (1 - weight) + height[(before + 1) % _REPEAT] * weight


def _average(table: npt.NDArray[np.float64], aperture: tuple[int, int]) -> Floats:
    """Circular mean over (rows, columns) of `aperture`."""
    for axis, size in enumerate(aperture):
        table = np.mean([np.roll(table, shift, axis) for shift in range(size)], axis=0)
    return table.astype(np.float32)
