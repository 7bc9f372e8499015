"""Line sources: one file per kind; this factory is the only place that names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamer import config

if TYPE_CHECKING:
    from streamer.ports import LineSource


def open_source(
    settings: config.Source,
    web: config.Web,
    first_line: int = 0,
    light: config.Light | None = None,
) -> LineSource:
    """The configured source, corrected by `light`, paced at the line rate when the settings say so.

    Lines before `first_line` are skipped: a restarted capture continues where the ledger ends.

    Raises:
        FileNotFoundError, ValueError, OSError: what is configured cannot be opened.
    """
    source = _corrected(_open_fast(settings, web, first_line), light, web)
    if settings.pace == "fast":
        return source
    from streamer.sources.pacing import PacedSource

    return PacedSource(source, web.line_rate_hz)


def _corrected(source: LineSource, light: config.Light | None, web: config.Web) -> LineSource:
    if light is None or not light.is_on:
        return source
    from streamer.sources.corrected import open_corrected

    return open_corrected(source, light, web)


def _open_fast(settings: config.Source, web: config.Web, first_line: int) -> LineSource:
    match settings:
        case config.SimulatorSource():
            from streamer.sources.simulator import SimulatedWeb

            return SimulatedWeb(settings, web, first_line)
        case config.ReplaySource():
            from streamer.sources.replay import open_replay

            return open_replay(settings, web, first_line)
        case _:
            assert_never(settings)
