"""The client library against its own simulated cameras: loss, lost control, chunks, temperature."""

import struct
import time
from contextlib import closing

import numpy as np
import pytest
from viva_genicam.testing import FakeGigeCamera, FakeU3vCamera

from streamer.camera_sections import ChunkNames, GenicamSource
from streamer.config import Web
from streamer.message import GapReason, LineBlock, LineLoss
from streamer.sources.camera_lines import line_rules
from streamer.sources.camera_port import CameraFault
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.frame_line_source import FrameLineSource
from streamer.sources.genicam import GenicamCamera
from streamer.sources.genicam_viva import VivaDriver, VivaSession, open_genicam

LINES, COLUMNS = 64, 2048
PACKETS = 91  # of 1500 bytes, for a frame


def source(**keys):
    return GenicamSource(**({"address": "127.0.0.1", "packet_size": "camera"} | keys))


def fake(**keys):
    return FakeGigeCamera(**({"width": COLUMNS, "height": LINES, "fps": 40} | keys))


def read(camera, count, limit_s=15.0):
    items, deadline = [], time.monotonic() + limit_s
    while len(items) < count and time.monotonic() < deadline:
        item = camera.read_frame(0.2)
        if item is not None:
            items.append(item)
    assert len(items) == count
    return items


def test_packets_that_can_be_had_again_cost_nothing():
    lost = [(3, 5), (4, 1), (5, 2), (5, 3)]
    with fake(drop_packets=lost), closing(open_genicam(source())) as camera:
        frames = read(camera, 10)
        time.sleep(1.2)
        read(camera, 1)
        assert [frame.frame_id for frame in frames] == list(range(1, 11))
        assert all(frame.valid_lines == LINES for frame in frames)
        assert camera.health["resends_recovered"] == len(lost)
        assert camera.health["missing_packets"] == 0


def test_packets_that_are_lost_leave_the_lines_before_them():
    lost = [(3, 40), (4, 60), (4, 70), (5, 1), (6, 0)]
    dropped = fake(drop_packets=lost, packet_resend=False)
    with dropped, closing(open_genicam(source())) as camera:
        frames = read(camera, 9)
        assert [frame.frame_id for frame in frames] == list(range(1, 10))
        valid = [frame.valid_lines for frame in frames]
        assert valid[:2] == valid[6:8] == [LINES, LINES]
        assert 25 <= valid[2] <= 28  # 39 packets of 1464 bytes are 27.9 lines
        assert 40 <= valid[3] <= 42
        assert valid[4] == 0
        assert all(len(frame.pixels) == LINES for frame in frames)
        assert camera.health["incomplete_frames"] == 4


def test_the_lines_of_a_lossy_camera_have_no_hole_without_a_name():
    rng = np.random.default_rng(1)
    lost = [(int(block), int(rng.integers(0, PACKETS))) for block in range(2, 40, 3)]
    settings = source()
    dropped = fake(drop_packets=lost, packet_resend=False)
    frames = 40 * LINES
    with dropped:
        lines = FrameLineSource(open_genicam(settings), line_rules(settings, Web()))
        with closing(lines):
            end, losses, deadline = 0, [], time.monotonic() + 20
            while end < frames and time.monotonic() < deadline:
                piece = lines.read_into(np.empty((1, COLUMNS), np.uint8))
                assert piece is not None
                assert piece.first_line == end
                if isinstance(piece, LineLoss):
                    losses.append(piece)
                    end += piece.line_count
                elif isinstance(piece, LineBlock):
                    end += piece.valid_lines
    assert end >= frames
    assert len(losses) >= len(lost) - 1
    assert {loss.reason for loss in losses} <= {GapReason.PARTIAL_FRAME, GapReason.CAMERA_LOSS}


