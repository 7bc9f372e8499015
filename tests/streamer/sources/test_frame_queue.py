"""Frames wait in order; what does not fit is dropped and counted; a broken driver is told."""

import threading
import time

import pytest

from streamer.sources.camera_port import CameraFault
from streamer.sources.frame_queue import FrameQueue


class Script:
    """Delivers its items one by one, then nothing; an exception among them is raised."""

    def __init__(self, *items):
        self.items = list(items)
        self.delivered = threading.Event()

    def __call__(self, timeout_s):
        if not self.items:
            self.delivered.set()
            time.sleep(min(timeout_s, 0.01))
            return None
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


def test_frames_come_in_order_with_the_time_of_their_arrival():
    before_ns = time.time_ns()
    frames = FrameQueue(Script(1, None, 2, 3), 8)
    taken = [frames.take(1.0) for _ in range(3)]
    assert [frame for frame, _ in taken] == [1, 2, 3]
    times = [arrived_ns for _, arrived_ns in taken]
    assert before_ns <= times[0] <= times[1] <= times[2] <= time.time_ns()
    assert frames.take(0.05) is None
    assert frames.stop()


def test_frames_beyond_the_depth_are_dropped_and_counted_and_the_oldest_stay():
    script = Script(*range(10))
    frames = FrameQueue(script, 4)
    assert script.delivered.wait(2.0)
    assert frames.dropped == 6
    assert [frames.take(0.5)[0] for _ in range(4)] == [0, 1, 2, 3]
    assert frames.stop()


def test_the_frames_before_a_fault_are_taken_first():
    frames = FrameQueue(Script(1, 2, CameraFault("unplugged")), 8)
    assert [frames.take(1.0)[0] for _ in range(2)] == [1, 2]
    with pytest.raises(CameraFault, match="unplugged"):
        frames.take(1.0)
    with pytest.raises(CameraFault, match="unplugged"):
        frames.take(0.0)


def test_take_waits_about_as_long_as_it_is_told_and_stop_ends_the_thread():
    frames = FrameQueue(Script(), 2)
    started_s = time.monotonic()
    assert frames.take(0.3) is None
    assert 0.1 < time.monotonic() - started_s < 2.0
    assert frames.stop()
    with pytest.raises(CameraFault, match="ended"):
        frames.take(1.0)
