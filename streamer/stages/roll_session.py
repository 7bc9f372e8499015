"""What the sink has heard of one roll, and its summary; knows no socket and no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import LedgerRow
from streamer.ports import RollSummary

if TYPE_CHECKING:
    from streamer.message import EndOfRoll, Hello
    from streamer.stages.announcer import AlarmOrigin
    from streamer.stages.verdicts import RollVerdicts


@dataclass(slots=True)
class RollSession:
    """Beginning and end of a roll, who takes part, and how many defects it has."""

    started_ns: int = 0
    hello: Hello | None = None
    capture_starts: int = 0
    end: EndOfRoll | None = None
    engine: str = ""
    defects: int = 0
    camera_health: dict[str, float] = field(default_factory=dict)

    def greet(self, hello: Hello, now_ns: int) -> bool:
        """Take a greeting; True when another capture greeted before."""
        known = self.hello
        is_new = known is None or known.incarnation != hello.incarnation
        if known is None:
            self.started_ns = now_ns
        self.hello = hello
        self.capture_starts += is_new
        return is_new and known is not None

    def row_after_end(self, now_ns: int) -> LedgerRow | None:
        """The row that would come next if the roll went on; None before both its ends are known."""
        hello, end = self.hello, self.end
        if hello is None or end is None:
            return None
        place = (end.rows, end.last_line, 1, True)
        return LedgerRow(end.roll, end.camera, *place, hello.lane_columns, (), now_ns)

    def summarise(self, origin: AlarmOrigin, verdicts: RollVerdicts, now_ns: int) -> RollSummary:
        """All figures of the roll as it stands."""
        return RollSummary(
            roll=origin.roll,
            camera=origin.camera,
            source=self.hello.source if self.hello else "",
            last_line=verdicts.last_line,
            columns=origin.geometry.columns,
            coverage=verdicts.coverage,
            started_ns=self.started_ns,
            ended_ns=now_ns,
            latency_p50_s=verdicts.latency.quantile(0.5),
            latency_p99_s=verdicts.latency.quantile(0.99),
            defects=self.defects,
            engine=self.engine,
            workers=tuple(sorted(verdicts.workers)),
            capture_starts=self.capture_starts,
            self_judged_px=verdicts.self_judged_px,
            model_digests=tuple(sorted(verdicts.models)),
            profile_digests=dict(sorted(verdicts.profiles.items())),
            outcome=self._outcome(verdicts),
            truth=self.end.truth if self.end else b"",
            profile_drift=dict(sorted(verdicts.drift.items())),
            new_articles={
                lane: lines for lane, lines in sorted(verdicts.articles.items()) if lines
            },
            camera_health=dict(sorted(self.camera_health.items())),
        )

    def _outcome(self, verdicts: RollVerdicts) -> str:
        end = self.end
        if self.hello is None:
            return "stopped before the first line"
        if end is None:
            return "capture did not end the roll"
        if (missing := end.rows - verdicts.stitch.next_sequence) > 0:
            return f"{missing} rows never reached the ledger"
        return "complete" if end.complete else end.reason
