"""Cameras from the configuration: where they are, what they are called, what does not fit."""

import numpy as np
import pytest
import yaml

from streamer import sources
from streamer.compose.cameras import (
    camera_index,
    camera_light,
    camera_names,
    camera_places,
    open_camera,
    tiles_endpoint,
    with_places,
)
from streamer.config import ConfigError, SimulatorSource
from streamer.config_file import load_config
from streamer.message import Interval
from streamer.sources.simulator import SimulatedWeb


def load(tmp_path, *settings, cameras=((100.0, 0.0),), columns=256):
    """A line of simulated cameras; 0.5 mm pixels."""
    side = [
        {
            "first_mm": first,
            "later_mm": later,
            "source": {"kind": "simulator", "camera": f"cam{n}", "columns": columns},
        }
        for n, (first, later) in enumerate(cameras, 1)
    ]
    file = tmp_path / "line.yaml"
    content = {"source": {"kind": "simulator", "columns": columns, "length_m": 1}, "cameras": side}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(file, settings)


def test_one_camera_is_the_whole_web(tmp_path):
    placed = with_places(load(tmp_path, cameras=()), (256,))
    assert (placed.web.columns, placed.web.seams) == (256, ())
    assert [(p.camera, p.columns) for p in camera_places(placed)] == [("cam0", Interval(0, 256))]
    assert camera_names(placed) == ("cam0",)


def test_cameras_share_the_web_at_seams_on_its_grid(tmp_path):
    config = load(tmp_path, "tiles.columns=128", cameras=((100, 0), (220, 0)))
    placed = with_places(config, (256, 256, 256))
    assert (placed.web.columns, placed.web.seams) == (696, (224, 448))
    places = camera_places(placed)
    assert [(p.camera, p.columns.first, p.first_lane) for p in places] == [
        ("cam0", 0, 0), ("cam1", 224, 2), ("cam2", 448, 4),
    ]  # fmt: skip
    assert with_places(placed, (256, 256, 256)) == placed


@pytest.mark.parametrize(
    ("settings", "widths", "text"),
    [
        ((), (200, 256), "cameras.first_mm does not fit: cameras must come left to right and over"),
        ((), (200, 201), "cameras.first_mm does not fit"),
        (
            ("web.columns=500",),
            (256, 256),
            "web.columns must be what the cameras show: 456, got 50",
        ),
        (("web.seams=[208]",), (256, 256), r"web.seams must be what the cameras show: \(224,\)"),
    ],
)
def test_cameras_that_do_not_fit_are_told(tmp_path, settings, widths, text):
    with pytest.raises(ConfigError, match=text):
        with_places(load(tmp_path, *settings), (widths[0] - 60 * (widths[0] == 200), widths[1]))


def test_stages_alone_need_the_places(tmp_path):
    with pytest.raises(
        ConfigError, match=r"web.columns and one of web.seams for each of 1 further"
    ):
        camera_places(load(tmp_path))


@pytest.mark.parametrize(
    ("cameras", "text"),
    [
        (((100, 0), (50, 0)), "cameras must come left to right, by first_mm, got 100, 50"),
        (((100, 0), (100, 0)), "left to right"),
    ],
)
def test_cameras_in_disorder_are_refused(tmp_path, cameras, text):
    with pytest.raises(ConfigError, match=text):
        load(tmp_path, cameras=cameras)


def test_names_must_differ(tmp_path):
    with pytest.raises(
        ConfigError, match=r"source.camera must differ between cameras, got cam1, c"
    ):
        load(tmp_path, "source.camera=cam1")


def test_a_profile_that_knows_places_is_of_one_camera(tmp_path):
    profile = "profile.file=some.safetensors"
    load(tmp_path, profile)
    for more in ("profile.band_features=8", "calibration.lanes=pooled"):
        with pytest.raises(ConfigError, match="is of one camera"):
            load(tmp_path, profile, more)


def test_a_camera_is_opened_at_its_share_and_its_line(tmp_path):
    placed = with_places(load(tmp_path, cameras=((100, 32),)), (256, 256))
    first, second = (open_camera(placed, name) for name in ("cam0", "cam1"))
    assert (first.format.columns, second.format.columns) == (224, 232)
    whole = open_camera(load(tmp_path, cameras=()), "cam0")
    buffer = np.empty((256, 256), np.uint8)
    pixels = np.concatenate([whole.read_into(buffer.copy()).pixels for _ in range(2)])
    assert np.array_equal(first.read_into(buffer).pixels, pixels[:256, :224])
    # The same web again, seen 64 lines later and from column 24 of the camera on.
    block = second.read_into(buffer)
    assert block.first_line == 0
    assert np.array_equal(block.pixels, pixels[64:320, 24:])
    later = open_camera(placed, "cam1", 100).read_into(buffer)
    assert later.first_line == 100
    assert np.array_equal(later.pixels, pixels[164:420, 24:])


