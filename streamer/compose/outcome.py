"""What the end of a roll means as an exit code; knows no process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.stages.capture import STOPPED_ON_REQUEST

if TYPE_CHECKING:
    from streamer.ports import RollSummary

COMPLETE = "complete"
STOPPED_BEFORE_FIRST_LINE = "stopped before the first line"
IN_ORDER = (COMPLETE, STOPPED_ON_REQUEST, STOPPED_BEFORE_FIRST_LINE)
OK, BROKEN, LOSS = 0, 1, 5


@dataclass(frozen=True, slots=True)
class RollEnd:
    """How a roll ended; `lost_percent` is the share of the captured web without a verdict."""

    outcome: str
    captured_px: int
    lost_percent: float
    is_exact: bool

    @classmethod
    def of_summary(cls, summary: RollSummary) -> RollEnd:
        """From the summary that the sink returns."""
        coverage = summary.coverage
        exact = coverage.is_exact and coverage.captured == summary.last_line * summary.columns
        return cls(summary.outcome, coverage.captured, coverage.not_inspected_percent, exact)

    @classmethod
    def of_manifest(cls, manifest: dict[str, Any]) -> RollEnd:
        """From a manifest as it stands in the roll folder."""
        coverage = manifest["totals"]["coverage"]
        return cls(
            manifest["outcome"],
            coverage["captured_px"],
            coverage["not_inspected_percent"],
            coverage["is_exact"],
        )

    def exit_code(self, limit_percent: float) -> int:
        """5 when too much of the web has no verdict, 1 when the roll is broken, else 0."""
        if not self.is_exact:
            return BROKEN
        if self.captured_px and self.lost_percent > limit_percent:
            return LOSS
        # A source that broke off ends a roll early without any stage having failed.
        return OK if _without_camera(self.outcome) in IN_ORDER else BROKEN


def _without_camera(outcome: str) -> str:
    """The gravest of several ends begins with the name of its camera."""
    return outcome.partition(": ")[2] or outcome
