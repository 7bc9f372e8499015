"""Simulated webs to calibrate and compare models on; the same for every configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from streamer.backbones.calibration_set import CalibrationSet
from streamer.config import SimulatorSource, Web
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from streamer.message import PixelArray

SIMULATOR = "simulator"
_LINES, _COLUMNS = 512, 512
_DEFECTS_PER_M, _OTHER_SEEDS = 12.0, 10
_WEBS: tuple[tuple[Literal["fabric", "rail"], Literal[1, 3], int], ...] = (
    ("fabric", 1, 11),
    ("fabric", 3, 12),
    ("rail", 1, 13),
    ("rail", 3, 14),
)


def simulated_webs() -> CalibrationSet:
    """Clean pieces of both simulated surfaces, mono and RGB; always the same pixels.

    Each comes a second time with its contrast stretched to the whole range: real webs have more
    than the simulated ones, and what lies beyond the calibrated range is clipped.
    """
    pieces = [_piece(*web) for web in _WEBS]
    return CalibrationSet(SIMULATOR, [*pieces, *(_stretched(pixels) for pixels in pieces)])


def simulated_defects() -> CalibrationSet:
    """Pieces of the same surfaces with many planted defects; always the same pixels."""
    pieces = [
        _piece(surface, channels, seed + _OTHER_SEEDS, _DEFECTS_PER_M)
        for surface, channels, seed in _WEBS
    ]
    return CalibrationSet(SIMULATOR, pieces)


def _piece(
    surface: Literal["fabric", "rail"],
    channels: Literal[1, 3],
    seed: int,
    defects_per_m: float = 0.0,
) -> PixelArray:
    settings = SimulatorSource(
        surface=surface,
        channels=channels,
        seed=seed,
        columns=_COLUMNS,
        block_lines=_LINES,
        clean_m=0.0,
        defects_per_m=defects_per_m,
    )
    source = open_source(settings, Web())
    buffer = new_buffer(source.format, _LINES)
    source.read_into(buffer)
    source.close()
    return buffer


def _stretched(pixels: PixelArray) -> PixelArray:
    """From the 1 % to the 99 % quantile over the whole range of uint8."""
    low, high = np.percentile(pixels, (1, 99))
    stretched: PixelArray = ((pixels - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)
    return stretched
