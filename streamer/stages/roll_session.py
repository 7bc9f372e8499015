"""What the sink knows of one roll as a whole, and its summary; knows no socket and no file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from streamer.ports import RollSummary
from streamer.stages.latency import LatencyHistogram
from streamer.web import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamer.stages.announcer import AlarmOrigin
    from streamer.stages.camera_roll import CameraRoll

COMPLETE = "complete"
_T = TypeVar("_T")


@dataclass(slots=True)
class RollSession:
    """When a roll began, what engine judges it, and how many defects it has."""

    started_ns: int = 0
    engine: str = ""
    defects: int = 0
    camera_health: dict[str, float] = field(default_factory=dict)

    def summarise(
        self, origin: AlarmOrigin, cameras: Sequence[CameraRoll], now_ns: int
    ) -> RollSummary:
        """All figures of the roll as it stands."""
        verdicts = [camera.verdicts for camera in cameras]
        latency = LatencyHistogram()
        for one in verdicts:
            latency.merge(one.latency)
        articles = _by_lane(
            (c, {k: v for k, v in c.verdicts.articles.items() if v}) for c in cameras
        )
        return RollSummary(
            roll=origin.roll,
            camera=origin.camera,
            source=" | ".join(camera.hello.source for camera in cameras if camera.hello),
            last_line=max(one.last_line for one in verdicts),
            columns=origin.geometry.columns,
            coverage=whole_coverage(cameras),
            started_ns=self.started_ns,
            ended_ns=now_ns,
            latency_p50_s=latency.quantile(0.5),
            latency_p99_s=latency.quantile(0.99),
            defects=self.defects,
            engine=self.engine,
            workers=tuple(sorted(set().union(*(one.workers for one in verdicts)))),
            capture_starts=sum(camera.capture_starts for camera in cameras),
            self_judged_px=sum(one.self_judged_px for one in verdicts),
            model_digests=tuple(sorted(set().union(*(one.models for one in verdicts)))),
            profile_digests=_by_lane((c, c.verdicts.profiles) for c in cameras),
            outcome=_outcome(cameras),
            truth=_truth(cameras),
            profile_drift=_by_lane((c, c.verdicts.drift) for c in cameras),
            new_articles=articles,
            camera_health=dict(sorted(self.camera_health.items())),
        )


def whole_coverage(cameras: Iterable[CameraRoll]) -> Coverage:
    """The areas of all cameras together."""
    coverage = Coverage()
    for camera in cameras:
        own = camera.verdicts.coverage
        coverage = coverage.add_captured(own.captured)
        coverage = coverage.add_inspected(own.inspected).add_masked(own.masked)
        for reason, area in own.not_inspected.items():
            coverage = coverage.add_not_inspected(reason, area)
    return coverage


def _by_lane(figures: Iterable[tuple[CameraRoll, dict[str, _T]]]) -> dict[str, _T]:
    """Figures by the web's number of each lane, in the order of their names."""
    known = {
        str(camera.place.first_lane + int(lane)): figure
        for camera, by_lane in figures
        for lane, figure in by_lane.items()
    }
    return dict(sorted(known.items()))


def _outcome(cameras: Sequence[CameraRoll]) -> str:
    """What ended the roll too early, of one camera by its name, or "complete"."""
    outcomes = {camera.outcome for camera in cameras}
    if len(outcomes) == 1:
        return outcomes.pop()
    early = [camera for camera in cameras if camera.outcome != COMPLETE]
    # A stop that somebody asked for must not hide that another camera broke off.
    worst = min(early, key=lambda camera: camera.outcome.startswith("stopped "))
    return f"{worst.place.camera}: {worst.outcome}"


def _truth(cameras: Sequence[CameraRoll]) -> bytes:
    """The ground truth of a simulated web; that of several cameras joined, each defect once each.

    Captures tell it in columns of the whole web.
    """
    known = {c.place.camera: json.loads(c.end.truth) for c in cameras if c.end and c.end.truth}
    if not known or len(cameras) == 1:
        return next((c.end.truth for c in cameras if c.end), b"")
    defects = [
        {**defect, "id": f"{name}-{defect['id']}"}
        for name, truth in known.items()
        for defect in truth["defects"]
    ]
    first = next(iter(known.values()))
    return json.dumps({**first, "camera": "+".join(known), "defects": defects}).encode()
