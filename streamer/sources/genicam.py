"""Frames of a GenICam camera across losses and reconnects; knows no driver and no web."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from streamer.sources.camera_frames import FrameMaker, web_format
from streamer.sources.camera_health import CameraHealth
from streamer.sources.camera_port import CameraFault
from streamer.sources.errand import Errand
from streamer.sources.frame import FrameBreak
from streamer.sources.frame_pace import FramePace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.camera_sections import CameraSettings
    from streamer.ports import WebFormat
    from streamer.sources.camera_port import CameraDriver, CameraSession, Grab, ImageFormat
    from streamer.sources.frame import Frame

_LOG = logging.getLogger(__name__)
_FIRST_DELAY_S = 0.25
_FIGURES_EVERY_S = 1.0
_ANSWER_S = 0.5  # a camera answers within milliseconds
_SAY_EVERY_NS = 1_000_000_000  # how far the ledger lags behind while the camera is away


def first_session(
    driver: CameraDriver, wait_s: float, stopping: threading.Event | None = None
) -> CameraSession:
    """The opened camera; tries again for `wait_s` when it is not there.

    Raises:
        CameraFault: it did not come.
        ValueError: it does not take a setting.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return driver.open()
        except CameraFault:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or (stopping and stopping.wait(min(left_s, 1.0))):
                raise
            if stopping is None:
                time.sleep(min(left_s, 1.0))


