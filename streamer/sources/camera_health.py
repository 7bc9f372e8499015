"""What a camera and its link say of themselves, over all its sessions; knows no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Figures of the moment; all others count from the start of the source.
GAUGES = frozenset({"connected", "temperature_c", "link_mb_s", "packet_bytes"})


class CameraHealth:
    """Sums the counters of every session of a camera."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._session: dict[str, float] = {}
        self._own = {"connected": 0.0, "reconnects": 0.0, "frames": 0.0, "timeouts": 0.0}

    def count(self, name: str) -> None:
        """One more of `name`."""
        self._own[name] = self._own.get(name, 0.0) + 1

    def update(self, session: Mapping[str, float]) -> None:
        """The newest figures of the present session."""
        self._session = dict(session)
        self._own["connected"] = 1.0

    def end_session(self) -> None:
        """What the session counted stays; what it measured is no longer known."""
        for name, value in self._session.items():
            if name not in GAUGES:
                self._before[name] = self._before.get(name, 0.0) + value
        self._session = {}
        self._own["connected"] = 0.0

    @property
    def figures(self) -> dict[str, float]:
        """By name; counters over all sessions, gauges of the present one."""
        summed = {
            name: self._session.get(name, 0.0) + self._before.get(name, 0.0)
            for name in (self._before | self._session)
        }
        return self._own | summed
