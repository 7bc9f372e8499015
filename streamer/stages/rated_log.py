"""Warnings limited in rate: what happens to every tile must not fill the disk with its news."""

from __future__ import annotations

import logging
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)
LINES_PER_SECOND = 5
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class RatedLog:
    """Logs at most LINES_PER_SECOND lines a second, and how many `things` it left out."""

    things: str
    _second: int = 0
    _logged: int = 0
    _left_out: int = 0

    def add(self, line: str, now_ns: int) -> None:
        """Log a line, or count it."""
        second = now_ns // NS_PER_S
        if second != self._second:
            self.flush()
            self._second, self._logged = second, 0
        if self._logged >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._logged += 1
        _LOG.warning("%s", line)

    def flush(self) -> None:
        """Say how many lines were counted and not logged."""
        if self._left_out:
            _LOG.warning("%d more %s in that second", self._left_out, self.things)
        self._left_out = 0
