"""Simulated webs that int8 models are calibrated on; the same for every configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from streamer.backbones.calibration_set import CalibrationSet
from streamer.config import SimulatorSource, Web
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from streamer.message import PixelArray

SIMULATOR = "simulator"
_LINES, _COLUMNS, _CLEAN_M = 512, 512, 1.0
_WEBS: tuple[tuple[Literal["fabric", "rail"], Literal[1, 3], int], ...] = (
    ("fabric", 1, 11),
    ("fabric", 3, 12),
    ("rail", 1, 13),
    ("rail", 3, 14),
)


def simulated_webs() -> CalibrationSet:
    """Clean pieces of both simulated surfaces, mono and RGB; always the same pixels."""
    return CalibrationSet(SIMULATOR, [_piece(*web) for web in _WEBS])


def _piece(surface: Literal["fabric", "rail"], channels: Literal[1, 3], seed: int) -> PixelArray:
    settings = SimulatorSource(
        surface=surface,
        channels=channels,
        seed=seed,
        columns=_COLUMNS,
        block_lines=_LINES,
        clean_m=_CLEAN_M,
    )
    source = open_source(settings, Web())
    buffer = new_buffer(source.format, _LINES)
    source.read_into(buffer)
    source.close()
    return buffer