class GenicamCamera:
    """One camera as a FrameSource: set up and read back, watched, and found again when lost.

    Every loss is a FrameBreak when it is noticed, one each second while it lasts and one when the
    camera is back, together from the last good frame to the first moment of the new session.
    `read_frame` and `close` may be called from two threads; `close` waits for the read.
    """

    def __init__(
        self,
        driver: CameraDriver,
        settings: CameraSettings,
        camera: str,
        web_rate_hz: float | None = None,
    ) -> None:
        """Open the camera, waiting for it as long as the settings allow.

        `web_rate_hz`: lines/s to expect where the settings do not tell the camera's rate.

        Raises:
            CameraFault: it is not there, or another program holds it.
            ValueError: it does not take a setting, or sends pixels of an unknown format.
        """
        self._driver = driver
        self._settings = settings
        self._camera = camera
        self._health = CameraHealth()
        self._opening: Errand[CameraSession] | None = None
        self._excuse = ""
        self._health.update({})
        self._since_ns = time.time_ns()
        self._delay_s = _FIRST_DELAY_S
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pending: deque[Frame | FrameBreak] = deque()
        session = first_session(driver, settings.wait_for_camera_s)
        try:
            self._format = web_format(session.image, session.description)
        except ValueError:
            session.close()
            raise
        self._image = session.image
        self._session: CameraSession | None = session
        self._pace = FramePace(settings.stall_s, settings.line_rate_hz or web_rate_hz)
        self._probe: Errand[None] | None = None
        self._started = False  # web that passes before the first read is not of the roll

    @property
    def format(self) -> WebFormat:
        """As read back from the camera when it was first opened."""
        return self._format

    @property
    def truth(self) -> bytes:
        """Nobody knows the truth of a real web."""
        return b""

    @property
    def health(self) -> Mapping[str, float]:
        """Counters by cause over all sessions, and gauges; those of the link a second old."""
        return self._health.figures

    def read_frame(self, timeout_s: float) -> Frame | FrameBreak | None:
        """See FrameSource; lasts no longer than `timeout_s` and half a second.

        Raises:
            EOFError: the source was closed.
        """
        with self._lock:
            if self._closed.is_set():
                msg = "the camera was closed"
                raise EOFError(msg)
            if not self._pending:
                self._advance(timeout_s)
            return self._pending.popleft() if self._pending else None

    def close(self) -> None:
        """Stop and release the camera; a read in another thread ends first."""
        self._closed.set()
        with self._lock:
            session, self._session = self._session, None
            opening, self._opening = self._opening, None
            if session is not None:
                session.close()
            if opening is not None:
                Errand(lambda: opening.result().close())

    def _begin(self, session: CameraSession) -> None:
        """Start it; from here on everything that it misses is a loss."""
        session.start()
        now_s = time.monotonic()
        self._session, self._started = session, True
        self._maker = FrameMaker(self._camera, self._image, self._settings.chunks)
        self._seen_s = self._asked_s = now_s
        self._pace.begin(self._image.lines)
        self._probe = None
        self._since_ns = time.time_ns()
        self._delay_s = _FIRST_DELAY_S
        self._report(session, now_s)

    def _advance(self, timeout_s: float) -> None:
        session = self._session
        if session is None:
            self._come_back(timeout_s)
            return
        try:
            if not self._started:
                self._begin(session)
            self._watch(session)
            grab = session.grab(min(timeout_s, self._until_asking_s()))
            if grab is None:
                self._check_silence(session)
        except CameraFault as fault:
            self._lose(session, fault)
            return
        if grab is not None:
            self._take(grab)

    def _take(self, grab: Grab) -> None:
        self._seen_s, self._since_ns = time.monotonic(), max(self._since_ns, grab.arrived_ns)
        self._pace.see(self._seen_s)
        self._probe = None
        self._health.count("frames" if grab.is_complete else "incomplete_frames")
        self._pending.extend(self._maker.make(grab))

    def _watch(self, session: CameraSession) -> None:
        now_s = time.monotonic()
        if self._probe is None and now_s - self._reported_s >= _FIGURES_EVERY_S:
            self._report(session, now_s)

    def _report(self, session: CameraSession, now_s: float) -> None:
        self._reported_s = now_s
        self._health.update(session.figures())

    def _until_asking_s(self) -> float:
        """How long to wait for a frame before its absence is looked at."""
        asks_s = self._pace.stall_s / (2 if self._probe is None else 1)
        due_s = max(self._seen_s, self._asked_s) + asks_s
        return max(due_s - time.monotonic(), 0.01)

    def _check_silence(self, session: CameraSession) -> None:
        """Silence is a standing web when the camera answers and such a web is expected.

        It is asked half-way, so that its answer is there in time.
        """
        now_s, stall_s = time.monotonic(), self._pace.stall_s
        silent_s = now_s - max(self._seen_s, self._asked_s)
        if silent_s < stall_s / 2:
            return
        if self._probe is None:
            self._probe, self._probed_s = Errand(session.require_alive), now_s
        if silent_s < stall_s:
            return
        probe, self._probe, self._asked_s = self._probe, None, now_s
        self._health.count("timeouts")
        if not probe.wait(max(self._probed_s + _ANSWER_S - now_s, 0.0)):
            msg = f"the camera does not answer within {_ANSWER_S} s"
            raise CameraFault(msg)
        probe.result()
        if not self._settings.web_may_stand:
            msg = f"no frame for {now_s - self._seen_s:.1f} s, although the camera answers"
            raise CameraFault(msg)

    def _lose(self, session: CameraSession, fault: CameraFault) -> None:
        _LOG.warning("%s is lost: %s; trying to find it again", self._camera, fault)
        self._health.end_session()
        self._session = None
        self._due_s, self._excuse = time.monotonic(), ""
        self._lost = f"lost: {fault}"
        self._pending.append(self._break(self._lost, is_ongoing=True))
        Errand(session.close)  # what is away takes seconds to be given up

    def _break(self, detail: str, *, is_ongoing: bool = False) -> FrameBreak:
        now_ns = max(time.time_ns(), self._since_ns)
        broken = FrameBreak(
            self._camera, self._since_ns, now_ns, detail=detail, is_ongoing=is_ongoing
        )
        self._since_ns = now_ns
        return broken

    def _come_back(self, timeout_s: float) -> None:
        self._seek(timeout_s)
        if self._session is None and time.time_ns() - self._since_ns >= _SAY_EVERY_NS:
            self._pending.append(self._break(self._lost, is_ongoing=True))

    def _seek(self, timeout_s: float) -> None:
        wait_s = self._due_s - time.monotonic()
        if wait_s > 0 and self._closed.wait(min(wait_s, timeout_s)):
            return
        if time.monotonic() < self._due_s:
            return
        opening = self._opening = self._opening or Errand(self._driver.open)
        if not opening.wait(timeout_s):
            return
        self._opening = None
        try:
            self._take_over(opening.result())
        except (CameraFault, ValueError) as fault:
            self._put_off(fault)

    def _take_over(self, session: CameraSession) -> None:
        since_ns = self._since_ns
        try:
            self._require_same(session.image)
            self._begin(session)
        except CameraFault:
            session.close()
            self._session = None
            raise
        self._health.count("reconnects")
        self._since_ns = since_ns
        self._pending.append(self._break("found again"))
        _LOG.warning("%s is back: %s", self._camera, session.description)

    def _require_same(self, image: ImageFormat) -> None:
        if (image.columns, image.pixel_format) == (self._image.columns, self._image.pixel_format):
            self._image = image
            return
        msg = (
            f"the camera must send {self._image.columns} columns of {self._image.pixel_format} as "
            f"before, got {image.columns} of {image.pixel_format}; set source.columns and "
            "source.pixel_format"
        )
        raise CameraFault(msg)

    def _put_off(self, fault: Exception) -> None:
        """Try later; say why it is not there when that is news."""
        if str(fault) != self._excuse:
            self._excuse = str(fault)
            _LOG.warning("%s is not back: %s", self._camera, fault)
        self._due_s = time.monotonic() + self._delay_s
        self._delay_s = min(2 * self._delay_s, self._settings.reconnect_max_s)
