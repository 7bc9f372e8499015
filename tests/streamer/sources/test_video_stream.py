"""A live stream: the newest pictures, each once; broken off, opened again, said so."""

import threading
import time

import cv2
import numpy as np
import pytest

from streamer.config import ConfigError
from streamer.config_file import load_config
from streamer.sources import video_stream
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.video_stream import (
    MOST_WAITING,
    StreamClock,
    StreamError,
    StreamPlan,
    VideoStream,
    full_address,
)

PLAN = StreamPlan("cam0", "rtsp://camera/live", True, 1.0, 0.2, 0.02)


class Feed:
    """A camera that shows what the test puts; a stand-in for cv2.VideoCapture, one a connection."""

    def __init__(self):
        self.pictures, self.opened, self.released, self.times_ms = [], 0, 0, {}
        self.news = threading.Condition()

    def __call__(self, plan):
        self.opened += 1
        return self

    def put(self, *pictures):
        with self.news:
            self.pictures += pictures
            self.news.notify()

    def read(self):
        with self.news:
            self.news.wait_for(lambda: self.pictures, 0.2)
            self.shown = self.pictures.pop(0) if self.pictures else None
        if self.shown is not None and self.times_ms:
            time.sleep(0.02 if self.shown.max() > 5 else 0)
        return self.shown is not None, self.shown

    def get(self, what):
        assert what == cv2.CAP_PROP_POS_MSEC
        return self.times_ms.get(int(self.shown.max()), 0.0) if self.shown is not None else 0.0

    def release(self):
        self.released += 1


def grey(value, shape=(4, 6)):
    return np.full(shape, value, np.uint8)


@pytest.fixture
def feed():
    made = Feed()
    # Without a clock three pictures are read to see that there is none.
    made.put(grey(0), grey(0), grey(0))
    return made


@pytest.fixture
def stream(feed):
    opened = VideoStream(PLAN, feed)
    yield opened
    opened.close()


def read(stream):
    item = stream.read_frame(2.0)
    assert item is not None
    return item


