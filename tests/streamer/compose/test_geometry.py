"""Tiles and halo from the configuration: figures worked out by hand."""

import pytest

from streamer.backbones.footprint import FOOTPRINTS
from streamer.compose.geometry import largest_tile, tile_grid, web_geometry
from streamer.config import Config, ConfigError
from streamer.config_file import load_config
from streamer.message import Interval


def config(*settings):
    return load_config(None, settings)


def test_a_line_is_as_long_as_a_pixel_is_wide_unless_it_says_otherwise():
    geometry = web_geometry(config("web.pixel_mm=0.2"), 100)
    assert (geometry.columns, geometry.pixel_mm, geometry.line_mm) == (100, 0.2, 0.2)
    geometry = web_geometry(config("web.line_mm=0.1", "web.web_speed_m_min=90"), 100)
    assert (geometry.pixel_mm, geometry.line_mm, geometry.speed_m_min) == (0.5, 0.1, 90)


def test_the_halo_holds_windows_blur_and_receptive_field():
    grid = tile_grid(Config(), 2200)
    # Windows of 9 reach 8 features and the blur 2, of 8 px each; radius 33: 113, in steps of 16.
    assert (grid.halo, grid.stride, grid.alignment, grid.smallest) == (128, 8, 16, 72)
    assert (grid.tile_lines, grid.tile_columns, len(grid.lanes)) == (512, 1024, 3)
    assert grid.lanes[-1] == Interval(2048, 2200)


@pytest.mark.parametrize(
    ("settings", "halo", "alignment"),
    [
        (("scoring.window_stride=1",), 120, 8),
        (("scoring.window_stride=4", "tiles.lines=512"), 128, 32),
        (("scoring.patch_size=3",), 80, 16),
        (("backbone.name=wide_resnet50_2",), 128, 16),
        # Half a window: 4 features and the radius of 33; at least a window of 72 px.
        (("scoring.method=moments",), 80, 16),
        (("scoring.method=grnr", "scoring.patch_size=3"), 64, 16),
        # Two features and 33 px would be 49: a last row may need 72.
        (("scoring.method=grnr",), 80, 16),
        (("backbone.onnx_file=a", "backbone.onnx_stride=4", "backbone.onnx_radius=0"), 40, 8),
    ],
)
def test_the_halo_follows_score_and_backbone(settings, halo, alignment):
    grid = tile_grid(config(*settings), 1024)
    assert (grid.halo, grid.alignment) == (halo, alignment)


def test_a_method_that_drops_the_edges_of_a_web_is_refused_on_the_line():
    made = config("scoring.method=aota_original")
    with pytest.raises(ConfigError, match="must judge the edges of a web, got aota_original"):
        tile_grid(made, 1024)


@pytest.mark.parametrize("name", FOOTPRINTS)
@pytest.mark.parametrize("window_stride", [1, 2, 4])
def test_no_halo_is_smaller_than_what_a_score_sees(name, window_stride):
    made = config(f"backbone.name={name}", f"scoring.window_stride={window_stride}")
    grid, footprint = tile_grid(made, 1024), FOOTPRINTS[name]
    reach = made.scoring.halo_features * footprint.stride + footprint.radius
    assert reach <= grid.halo < reach + grid.alignment


@pytest.mark.parametrize(
    ("settings", "columns", "text"),
    [
        (("tiles.lines=500",), 1024, "tiles.lines must be a multiple of 16 .*, got 500"),
        (("tiles.columns=1000",), 1024, "tiles.columns must be a multiple of 16"),
        ((), 71, "web.columns must be at least 72 columns wide, got 71"),
        (("backbone.name=alexnet",), 1024, "backbone.name must be one of .*, got 'alexnet'"),
    ],
)
def test_what_does_not_fit_is_a_fault_of_the_configuration(settings, columns, text):
    with pytest.raises(ConfigError, match=text):
        tile_grid(config(*settings), columns)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(2200, (768, 1024 + 256)), (1024, (768, 1024)), (1000, (768, 1000)), (1060, (768, 1064))],
)
def test_the_largest_tile_holds_core_and_halo(columns, expected):
    assert largest_tile(tile_grid(Config(), columns)) == expected
