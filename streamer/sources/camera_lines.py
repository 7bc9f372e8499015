"""Opens the configured camera as a source of lines; knows no pixel and no correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamer.camera_sections import GenicamSource, GentlSource
from streamer.sources.camera_frames import counter_bits
from streamer.sources.frame_line_source import FrameLineSource
from streamer.sources.frame_lines import LineRules
from streamer.sources.installed import require_installed

if TYPE_CHECKING:
    from streamer.camera_sections import CameraSettings
    from streamer.config import Web
    from streamer.sources.frame import FrameSource
    from streamer.sources.live import Live


def open_camera_lines(
    settings: GenicamSource | GentlSource,
    web: Web,
    first_line: int = 0,
    live: Live | None = None,
) -> FrameLineSource:
    """The lines of the camera that `settings` name, the first one as web line `first_line`.

    With `live.since_ns` the web that has passed since then is lost before it.

    Raises:
        CameraFault: the library is not installed, or the camera does not answer.
        ValueError: the camera does not take a setting.
    """
    frames, rules = open_camera(settings, web.line_rate_hz), line_rules(settings, web)
    return FrameLineSource(frames, rules, first_line, live=live)


def open_camera(
    settings: GenicamSource | GentlSource, web_rate_hz: float | None = None
) -> FrameSource:
    """The frames of the camera that `settings` name; raises as open_camera_lines does.

    `web_rate_hz`: lines/s that are expected of a camera that is not told its rate.
    """
    match settings:
        case GenicamSource():
            require_installed("genicam", "viva_genicam", "camera")
            from streamer.sources.genicam_viva import open_genicam

            return open_genicam(settings, web_rate_hz)
        case GentlSource():
            require_installed("gentl", "harvesters", "gentl")
            from streamer.sources.gentl import open_gentl

            return open_gentl(settings, web_rate_hz)
        case _:
            assert_never(settings)


def line_rules(settings: CameraSettings, web: Web) -> LineRules:
    """What the counters of such a camera mean for the web."""
    rate_hz = settings.line_rate_hz or web.line_rate_hz
    bits = counter_bits(settings.chunks)
    return LineRules(rate_hz, settings.encoder_counts_per_line, bits)
