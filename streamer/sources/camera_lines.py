"""Opens the configured camera as a source of lines; knows no pixel and no correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.sources.camera_frames import counter_bits
from streamer.sources.frame_line_source import FrameLineSource
from streamer.sources.frame_lines import LineRules
from streamer.sources.installed import require_installed

if TYPE_CHECKING:
    from streamer.camera_sections import CameraSettings, GenicamSource
    from streamer.config import Web


def open_camera_lines(settings: GenicamSource, web: Web, first_line: int = 0) -> FrameLineSource:
    """The lines of the camera that `settings` name, the first one as web line `first_line`.

    Raises:
        CameraFault: the library is not installed, or the camera does not answer.
        ValueError: the camera does not take a setting.
    """
    require_installed("genicam", "viva_genicam", "camera")
    from streamer.sources.genicam_viva import open_genicam

    return FrameLineSource(open_genicam(settings), line_rules(settings, web), first_line)


def line_rules(settings: CameraSettings, web: Web) -> LineRules:
    """What the counters of such a camera mean for the web."""
    rate_hz = settings.line_rate_hz or web.line_rate_hz
    bits = counter_bits(settings.chunks)
    return LineRules(rate_hz, settings.encoder_counts_per_line, bits)
