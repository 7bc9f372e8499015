"""Web, tiles and grid of a roll from the configuration; opens nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.backbones.footprint import find_footprint
from streamer.config import ConfigError
from streamer.tiling import TileGrid
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from streamer.config import Config


UNJUDGED_EDGES = frozenset({"aota_original"})


def web_geometry(config: Config, columns: int) -> WebGeometry:
    """Millimetres of a web of `columns` pixels."""
    web = config.web
    return WebGeometry(columns, web.pixel_mm, web.down_mm, web.web_speed_m_min)


def tile_grid(config: Config, columns: int) -> TileGrid:
    """How the web is cut for the configured backbone and score.

    The halo is what a score depends on: windows and blur in features, times the stride, plus the
    radius of the receptive field, rounded up.

    Raises:
        ConfigError: the tiles do not fit the backbone's stride, the web is too narrow, or the
            method leaves the edges of a web unjudged.
    """
    if config.scoring.method in UNJUDGED_EDGES:
        # What is never judged must not count as inspected.
        msg = (
            f"scoring.method must judge the edges of a web, got {config.scoring.method}, which "
            "drops its outermost three features; use it on stills (inspect, evaluate), or aota"
        )
        raise ConfigError(msg)
    try:
        footprint = find_footprint(config.backbone)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    alignment = footprint.stride * config.scoring.window_stride
    smallest = config.scoring.patch_size * footprint.stride
    # A last row may need to take in what is shorter than a window: the halo holds that much.
    reach = max(config.scoring.halo_features * footprint.stride + footprint.radius, smallest)
    try:
        return TileGrid(
            columns=columns,
            tile_lines=config.tiles.lines,
            tile_columns=config.tiles.columns,
            halo=-(-reach // alignment) * alignment,
            stride=footprint.stride,
            alignment=alignment,
            smallest=smallest,
        )
    except ValueError as error:
        text = (
            str(error).replace("tile_lines", "tiles.lines").replace("tile_columns", "tiles.columns")
        )
        msg = text.replace("web must be", "web.columns must be", 1)
        raise ConfigError(msg) from None


def largest_tile(grid: TileGrid) -> tuple[int, int]:
    """(lines, columns) in pixels of the largest tile of a web, halo included."""
    across = max(lane.size for lane in grid.lanes) + 2 * grid.halo
    width = min(across, grid.columns)
    return grid.tile_lines + 2 * grid.halo, -(-width // grid.stride) * grid.stride
