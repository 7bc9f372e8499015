"""A camera's frames as a line source: never hangs, never copies, ends in order."""

import numpy as np
import pytest

from streamer.message import GapReason, LineBlock
from streamer.ports import WebFormat
from streamer.sources.frame import FrameBreak
from streamer.sources.frame_line_source import FrameLineSource
from streamer.sources.live import Live

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


def test_a_resumed_live_web_is_lost_up_to_its_first_frame(toy) -> None:
    # Captured at 10 s, 16 lines before it at 1 kHz: the frame's first line is 16 ms earlier.
    frame = toy.numbered(5, captured_ns=10_000_000_000)
    live = Live(since_ns=7_000_000_000)
    source = FrameLineSource(ScriptedCamera([frame, toy.numbered(6)]), toy.PLAIN, 300, live=live)
    loss, block, *_ = read_all(source)
    assert (loss.first_line, loss.line_count) == (300, 3000 - 16)
    assert loss.reason is GapReason.CAMERA_LOSS
    assert loss.detail == "2984 lines by elapsed time; capture was restarted"
    assert (block.first_line, block.valid_lines) == (3284, 16)


def test_a_live_source_that_is_stopped_says_what_is_lost_by_then_and_ends(toy) -> None:
    asked: list[bool] = []
    live = Live(0, lambda: bool(asked), lambda: 2_016_000_000)
    away = FrameBreak("cam0", 16_000_000, 516_000_000, detail="lost", is_ongoing=True)
    source = FrameLineSource(
        ScriptedCamera([toy.numbered(0), away, None, None]), toy.PLAIN, live=live
    )
    first = [source.read_into(BUFFER) for _ in range(3)]
    assert (first[1].first_line, first[1].line_count) == (16, 500)
    asked.append(True)
    (rest,) = read_all(source)
    assert (rest.first_line, rest.line_count, rest.captured_ns) == (516, 1500, 2_016_000_000)
    assert source.read_into(BUFFER) is None


def test_a_stop_before_the_first_frame_of_a_resumed_web_loses_what_has_passed(toy) -> None:
    live = Live(1_000_000_000, lambda: True, lambda: 1_250_000_000)
    (loss,) = read_all(FrameLineSource(ScriptedCamera([]), toy.PLAIN, 40, live=live))
    assert (loss.first_line, loss.line_count) == (40, 250)


def test_a_stop_while_the_camera_sends_loses_nothing(toy) -> None:
    frames = [toy.numbered(0)]
    live = Live(0, lambda: not frames, lambda: 10**15)
    camera = ScriptedCamera(frames)
    camera.script = frames
    pieces = read_all(FrameLineSource(camera, toy.PLAIN, live=live))
    assert toy.summary(pieces) == [(0, 16)]