def test_a_camera_that_shows_less_than_its_share_is_told(tmp_path):
    placed = with_places(load(tmp_path), (256, 300))
    with pytest.raises(ConfigError, match="camera cam1: source must show its columns 24 to 300"):
        open_camera(placed, "cam1")


def test_cameras_are_found_by_name(tmp_path):
    config = load(tmp_path)
    assert [camera_index(config, name) for name in ("", "cam0", "cam1")] == [0, 0, 1]
    with pytest.raises(ConfigError, match="camera must be one of cam0, cam1, got cam7"):
        camera_index(config, "cam7")


@pytest.mark.parametrize(
    ("given_first", "second"),
    [
        ("ipc:///tmp/x/tiles", "ipc:///tmp/x/tiles-1"),
        ("tcp://127.0.0.1:6001", "tcp://127.0.0.1:6002"),
    ],
)
def test_every_camera_hands_out_its_tiles_at_an_address_of_its_own(tmp_path, given_first, second):
    config = load(tmp_path, f"transport.tiles={given_first}")
    assert [tiles_endpoint(config, n) for n in range(2)] == [given_first, second]


def test_an_address_without_room_for_more_is_refused(tmp_path):
    for address in ("tcp://127.0.0.1:65535", "tcp://host:*"):
        with pytest.raises(ConfigError, match="must end in a port with room"):
            tiles_endpoint(load(tmp_path, f"transport.tiles={address}"), 1)


def test_margins_and_zones_are_of_the_whole_web(tmp_path):
    settings = (
        "edges.stream=fixed", "edges.margin_left_mm=8", "edges.margin_right_mm=16",
        "edges.ignore=[{first_mm: 40, end_mm: 48}, {first_mm: 120, end_mm: 128}]",
    )  # fmt: skip
    placed = with_places(load(tmp_path, *settings), (256, 256))
    buffer = np.empty((256, 256), np.uint8)
    masked = [open_camera(placed, name).read_into(buffer).masked for name in ("cam0", "cam1")]
    # cam0 inspects web columns 0 to 224, cam1 224 to 456; a pixel has half a millimetre.
    assert masked[0] == (Interval(0, 16), Interval(80, 96))
    assert masked[1] == (Interval(240 - 224, 256 - 224), Interval(424 - 224, 456 - 224))


def test_a_selvedge_is_of_one_camera(tmp_path):
    with pytest.raises(ConfigError, match="selvedge_mm must be 0 with several cameras, got 5"):
        load(tmp_path, "edges.stream=auto", "edges.selvedge_mm=5")


def test_a_light_file_is_of_one_camera(tmp_path):
    for name in ("left", "right"):
        (tmp_path / name).write_bytes(b"")
    first = f"light.file={tmp_path / 'left'}"
    with pytest.raises(ConfigError, match="light.file is of cam0 alone; .* must be set for cam1"):
        load(tmp_path, first)
    side = {"first_mm": 100, "source": {"kind": "simulator", "camera": "cam1"}}
    side["light"] = {"file": str(tmp_path / "right")}
    config = load(tmp_path, first, f"cameras={yaml.safe_dump([side], default_flow_style=True)}")
    assert [camera_light(config, n).file.name for n in range(2)] == ["left", "right"]


def test_what_is_said_of_light_without_a_file_is_said_of_all(tmp_path):
    config = load(tmp_path, "light.lamp_drift=slow", "light.black_level=2")
    assert camera_light(config, 1) == camera_light(config, 0) == config.light


def test_a_live_camera_begins_before_the_roll_when_the_web_reaches_it_later(tmp_path, monkeypatch):
    live = {"kind": "genicam", "camera": "cam1", "address": "10.0.0.2"}
    side = [{"first_mm": 100, "later_mm": 32, "source": live}]
    config = load(tmp_path, f"cameras={yaml.safe_dump(side, default_flow_style=True)}")
    opened = []

    def open_as_asked(settings, web, first_line, *_):
        opened.append(first_line)
        return SimulatedWeb(SimulatorSource(columns=256, length_m=1), web, first_line)

    monkeypatch.setattr(sources, "open_source", open_as_asked)
    placed = with_places(config, (256, 256))
    buffer = np.empty((256, 256), np.uint8)
    start = open_camera(placed, "cam1").read_into(buffer)
    # Its first 64 lines are web that the first camera never saw.
    assert (opened, start.first_line, start.valid_lines) == ([0], 0, 256 - 64)
    assert open_camera(placed, "cam1", 100).read_into(buffer).first_line == 100
    assert opened == [0, 164]
