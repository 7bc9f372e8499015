"""How long a camera may be silent before it is looked after; knows no camera and no clock."""

from __future__ import annotations

SHORTEST_S = 0.5
UNSEEN_S = 1.0  # until frames have come it is not known how often they do
FRAMES = 3
_SHARE = 8  # a single late frame moves the mean by an eighth of its lateness


class FramePace:
    """The stall limit: as configured, else three frame times, and never below SHORTEST_S.

    A frame takes as long as its lines do, or as long as frames were apart lately if that is longer:
    a camera that is set slower than the web is not lost.
    """

    def __init__(self, stall_s: float | None, line_rate_hz: float | None) -> None:
        """`stall_s` None: follow the frames."""
        self._configured_s, self._rate_hz = stall_s, line_rate_hz
        self.begin(0)

    def begin(self, frame_lines: int) -> None:
        """A session begins whose frames have so many lines."""
        self._lines_s = frame_lines / self._rate_hz if self._rate_hz else 0.0
        self._seen_s: float | None = None
        self._apart_s: float | None = None

    def see(self, now_s: float) -> None:
        """A frame has come."""
        if self._seen_s is not None:
            apart_s = now_s - self._seen_s
            before_s = apart_s if self._apart_s is None else self._apart_s
            self._apart_s = before_s + (apart_s - before_s) / _SHARE
        self._seen_s = now_s

    @property
    def stall_s(self) -> float:
        """Silence of so many seconds is a stall."""
        if self._configured_s is not None:
            return self._configured_s
        least_s = UNSEEN_S if self._apart_s is None else SHORTEST_S
        return max(least_s, FRAMES * self._lines_s, FRAMES * (self._apart_s or 0.0))
