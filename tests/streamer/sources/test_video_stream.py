"""A live stream: the newest picture, each once; broken off, opened again, said so."""

import threading
import time

import cv2
import numpy as np
import pytest

from streamer.config import ConfigError
from streamer.config_file import load_config
from streamer.sources import video_stream
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.video_stream import StreamError, StreamPlan, VideoStream, full_address

PLAN = StreamPlan("cam0", "rtsp://camera/live", True, 1.0, 0.2, 0.02)


class Feed:
    """A camera that shows what the test puts; a stand-in for cv2.VideoCapture, one a connection."""

    def __init__(self):
        self.pictures, self.opened, self.released = [], 0, 0
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
            picture = self.pictures.pop(0) if self.pictures else None
        return picture is not None, picture

    def release(self):
        self.released += 1


def grey(value, shape=(4, 6)):
    return np.full(shape, value, np.uint8)


@pytest.fixture
def feed():
    made = Feed()
    made.put(grey(0))
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


def test_only_the_newest_picture_is_delivered_and_the_others_are_counted(feed, stream):
    feed.put(*(grey(n) for n in range(1, 6)))
    until(lambda: stream.health["frames"] == 6)
    assert read(stream).pixels.max() == 5
    assert stream.health["superseded"] == 5
    assert stream.read_frame(0.01) is None


def test_colour_comes_as_rgb_or_grey(feed):
    blue = np.zeros((4, 6, 3), np.uint8)
    blue[..., 0] = 255  # OpenCV has blue first
    feed.pictures[:] = [blue]
    colour = VideoStream(StreamPlan("cam0", "rtsp://x/y", False, 1.0, 0.2), feed)
    assert read(colour).pixels[0, 0].tolist() == [0, 0, 255]
    assert colour.format.channels == 3
    colour.close()


def test_a_broken_stream_is_opened_again_and_the_break_comes_before_its_pictures(feed, stream):
    before = read(stream)
    feed.put(None)
    until(lambda: stream.health["connected"] == 0)
    assert stream.read_frame(0.01) is None
    feed.put(grey(9))
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
    feed.put(grey(2))
    until(lambda: stream.health["connected"] == 1)
    assert isinstance(read(stream), FrameBreak)
    assert read(stream).pixels.max() == 2


def test_a_camera_that_changes_its_size_is_away_until_it_has_the_old_one_again(feed, stream):
    read(stream)
    feed.put(grey(1, (5, 6)), grey(2, (5, 6)))
    until(lambda: stream.health["connected"] == 0)
    feed.put(grey(3))
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
