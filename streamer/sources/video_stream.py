"""Pictures of a network or desk camera through OpenCV; knows no web and no motion."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import cv2

from streamer.ports import WebFormat
from streamer.sources.camera_port import CameraFault
from streamer.sources.frame import Frame, FrameBreak

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.message import PixelArray

_LOG = logging.getLogger(__name__)
MOST_BACKOFF_S = 8.0
MOST_WAITING = 4
MOST_BUFFERED = 300  # pictures that may have piled up before the stream was opened
MOST_OFF_NS = 2_000_000_000  # a picture's own time is believed while it is so near its arrival
SAY_EVERY_NS = 1_000_000_000  # how far the ledger lags behind while the stream is away
SLEW = 0.02  # by so much time runs slow to let arrivals catch up


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


class StreamError(CameraFault):
    """A stream cannot be opened."""


class StreamClock:
    """When pictures were taken, by the stream's own clock: they arrive in bursts."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None

    def stamp(self, stream_ms: float, now_ns: int) -> int:
        """UTC of a picture that arrives now and lies at `stream_ms` of its stream.

        The arrival itself where the stream has no clock, or one that runs away from ours. While a
        stamp lies ahead of its arrival, for the first picture had waited, time runs a little slow.
        """
        taken_ns = now_ns
        if self._last is not None and stream_ms > self._last[0]:
            passed_ns = (stream_ms - self._last[0]) * 1e6
            believed_ns = self._last[1] + round(passed_ns)
            if believed_ns > now_ns:
                believed_ns -= round(SLEW * passed_ns)
            if abs(believed_ns - now_ns) <= MOST_OFF_NS:
                taken_ns = believed_ns
        self._last = stream_ms, taken_ns
        return taken_ns


class VideoStream:
    """The newest pictures of a live stream; see frame.FrameSource.

    A thread takes every picture off the stream as it arrives. At most MOST_WAITING wait to be read,
    a newer one then replaces the oldest: a reader that is late for a moment misses nothing, one
    that is too slow is never far behind. When the stream breaks off, it is opened again until that
    succeeds, and a FrameBreak comes before its next picture.
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
        self._frames: deque[Frame] = deque(maxlen=MOST_WAITING)
        self._broken: FrameBreak | None = None
        self._away: FrameBreak | None = None  # what was told of it, to be told on
        self._counts = {"frames": 0, "superseded": 0, "reconnects": 0, "connected": 1}
        stream, pixels = self._open_first()
        lines, columns, *channels = pixels.shape
        self._shape = pixels.shape
        text = f"{plan.address}, {columns} x {lines}"
        self._format = WebFormat(columns, channels[0] if channels else 1, 8, text)
        self._last_ns = time.time_ns()
        self._clock = StreamClock()
        self._put(pixels, stream)
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
        """The next picture, each once; see frame.FrameSource. A live stream has no end.

        While it is away, a break that lasts is told about once a second.
        """
        with self._news:
            self._news.wait_for(lambda: self._frames, timeout_s)
            if self._broken is not None and self._frames:
                told, self._broken = self._broken, None
                return told
            return self._frames.popleft() if self._frames else self._still_away()

    def _still_away(self) -> FrameBreak | None:
        now_ns = time.time_ns()
        if self._away is None or now_ns - self._away.captured_ns < SAY_EVERY_NS:
            return None
        since_ns = self._away.captured_ns
        self._away = replace(self._away, since_ns=since_ns, captured_ns=now_ns, is_ongoing=True)
        return self._away

    def close(self) -> None:
        """Ask the thread to let go of the stream; one that hangs in a read is left to itself."""
        self._closing.set()
        self._thread.join(self._plan.read_timeout_s + 1)

    def _open_first(self) -> tuple[cv2.VideoCapture, PixelArray]:
        stream = self._capture(self._plan)
        pixels = self._read_live(stream)
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

    def _read_live(self, stream: cv2.VideoCapture) -> PixelArray | None:
        """The first picture that had not piled up while the stream was opened."""
        pixels, still = self._read(stream), 0
        for _ in range(MOST_BUFFERED):
            place_ms, now_ns = stream.get(cv2.CAP_PROP_POS_MSEC), time.monotonic_ns()
            if pixels is None or still > 1:
                return pixels
            pixels = self._read(stream)
            passed_ms = stream.get(cv2.CAP_PROP_POS_MSEC) - place_ms
            still = still + 1 if passed_ms <= 0 else 0  # the first two may share their time
            if passed_ms > 0 and time.monotonic_ns() - now_ns > passed_ms * 1e6 / 2:
                return pixels
        return pixels

    def _run(self, stream: cv2.VideoCapture) -> None:
        """Take pictures until closed; open the stream anew as often as it breaks off."""
        while not self._closing.is_set():
            pixels = self._read(stream)
            if pixels is not None and pixels.shape == self._shape:
                self._put(pixels, stream)
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
            self._away = FrameBreak(plan.camera, since_ns, since_ns, detail=fault)
        while not self._closing.wait(backoff_s):
            stream = self._capture(plan)
            pixels = self._read_live(stream)
            if pixels is not None and pixels.shape == self._shape:
                self._mend(since_ns, fault)
                self._put(pixels, stream)
                return stream
            stream.release()
            backoff_s = min(2 * backoff_s, MOST_BACKOFF_S)
        return None

    def _mend(self, since_ns: int, fault: str) -> None:
        now_ns, self._clock = time.time_ns(), StreamClock()
        _LOG.warning("%s: back after %.1f s", self._plan.address, (now_ns - since_ns) / 1e9)
        with self._news:
            self._counts["connected"] = 1
            self._away = None
            self._frames.clear()
            self._counts["reconnects"] += 1
            since_ns = self._broken.since_ns if self._broken else since_ns
            self._broken = FrameBreak(self._plan.camera, since_ns, now_ns, detail=fault)

    def _put(self, pixels: PixelArray, stream: cv2.VideoCapture) -> None:
        taken_ns = self._clock.stamp(stream.get(cv2.CAP_PROP_POS_MSEC), time.time_ns())
        taken_ns = max(taken_ns, self._last_ns)
        with self._news:
            self._counts["superseded"] += len(self._frames) == MOST_WAITING
            self._counts["frames"] += 1
            number = self._counts["frames"]
            camera, lines = self._plan.camera, len(pixels)
            self._frames.append(Frame(camera, pixels, lines, taken_ns, frame_id=number))
            self._last_ns = taken_ns
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
