"""What light and lens do to the lines of a simulated camera; knows no counter and no frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.fault_script import Dust, EdgeWander, ExposureJump, LampAgeing, Seam

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamer.fault_script import Fault
    from streamer.message import PixelArray
    from streamer.web import WebGeometry

DIMMEST = 0.1
MARGIN = 0.96  # of full scale: a roller or table beside the web


@dataclass(frozen=True, slots=True)
class Optics:
    """The optical faults of a script."""

    faults: Sequence[Fault]
    geometry: WebGeometry

    def spoil(self, pixels: PixelArray, lines: npt.NDArray[np.int64]) -> None:
        """Change `pixels` (lines, columns[, 3]) of the web lines `lines` in place."""
        for fault in self.faults:
            at = self.geometry.lines(fault.at_m)
            match fault:
                case LampAgeing():
                    metres = np.maximum(0, lines - at) * self.geometry.line_mm / 1000
                    _dim(pixels, np.maximum(DIMMEST, 1 - metres * fault.percent_per_m / 100))
                case ExposureJump() | Seam():
                    end = at + self.geometry.lines(fault.length_m)
                    _dim(pixels, np.where((lines >= at) & (lines < end), fault.gain, 1.0))
                case Dust():
                    gain = np.where(lines >= at, fault.gain, 1.0)
                    _dim(pixels[:, fault.column : fault.column + fault.columns], gain)
                case EdgeWander():
                    _cover_margins(pixels, _margin(fault, lines, at, self.geometry))
                case _:
                    pass


def _dim(pixels: PixelArray, gain: npt.NDArray[np.float64]) -> None:
    """Multiply each line by its gain, in place."""
    changed = np.flatnonzero(gain != 1.0)
    if len(changed) == 0:
        return
    factors = gain[changed].reshape(-1, *([1] * (pixels.ndim - 1))).astype(np.float32)
    brighter = np.rint(pixels[changed] * factors)
    pixels[changed] = np.clip(brighter, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _margin(
    fault: EdgeWander, lines: npt.NDArray[np.int64], at: int, geometry: WebGeometry
) -> npt.NDArray[np.int64]:
    """(lines,) columns of margin on either side."""
    phase = 2 * np.pi * (lines - at) / geometry.lines(fault.period_m)
    width = np.rint(fault.width + fault.amplitude * np.sin(phase)).astype(np.int64)
    end = at + geometry.lines(fault.length_m)
    return np.where((lines >= at) & (lines < end), np.maximum(0, width), 0)


def _cover_margins(pixels: PixelArray, margin: npt.NDArray[np.int64]) -> None:
    columns = np.arange(pixels.shape[1])
    distance = np.minimum(columns, columns[::-1])
    pixels[distance[None, :] < margin[:, None]] = int(MARGIN * np.iinfo(pixels.dtype).max)