def test_a_camera_whose_control_was_taken_is_found_again():
    with fake() as device, closing(open_genicam(source(stall_s=0.5))) as camera:
        read(camera, 3)
        device.revoke_control()
        items, deadline = [], time.monotonic() + 20
        while time.monotonic() < deadline:
            item = camera.read_frame(0.2)
            if item is not None:
                items.append(item)
            if camera.health["reconnects"] and isinstance(items[-1], Frame):
                break
        kinds = [type(item) for item in items]
        assert kinds.count(FrameBreak) == 2
        assert kinds[-1] is Frame
        assert camera.health["connected"] == 1


def test_a_camera_in_use_is_said_to_be():
    with (
        fake(),
        closing(open_genicam(source())),
        pytest.raises(CameraFault, match="another program"),
    ):
        open_genicam(source())


def test_settings_reach_the_camera_and_chunks_come_back():
    chunks = ChunkNames(frame="ChunkFrameID")
    settings = source(columns=1024, frame_lines=32, exposure_us=123, gain=3, chunks=chunks)
    with fake() as device, closing(open_genicam(settings)) as camera:
        frame, following = read(camera, 2)
        registers = device.REGISTERS
        assert frame.pixels.shape == (32, 1024)
        assert camera.format.columns == 1024
        assert following.frame_id == frame.frame_id + 1
        assert 30 < camera.health["temperature_c"] < 60
        assert device.peek(registers["ExposureTime"], 8) == struct.pack(">d", 123.0)
        assert camera.health["packet_bytes"] == 1500
        assert "VIVA-FAKE-001" in camera.format.description


def test_larger_packets_are_negotiated_where_the_way_takes_them():
    with fake(), closing(open_genicam(source(packet_size="auto"))) as camera:
        read(camera, 1)
        assert camera.health["packet_bytes"] > 1500
    with fake(), closing(open_genicam(source(packet_size=1000))) as camera:
        read(camera, 1)
        assert camera.health["packet_bytes"] == 1000


def test_frames_that_nobody_takes_are_underruns():
    with fake(fps=100, height=16), closing(open_genicam(source(buffer_frames=2))) as camera:
        (first,) = read(camera, 1)
        time.sleep(1.0)
        later = read(camera, 8)
        assert camera.health["underruns"] > 0
        assert later[-1].frame_id - first.frame_id > 20


def test_nobody_at_the_address_or_of_the_serial_number_is_a_fault():
    with pytest.raises(
        CameraFault, match=r"source.address 127.0.0.99 must be a camera that answers"
    ):
        open_genicam(source(address="127.0.0.99"))
    with fake(), pytest.raises(CameraFault, match="source.serial NONE must be"):
        open_genicam(source(address=None, serial="NONE"))
    with pytest.raises(CameraFault, match=r"source.interface must be a network interface"):
        open_genicam(source(interface="nonsense0"))


def test_a_camera_is_found_by_its_serial_number():
    with fake(), closing(open_genicam(source(address=None, serial="VIVA-FAKE-001"))) as camera:
        assert read(camera, 1)[0].frame_id == 1


class UsbDriver:
    """Opens the simulated USB3 Vision camera, which no enumeration finds."""

    def __init__(self, device, settings):
        self.device = device
        self.settings = settings

    def open(self):
        return VivaSession(self.device.connect(), self.settings)


def test_usb3_vision_takes_the_same_way():
    settings = GenicamSource(transport="usb3", serial="any", columns=320)
    driver = UsbDriver(FakeU3vCamera(width=640, height=480), settings)
    with closing(GenicamCamera(driver, settings, "cam0")) as camera:
        frames = read(camera, 5)
        assert [frame.pixels.shape for frame in frames] == [(480, 320)] * 5
        assert len({frame.frame_id for frame in frames}) == 5
        assert driver.device.acquiring()
    assert not driver.device.acquiring()


def test_closing_gives_the_camera_back_at_once():
    with fake() as device:
        camera = open_genicam(source())
        read(camera, 1)
        assert device.controller() is not None
        camera.close()
        assert device.controller() is None
        camera.close()
        with pytest.raises(EOFError):
            camera.read_frame(0.1)
        open_genicam(source()).close()
    assert isinstance(VivaDriver(source()).settings, GenicamSource)