def until(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_the_first_picture_tells_the_format_and_is_delivered(stream):
    assert (stream.format.columns, stream.format.channels, stream.lines) == (6, 1, 4)
    first = read(stream)
    assert (first.camera, first.valid_lines, first.pixels.max()) == ("cam0", 4, 0)
    assert abs(first.captured_ns - time.time_ns()) < 5e9
    assert stream.truth == b""


def test_only_the_newest_pictures_wait_and_the_others_are_counted(feed, stream):
    feed.put(*(grey(n) for n in range(1, 9)))
    until(lambda: stream.health["frames"] == 9)
    assert [read(stream).pixels.max() for _ in range(MOST_WAITING)] == [5, 6, 7, 8]
    assert stream.health["superseded"] == 5
    assert stream.read_frame(0.01) is None


def test_colour_comes_as_rgb_or_grey(feed):
    blue = np.zeros((4, 6, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV has blue first
    feed.pictures[:] = [blue] * 3
    colour = VideoStream(StreamPlan("cam0", "rtsp://x/y", False, 1.0, 0.2), feed)
    assert read(colour).pixels[0, 0].tolist() == [0, 0, 255]
    assert colour.format.channels == 3
    colour.close()


def test_a_broken_stream_is_opened_again_and_the_break_comes_before_its_pictures(feed, stream):
    before = read(stream)
    feed.put(None)
    until(lambda: stream.health["connected"] == 0)
    assert stream.read_frame(0.01) is None
    feed.put(grey(9), grey(9), grey(9))
    broken, frame = read(stream), read(stream)
    assert isinstance(broken, FrameBreak)
    assert broken.since_ns == before.captured_ns
    assert broken.captured_ns <= frame.captured_ns
    assert broken.detail == "the stream broke off"
    assert isinstance(frame, Frame)
    assert frame.pixels.max() == 9
    assert stream.health["reconnects"] == 1
    assert stream.health["connected"] == 1
    assert feed.released >= 1


def test_a_picture_that_nobody_took_before_the_break_is_not_delivered_after_it(feed, stream):
    feed.put(grey(1), None)
    until(lambda: stream.health["connected"] == 0)
    feed.put(grey(2), grey(2), grey(2))
    until(lambda: stream.health["connected"] == 1)
    assert isinstance(read(stream), FrameBreak)
    assert read(stream).pixels.max() == 2


def test_a_camera_that_changes_its_size_is_away_until_it_has_the_old_one_again(feed, stream):
    read(stream)
    feed.put(*[grey(1, (5, 6))] * 4)
    until(lambda: stream.health["connected"] == 0)
    feed.put(grey(3), grey(3), grey(3))
    broken = read(stream)
    assert broken.detail == "picture of (5, 6)"
    assert read(stream).pixels.max() == 3


def test_closing_ends_the_thread_even_while_the_camera_is_away(feed):
    stream = VideoStream(PLAN, feed)
    feed.put(None)
    until(lambda: stream.health["connected"] == 0)
    stream.close()
    assert not stream._thread.is_alive()


def test_a_stream_without_a_picture_is_an_explained_error():
    feed = Feed()
    with pytest.raises(
        StreamError, match=r"source.address must show a picture within 1 s, got none"
    ):
        VideoStream(PLAN, feed)
    assert feed.released == 1


def stamps(*arrivals):
    clock = StreamClock()
    return [clock.stamp(ms, at * 1_000_000) // 1_000_000 for ms, at in arrivals]


def test_pictures_lie_as_far_apart_as_their_stream_says_though_they_arrive_in_a_burst():
    arrivals = [(40, 1000), (80, 1050), (120, 1300), (160, 1301), (200, 1302)]
    assert stamps(*arrivals) == [1000, 1040, 1080, 1120, 1160]


def test_a_first_picture_that_had_waited_is_made_up_for_slowly():
    # The first ones come at once, though the stream says that they are 40 ms apart.
    told = stamps(*((40 * n, 1000 + n) for n in range(1, 11)))
    assert set(np.diff(told).tolist()) <= {39, 40}
    assert told[-1] == pytest.approx(1001 + 9 * 39.2, abs=2)
    later = stamps((40, 1000), (80, 1001), *((40 * n, 1001 + 40 * (n - 2)) for n in range(3, 100)))
    assert later[-1] <= 1001 + 40 * 97 + 2


@pytest.mark.parametrize("times", [(0, 0, 0), (-1, -1, -1), (40, 9_000, 9_000), (900, 40, 40)])
def test_a_stream_without_a_clock_or_with_a_wrong_one_goes_by_arrival(times):
    assert stamps(*zip(times, (10, 20, 30), strict=True)) == [10, 20, 30]


def test_pictures_that_piled_up_before_the_stream_was_open_are_left_out(feed):
    feed.times_ms = {n: 40.0 * max(n - 1, 0) for n in range(10)}  # the first two share their time
    feed.pictures[:] = [grey(n) for n in range(10)]
    opened = VideoStream(PLAN, feed)
    until(lambda: opened.health["frames"] == 4)  # 6 is the first that took its time, then 7 to 9
    assert [read(opened).pixels.max() for _ in range(4)] == [6, 7, 8, 9]
    opened.close()


def test_user_and_password_come_from_the_environment(monkeypatch):
    plan = StreamPlan("cam0", "rtsp://camera:554/live", True, credentials_variable="CAMERA_LOGIN")
    monkeypatch.setenv("CAMERA_LOGIN", "op:p@ss/word")
    assert full_address(plan) == "rtsp://op:p%40ss%2Fword@camera:554/live"
    monkeypatch.delenv("CAMERA_LOGIN")
    with pytest.raises(StreamError, match="CAMERA_LOGIN must hold user:password"):
        full_address(plan)
    assert full_address(PLAN) == PLAN.address


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("rtsp://op:secret@camera/live", "address must hold no user and password"),
        ("ftp://camera/live", "address"),
        ("/dev/null", "address"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(address, text):
    with pytest.raises(ConfigError, match=text):
        load_config(
            None, ("source.kind=stream", f"source.address={address}", "source.allow_lossy=1")
        )


def test_the_loss_of_a_network_stream_must_be_allowed():
    settings = ("source.kind=stream", "source.address=rtsp://camera/live")
    with pytest.raises(ConfigError, match="allow_lossy must be true for a network stream"):
        load_config(None, settings)
    load_config(None, (*settings, "source.allow_lossy=true"))
    load_config(None, ("source.kind=stream", "source.address=/dev/video0"))


def test_a_device_is_opened_by_v4l2_and_a_url_by_ffmpeg_with_its_limits(monkeypatch):
    calls = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: calls.append(given))
    video_stream.open_capture(StreamPlan("cam0", "/dev/video0", True))
    video_stream.open_capture(PLAN)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 1000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 200]
    assert calls == [
        ("/dev/video0", cv2.CAP_V4L2), ("rtsp://camera/live", cv2.CAP_FFMPEG, limits),
    ]  # fmt: skip
