"""What a simulated web is made of: opens a surface by name; knows no defects, light or sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, assert_never

from streamer.sources.fabric import Fabric, ThreadPitch
from streamer.sources.rail import Rail

if TYPE_CHECKING:
    from streamer.config import SimulatorSource, Web
    from streamer.sources.lattice import Floats

_THREAD_MM = 0.5
_RESOLVED_PX = 4.5  # a thread below this many pixels would alias instead of showing the weave


class Surface(Protocol):
    """The defect-free web; a pure function of the chunk number."""

    def reflectance(self, chunk: int) -> Floats:
        """(CHUNK_LINES, columns) reflectance, 0 black to 1 white; the caller may write into it."""
        ...


def thread_pitch_mm(web: Web) -> float:
    """Distance between threads: fine cloth, or as coarse as the camera needs to resolve it."""
    return max(_THREAD_MM, _RESOLVED_PX * max(web.pixel_mm, web.down_mm))


def open_surface(settings: SimulatorSource, web: Web) -> Surface:
    """The surface that `settings` names."""
    match settings.surface:
        case "fabric":
            pitch = thread_pitch_mm(web)
            threads = ThreadPitch(pitch / web.pixel_mm, pitch / web.down_mm)
            return Fabric(settings.seed, settings.columns, threads)
        case "rail":
            return Rail(settings.seed, settings.columns)
        case unknown:
            assert_never(unknown)
