"""Line sources: one file per kind; this factory is the only place that names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamer import config

if TYPE_CHECKING:
    from streamer.ports import LineSource
    from streamer.sources.live import Live


def open_source(
    settings: config.Source,
    web: config.Web,
    first_line: int = 0,
    edges: config.Edges | None = None,
    light: config.Light | None = None,
    live: Live | None = None,
) -> LineSource:
    """The configured source, its light evened, its edges masked, paced as the settings say.

    Without `edges` and `light` everything is delivered as it was seen: that is what is recorded.
    Lines before `first_line` are skipped: a restarted capture continues where the ledger ends. A
    web that runs by itself does not wait for it: `live` tells such a source since when it ran.

    Raises:
        FileNotFoundError, ValueError, OSError: what is configured cannot be opened.
    """
    source = _corrected(_open_fast(settings, web, first_line, live), light, web)
    source = _with_edges(source, web, edges)
    if isinstance(settings, config.StreamSource) or settings.pace == "fast":
        return source
    from streamer.sources.pacing import PacedSource

    return PacedSource(source, web.line_rate_hz)


def _corrected(source: LineSource, light: config.Light | None, web: config.Web) -> LineSource:
    if light is None or not light.is_on:
        return source
    from streamer.sources.corrected import open_corrected

    return open_corrected(source, light, web)


def _with_edges(source: LineSource, web: config.Web, edges: config.Edges | None) -> LineSource:
    if edges is None or edges.stream == "off":
        return source
    from streamer.sources.edged import EdgedSource, EdgePlan

    try:
        return EdgedSource(source, EdgePlan.of(edges, web))
    except ValueError:
        source.close()
        raise


def _open_fast(
    settings: config.Source, web: config.Web, first_line: int, live: Live | None
) -> LineSource:
    match settings:
        case config.SimulatorSource():
            from streamer.sources.simulated_camera import open_simulated

            return open_simulated(settings, web, first_line)
        case config.ReplaySource():
            from streamer.sources.replay import open_replay

            return open_replay(settings, web, first_line)
        case config.StreamSource():
            return _open_stream(settings, web, first_line, live)
        case config.GenicamSource() | config.GentlSource():
            from streamer.sources.camera_lines import open_camera_lines

            return open_camera_lines(settings, web, first_line, live)
        case _:
            assert_never(settings)


def _open_stream(
    settings: config.StreamSource, web: config.Web, first_line: int, live: Live | None
) -> LineSource:
    from streamer.sources.area_scan import AreaRules
    from streamer.sources.area_scan_source import AreaScanSource
    from streamer.sources.video_stream import StreamPlan, VideoStream

    rules = AreaRules(
        settings.motion, web.line_rate_hz, settings.tolerance, settings.least_confidence
    )
    plan = StreamPlan(
        settings.camera,
        settings.address,
        settings.channels == 1,
        settings.open_timeout_s,
        settings.read_timeout_s,
        settings.reconnect_s,
        settings.credentials_variable,
    )
    stream = VideoStream(plan)
    return AreaScanSource(stream, rules, stream.lines, first_line, live)
