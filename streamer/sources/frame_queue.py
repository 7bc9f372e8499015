"""Takes frames from a driver in a thread of its own, so that a short pause loses none."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from streamer.sources.camera_port import CameraFault

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_POLL_S = 0.2
_SHORTEST_S = 0.001


class FrameQueue(Generic[T]):
    """Holds at most `depth` frames with their time of arrival; further ones are dropped, counted.

    Drivers hold few frames themselves. `fetch` waits up to the seconds that it is given and returns
    None when nothing came; a CameraFault of it ends the thread and is raised by `take` once the
    frames before it are taken.
    """

    def __init__(self, fetch: Callable[[float], T | None], depth: int) -> None:
        self._fetch = fetch
        self._frames: queue.Queue[tuple[T, int]] = queue.Queue(depth)
        self._stopping = threading.Event()
        self._fault: CameraFault | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> tuple[T, int] | None:
        """Next frame and when it arrived (UTC ns); None when none came within the time.

        Raises:
            CameraFault: the driver broke off.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            ended = not self._thread.is_alive()  # before the look into the queue
            left_s = deadline - time.monotonic()
            with suppress(queue.Empty):
                return self._frames.get(timeout=min(max(left_s, _SHORTEST_S), _POLL_S))
            if ended:
                raise self._fault or CameraFault("the stream has ended")
            if left_s <= _POLL_S:
                return None

    def stop(self) -> bool:
        """End the thread; whether it has ended, so that the driver may be closed."""
        self._stopping.set()
        self._thread.join(10 * _POLL_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                frame = self._fetch(_POLL_S)
                if frame is not None:
                    self._put(frame)
        except CameraFault as fault:
            self._fault = fault

    def _put(self, frame: T) -> None:
        try:
            self._frames.put((frame, time.time_ns()), block=False)
        except queue.Full:
            self.dropped += 1
