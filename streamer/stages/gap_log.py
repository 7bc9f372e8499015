"""Log lines for gaps, limited in rate: an overload must not fill the disk with its own news."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.message import Gap

_LOG = logging.getLogger(__name__)
LINES_PER_SECOND = 5
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class GapLog:
    """Logs at most LINES_PER_SECOND gaps a second, and how many it left out."""

    _second: int = 0
    _logged: int = 0
    _left_out: int = 0

    def add(self, gap: Gap, now_ns: int) -> None:
        """Log a gap, or count it."""
        second = now_ns // NS_PER_S
        if second != self._second:
            self.flush()
            self._second, self._logged = second, 0
        if self._logged >= LINES_PER_SECOND:
            self._left_out += 1
            return
        self._logged += 1
        end = gap.first_line + gap.line_count
        place = f"lines {gap.first_line}..{end} of lane {gap.lane}"
        _LOG.warning("%s are not inspected: %s %s", place, gap.reason, gap.detail)

    def flush(self) -> None:
        """Say how many gaps were counted and not logged."""
        if self._left_out:
            _LOG.warning("%d more gaps in that second", self._left_out)
        self._left_out = 0
