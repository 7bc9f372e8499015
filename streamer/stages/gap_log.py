"""Log lines for gaps, limited in rate: an overload must not fill the disk with its own news."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.stages.rated_log import RatedLog

if TYPE_CHECKING:
    from streamer.message import Gap


@dataclass(slots=True)
class GapLog:
    """Says which lines are not inspected, and why; see RatedLog for its limit."""

    _log: RatedLog = field(default_factory=lambda: RatedLog("gaps"))

    def add(self, gap: Gap, now_ns: int) -> None:
        """Log a gap, or count it."""
        end = gap.first_line + gap.line_count
        place = f"lines {gap.first_line}..{end} of lane {gap.lane}"
        self._log.add(f"{place} are not inspected: {gap.reason} {gap.detail}", now_ns)

    def flush(self) -> None:
        """Say how many gaps were counted and not logged."""
        self._log.flush()
