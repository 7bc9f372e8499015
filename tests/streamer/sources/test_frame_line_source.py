"""A camera's frames as a line source: never hangs, never copies, ends in order."""

import numpy as np
import pytest

from streamer.message import LineBlock
from streamer.ports import WebFormat
from streamer.sources.frame_line_source import FrameLineSource

BUFFER = np.empty((16, 3), np.uint16)


class ScriptedCamera:
    """Sends `script`: frames, breaks, and None when nothing comes in time; then it ends."""

    def __init__(self, script):
        self.script = list(script)
        self.format = WebFormat(3, 1, 16, "script")
        self.truth = b"{}"
        self.health = {"temperature_c": 40.0}
        self.closed = 0
        self.timeouts_s = []

    def read_frame(self, timeout_s):
        self.timeouts_s.append(timeout_s)
        if not self.script:
            raise EOFError
        return self.script.pop(0)

    def close(self):
        self.closed += 1


def read_all(source, limit=100):
    pieces = []
    for _ in range(limit):
        piece = source.read_into(BUFFER)
        if piece is None:
            return pieces
        pieces.append(piece)
    pytest.fail("the source does not end")


def test_lines_and_losses_come_in_order_and_then_the_end(toy) -> None:
    camera = ScriptedCamera([toy.numbered(0), toy.numbered(2), toy.numbered(3, 4)])
    source = FrameLineSource(camera, toy.PLAIN)
    pieces = [p for p in read_all(source) if not isinstance(p, LineBlock) or p.valid_lines]
    assert toy.summary(pieces) == [
        (0, 16),
        (16, 32, "camera_loss"),
        (32, 52),
        (52, 64, "partial_frame"),
    ]
    assert source.read_into(BUFFER) is None


def test_pixels_are_not_copied(toy) -> None:
    frame = toy.numbered(0)
    block = FrameLineSource(ScriptedCamera([frame]), toy.PLAIN).read_into(BUFFER)
    assert np.shares_memory(block.pixels, frame.pixels)


def test_a_silent_camera_gives_blocks_of_no_lines(toy) -> None:
    camera = ScriptedCamera([None, toy.numbered(0), None])
    source = FrameLineSource(camera, toy.PLAIN, 7, read_timeout_s=0.125)
    pieces = read_all(source)
    assert [(p.first_line, p.valid_lines, len(p.pixels)) for p in pieces] == [
        (7, 0, 0),
        (7, 16, 16),
        (23, 0, 0),
    ]
    assert pieces[0].pixels.shape == (0, 3)
    assert set(camera.timeouts_s) == {0.125}


def test_a_web_that_stands_still_does_not_hold_the_reader(toy) -> None:
    standing = [toy.encoded(n, [16] * 16) for n in range(1, 50)]
    source = FrameLineSource(ScriptedCamera([toy.encoded(0, range(16)), *standing]), toy.ENCODER)
    assert [p.valid_lines for p in read_all(source)] == [16, 1, *([0] * 48)]


def test_frames_that_wait_are_given_out_when_nothing_comes(toy) -> None:
    source = FrameLineSource(ScriptedCamera([toy.numbered(0), toy.numbered(2), None]), toy.PLAIN)
    assert source.read_into(BUFFER).valid_lines == 16
    assert source.read_into(BUFFER).valid_lines == 0
    assert source.read_into(BUFFER).line_count == 16
    assert source.read_into(BUFFER).first_line == 32


def test_a_clock_of_this_machine_can_stamp_what_is_delivered(toy) -> None:
    source = FrameLineSource(ScriptedCamera([toy.numbered(0)]), toy.PLAIN, restamp_ns=lambda: 77)
    assert source.read_into(BUFFER).captured_ns == 77


def test_health_is_the_cameras_and_the_counts(toy) -> None:
    source = FrameLineSource(ScriptedCamera([toy.numbered(0), toy.numbered(0)]), toy.PLAIN)
    read_all(source)
    assert source.health["temperature_c"] == 40.0
    assert source.health["duplicate_frames"] == 1
    assert source.counts.delivered_lines == 16
    assert source.truth == b"{}"
    assert source.format.columns == 3


def test_closing_ends_it(toy) -> None:
    camera = ScriptedCamera([toy.numbered(n) for n in range(3)])
    source = FrameLineSource(camera, toy.PLAIN)
    source.read_into(BUFFER)
    source.close()
    source.close()
    assert source.read_into(BUFFER) is None
    assert camera.closed == 2
