"""What a camera and its link say of themselves, over all its sessions; knows no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Figures of the moment; all others count from the start of the source.
GAUGES = frozenset({"connected", "temperature_c", "link_mb_s", "packet_bytes"})

COUNTED_HERE = ("frames", "incomplete_frames", "timeouts", "reconnects")


class CameraHealth:
    """Sums the counters of every session of a camera; one thread counts, any may ask.

    So no dict that was handed in or merged ever changes its keys.
    """

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._session: dict[str, float] = {}
        self._own = dict.fromkeys(("connected", *COUNTED_HERE), 0.0)

    def count(self, name: str) -> None:
        """One more of `name`, which is in COUNTED_HERE."""
        self._own[name] += 1

    def update(self, session: Mapping[str, float]) -> None:
        """The newest figures of the present session."""
        self._session = dict(session)
        self._own["connected"] = 1.0

    def end_session(self) -> None:
        """What the session counted stays; what it measured is no longer known."""
        counted = {n: value for n, value in self._session.items() if n not in GAUGES}
        self._session, before = {}, self._before
        self._before = before | {n: before.get(n, 0.0) + value for n, value in counted.items()}
        self._own["connected"] = 0.0

    @property
    def figures(self) -> dict[str, float]:
        """By name; counters over all sessions, gauges of the present one."""
        session, before = self._session, self._before
        summed = {n: session.get(n, 0.0) + before.get(n, 0.0) for n in before | session}
        return self._own | summed
