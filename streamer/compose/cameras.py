"""Cameras side by side from the configuration: names, places, endpoints, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.compose.geometry import tile_grid
from streamer.config import ConfigError, ReplaySource, SimulatorSource
from streamer.message import Interval
from streamer.side_by_side import CameraPlace, find_seams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.config import Config, Edges, Light, Source
    from streamer.ports import LineSource
    from streamer.sources.live import Live


def camera_names(config: Config) -> tuple[str, ...]:
    """Names of the cameras, left to right."""
    return tuple(source.camera for source in camera_sources(config))


def camera_sources(config: Config) -> tuple[Source, ...]:
    """The source of each camera, left to right."""
    return (config.source, *(camera.source for camera in config.cameras))


def with_places(config: Config, widths: Sequence[int]) -> Config:
    """The configuration with web width and seams for cameras that see so many columns.

    Raises:
        ConfigError: `web.columns` or `web.seams` say something else, or the cameras do not overlap.
    """
    views = [
        Interval(first, first + width)
        for first, width in zip(_first_columns(config), widths, strict=True)
    ]
    # The grid of the whole web; every camera's own is checked when its tiles are cut.
    alignment = tile_grid(config, views[-1].end).alignment
    try:
        seams = find_seams(views, alignment)
    except ValueError as error:
        msg = f"cameras.first_mm does not fit: {error}"
        raise ConfigError(msg) from None
    for name, given, found in (
        ("columns", config.web.columns, views[-1].end),
        ("seams", config.web.seams or None, seams or None),
    ):
        if given not in (None, found):
            whose = "the source's" if len(views) == 1 else "what the cameras show:"
            msg = f"web.{name} must be {whose} {found}, got {given}"
            raise ConfigError(msg)
    web = config.web.model_copy(update={"columns": views[-1].end, "seams": seams})
    return config.model_copy(update={"web": web})


def _first_columns(config: Config) -> tuple[int, ...]:
    """Web column of each camera's own column 0."""
    shifts = (round(camera.first_mm / config.web.pixel_mm) for camera in config.cameras)
    return (0, *shifts)


def camera_places(config: Config) -> tuple[CameraPlace, ...]:
    """The columns that each camera inspects, and the web's number of its first lane.

    Raises:
        ConfigError: web width or seams are not set, or a camera's share cannot be cut into tiles.
    """
    columns, seams = config.web.columns, config.web.seams
    if columns is None or len(seams) != len(config.cameras):
        msg = (
            f"web.columns and one of web.seams for each of {len(config.cameras)} further cameras "
            f"must be set when stages are started alone, got {columns} and {list(seams)}"
        )
        raise ConfigError(msg)
    bounds = (0, *seams, columns)
    places: list[CameraPlace] = []
    lane = 0
    for name, first, end in zip(camera_names(config), bounds, bounds[1:], strict=False):
        places.append(CameraPlace(name, Interval(first, end), lane))
        lane += len(tile_grid(config, end - first).lanes)
    return tuple(places)


def open_camera(
    config: Config, name: str, first_line: int = 0, live: Live | None = None
) -> LineSource:
    """The source of one camera, cut to the columns that it inspects, from web line `first_line`.

    `live` is what one whose web runs by itself must know.

    Raises:
        ConfigError: there is no such camera, or it sees less of the web than it is to inspect.
        ValueError, OSError: the source cannot be opened; the text names it.
    """
    from streamer.sources import open_source
    from streamer.sources.cropped import CroppedSource, Share

    index = camera_index(config, name)
    if not config.cameras:
        given = config.edges, config.light, live
        return open_source(config.source, config.web, first_line, *given)
    place, shift = camera_places(config)[index], _first_columns(config)[index]
    later_mm = config.cameras[index - 1].later_mm if index else 0.0
    skipped = round(later_mm / config.web.down_mm)
    settings, edges = camera_sources(config)[index], camera_edges(config, index)
    # A camera shows first what passes it then: web that the first camera never saw is cut away.
    is_start = first_line == 0 and not isinstance(settings, SimulatorSource | ReplaySource)
    first = 0 if is_start else first_line + skipped
    source = open_source(settings, config.web, first, edges, camera_light(config, index), live)
    kept = Interval(place.columns.first - shift, place.columns.end - shift)
    try:
        return CroppedSource(source, Share(kept, place.columns.first, skipped))
    except ValueError as error:
        source.close()
        msg = f"camera {name}: {error}"
        raise ConfigError(msg) from None


def camera_light(config: Config, index: int) -> Light:
    """The light of one camera: its own, or what is said of all."""
    own = config.cameras[index - 1].light if index else None
    return own or config.light


def camera_edges(config: Config, index: int) -> Edges:
    """The edges of the web as one camera sees them: margins at its outer side, zones at its own.

    Zones keep their down-web places: the camera's lines before the roll are few.
    """
    edges, last = config.edges, len(config.cameras)
    shift_mm = config.cameras[index - 1].first_mm if index else 0.0
    zones = (
        zone.model_copy(
            update={
                "first_mm": max(zone.first_mm - shift_mm, 0.0),
                "end_mm": zone.end_mm - shift_mm,
            }
        )
        for zone in edges.ignore
    )
    return edges.model_copy(
        update={
            "margin_left_mm": edges.margin_left_mm if index == 0 else 0.0,
            "margin_right_mm": edges.margin_right_mm if index == last else 0.0,
            "ignore": tuple(zone for zone in zones if zone.end_mm > 0),
        }
    )


def camera_index(config: Config, name: str) -> int:
    """Which camera this is, counted from the left; "" is the first.

    Raises:
        ConfigError: there is none of this name.
    """
    names = camera_names(config)
    if name and name not in names:
        msg = f"camera must be one of {', '.join(names)}, got {name}"
        raise ConfigError(msg)
    return names.index(name) if name else 0


def tiles_endpoint(config: Config, index: int) -> str:
    """Where the camera with this index hands out its tiles; the first where the config says.

    Raises:
        ConfigError: no such endpoint can be made from `transport.tiles`.
    """
    return numbered_endpoint("transport.tiles", config.transport.tiles, index)


def numbered_endpoint(key: str, first: str, index: int) -> str:
    """An endpoint for the camera with this index, from that of the first one, which `key` says.

    Raises:
        ConfigError: no such endpoint can be made.
    """
    if index == 0:
        return first
    if first.startswith("ipc://"):
        return f"{first}-{index}"
    host, _, port = first.rpartition(":")
    if not port.isdecimal() or int(port) + index > 65535:
        msg = f"{key} must end in a port with room for one each camera, got {first}"
        raise ConfigError(msg)
    return f"{host}:{int(port) + index}"
