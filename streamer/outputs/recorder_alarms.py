"""Tells the recorders of alarms, so that they keep what surrounds them; never waits for one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from streamer.message import AlarmKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import Alarm
    from streamer.ports import Outlet

MOST_WAITING = 10_000


class RecorderAlarms:
    """Passes alarms of defects to every recorder; see line_ports.AlarmOutput.

    Those that a recorder does not take at once wait for the next `poll`, the oldest give way.
    """

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        """Use `outlets`, which belong to others."""
        self._waiting: list[tuple[Outlet, deque[Alarm]]] = [
            (outlet, deque(maxlen=MOST_WAITING)) for outlet in outlets
        ]

    def publish(self, alarm: Alarm) -> None:
        """Pass on an alarm of a defect; others move no recorder."""
        if alarm.kind is AlarmKind.DEFECT:
            for _, alarms in self._waiting:
                alarms.append(alarm)
        self.poll()

    def poll(self) -> None:
        """Pass on what waits, as far as it is taken."""
        for outlet, alarms in self._waiting:
            while alarms and outlet.send(alarms[0]):
                alarms.popleft()

    def close(self) -> None:
        """Try once more."""
        self.poll()
