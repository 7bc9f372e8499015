"""Pictures of a network or desk camera through OpenCV; knows no web and no motion."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import cv2

from streamer.ports import WebFormat
from streamer.sources.frame import Frame, FrameBreak

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.message import PixelArray

_LOG = logging.getLogger(__name__)
MOST_BACKOFF_S = 8.0


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Where the pictures come from, and how long to wait for them.

    `address` is a URL (rtsp, http, https) or the path of a V4L2 device; the user and password for
    it are in the environment variable `credentials_variable`, as user:password. A first try to
    connect again comes after `reconnect_s`, each further one after twice as long, MOST_BACKOFF_S
    at most.
    """

    camera: str
    address: str
    grey: bool
    open_timeout_s: float = 10.0
    read_timeout_s: float = 2.0
    reconnect_s: float = 0.5
    credentials_variable: str | None = None


class StreamError(OSError):
    """A stream cannot be opened."""


class VideoStream:
    """The newest picture of a live stream; see frame.FrameSource.

    A thread takes every picture off the stream as it arrives, and a newer one replaces one that
    nobody has asked for: what is read is never older than the last read. When the stream breaks
    off, it is opened again until that succeeds, and a FrameBreak comes before its next picture.
    """

    def __init__(
        self, plan: StreamPlan, capture: Callable[[StreamPlan], cv2.VideoCapture] | None = None
    ) -> None:
        """Open the stream and wait for its first picture, which tells the format.

        Raises:
            StreamError: there is no stream, or no picture within the time; the text names it.
        """
        self._plan = plan
        self._capture = capture or open_capture
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._frame: Frame | None = None
        self._broken: FrameBreak | None = None
        self._counts = {"frames": 0, "superseded": 0, "reconnects": 0, "connected": 1}
        stream, pixels = self._open_first()
        lines, columns, *channels = pixels.shape
        self._shape = pixels.shape
        text = f"{plan.address}, {columns} x {lines}"
        self._format = WebFormat(columns, channels[0] if channels else 1, 8, text)
        self._last_ns = time.time_ns()
        self._put(pixels)
        self._thread = threading.Thread(
            target=self._run, args=(stream,), name="stream", daemon=True
        )
        self._thread.start()

    @property
    def format(self) -> WebFormat:
        """Width and channels of a picture; see frame.FrameSource."""
        return self._format

    @property
    def truth(self) -> bytes:
        """b"": nobody knows what it shows."""
        return b""

    @property
    def lines(self) -> int:
        """Height of a picture in pixels."""
        return int(self._shape[0])

    @property
    def health(self) -> Mapping[str, float]:
        """Pictures that came and were replaced unread, connections made anew, whether connected."""
        with self._news:
            return {name: float(count) for name, count in self._counts.items()}

    def read_frame(self, timeout_s: float) -> Frame | FrameBreak | None:
        """The newest picture, each once; see frame.FrameSource. A live stream has no end."""
        with self._news:
            self._news.wait_for(lambda: self._frame is not None, timeout_s)
            if self._broken is not None and self._frame is not None:
                told, self._broken = self._broken, None
                return told
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Ask the thread to let go of the stream; one that hangs in a read is left to itself."""
        self._closing.set()
        self._thread.join(self._plan.read_timeout_s + 1)

    def _open_first(self) -> tuple[cv2.VideoCapture, PixelArray]:
        stream = self._capture(self._plan)
        pixels = self._read(stream)
        if pixels is None:
            stream.release()
            msg = (
                f"source.address must show a picture within {self._plan.open_timeout_s:g} s, got "
                f"none from {self._plan.address}; check address, cable and password"
            )
            raise StreamError(msg)
        return stream, pixels

    def _read(self, stream: cv2.VideoCapture) -> PixelArray | None:
        """The next picture, grey if asked for; None when the stream has broken off."""
        came, pixels = stream.read()
        if not came or pixels is None:
            return None
        is_colour = pixels.ndim == 3
        if is_colour:
            code = cv2.COLOR_BGR2GRAY if self._plan.grey else cv2.COLOR_BGR2RGB
            pixels = cv2.cvtColor(pixels, code)
        return pixels

    def _run(self, stream: cv2.VideoCapture) -> None:
        """Take pictures until closed; open the stream anew as often as it breaks off."""
        while not self._closing.is_set():
            pixels = self._read(stream)
            if pixels is not None and pixels.shape == self._shape:
                self._put(pixels)
                continue
            fault = "the stream broke off" if pixels is None else f"picture of {pixels.shape}"
            stream.release()
            reopened = self._reopen(fault)
            if reopened is None:
                return
            stream = reopened
        stream.release()

    def _reopen(self, fault: str) -> cv2.VideoCapture | None:
        """The stream once it shows pictures of the known size again; None when closed meanwhile."""
        plan, since_ns, backoff_s = self._plan, self._last_ns, self._plan.reconnect_s
        _LOG.warning("%s: %s; connecting again", plan.address, fault)
        with self._news:
            self._counts["connected"] = 0
        while not self._closing.wait(backoff_s):
            stream = self._capture(plan)
            pixels = self._read(stream)
            if pixels is not None and pixels.shape == self._shape:
                self._mend(since_ns, fault)
                self._put(pixels)
                return stream
            stream.release()
            backoff_s = min(2 * backoff_s, MOST_BACKOFF_S)
        return None

    def _mend(self, since_ns: int, fault: str) -> None:
        now_ns = time.time_ns()
        _LOG.warning("%s: back after %.1f s", self._plan.address, (now_ns - since_ns) / 1e9)
        with self._news:
            self._counts["connected"], self._frame = 1, None
            self._counts["reconnects"] += 1
            since_ns = self._broken.since_ns if self._broken else since_ns
            self._broken = FrameBreak(self._plan.camera, since_ns, now_ns, detail=fault)

    def _put(self, pixels: PixelArray) -> None:
        now_ns = time.time_ns()
        with self._news:
            self._counts["superseded"] += self._frame is not None
            self._counts["frames"] += 1
            number = self._counts["frames"]
            camera, lines = self._plan.camera, len(pixels)
            self._frame = Frame(camera, pixels, lines, now_ns, frame_id=number)
            self._last_ns = now_ns
            self._news.notify_all()


def full_address(plan: StreamPlan) -> str:
    """The address with user and password, if there are any.

    Raises:
        StreamError: the environment does not have the variable.
    """
    name = plan.credentials_variable
    if name is None:
        return plan.address
    user, colon, password = os.environ.get(name, "").partition(":")
    if not colon:
        msg = f"{name} must hold user:password in the environment, as source.credentials_variable"
        raise StreamError(msg + " says, got nothing of the kind")
    scheme, _, rest = plan.address.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def open_capture(plan: StreamPlan) -> cv2.VideoCapture:
    """An OpenCV stream with time limits; whether it is open shows when it is read.

    Raises:
        StreamError: see `full_address`.
    """
    if "://" not in plan.address:
        return cv2.VideoCapture(plan.address, cv2.CAP_V4L2)
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        round(plan.open_timeout_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        round(plan.read_timeout_s * 1000),
    ]
    return cv2.VideoCapture(full_address(plan), cv2.CAP_FFMPEG, limits)
