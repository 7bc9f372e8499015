"""Cameras behind a GenTL producer, with the demo producer that comes with GenApi's own package."""

import time
from contextlib import closing
from pathlib import Path

import genicam
import numpy as np
import pytest

from streamer.camera_sections import GentlSource
from streamer.config import Config, Web
from streamer.message import LineBlock
from streamer.sources.camera_lines import open_camera_lines
from streamer.sources.camera_port import CameraFault
from streamer.sources.frame import Frame
from streamer.sources.gentl import open_gentl

PRODUCER = Path(genicam.__file__).parent / "viky.cti"


def source(**keys):
    chosen = {"producer": PRODUCER, "serial": "1", "pixel_format": "Mono8"}
    return GentlSource(**(chosen | keys))


def read(camera, count, limit_s=20.0):
    items, deadline = [], time.monotonic() + limit_s
    while len(items) < count and time.monotonic() < deadline:
        item = camera.read_frame(0.5)
        if item is not None:
            items.append(item)
    assert len(items) == count
    return items


def test_frames_come_in_order_as_configured():
    with closing(open_gentl(source(columns=320, frame_lines=240))) as camera:
        frames = read(camera, 5)
        assert camera.format.columns == 320
        assert "Viky 1" in camera.format.description
        assert camera.health["underruns"] == 0
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [frame.pixels.shape for frame in frames] == [(240, 320)] * 5
    assert [frame.valid_lines for frame in frames] == [240] * 5
    first = frames[0].frame_id
    assert [frame.frame_id for frame in frames] == list(range(first, first + 5))
    assert any(frame.pixels.any() for frame in frames)


def test_the_lines_follow_each_other():
    with closing(open_camera_lines(source(), Web())) as lines:
        end, deadline = 0, time.monotonic() + 20
        while end < 2000 and time.monotonic() < deadline:
            piece = lines.read_into(np.empty((1, 400), np.uint8))
            assert isinstance(piece, LineBlock)
            assert piece.first_line == end
            end += piece.valid_lines
    assert end >= 2000


def test_a_camera_can_be_opened_again_after_it_was_closed():
    for _ in range(2):
        with closing(open_gentl(source())) as camera:
            assert read(camera, 1)[0].valid_lines > 0
        camera.close()
        with pytest.raises(EOFError):
            camera.read_frame(0.1)


def test_what_cannot_be_opened_is_explained(tmp_path):
    with pytest.raises(CameraFault, match=r"source.serial 77 must be .* got \['0', '1', '2'\]"):
        open_gentl(source(serial="77"))
    with pytest.raises(CameraFault, match=r"source.producer must open the camera"):
        open_gentl(source(producer=tmp_path / "none.cti"))
    with pytest.raises(ValueError, match=r"source.pixel_format .* it accepts RGBa8, Mono8"):
        open_gentl(source(pixel_format="Mono12"))
    with pytest.raises(ValueError, match="got .RGBa8"):
        open_gentl(source(pixel_format="RGBa8"))


def test_the_section_is_part_of_the_configuration():
    content = {"kind": "gentl", "producer": str(PRODUCER), "serial": "0"}
    assert Config.model_validate({"source": content}).source.producer == PRODUCER
