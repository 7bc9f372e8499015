"""Judges from heartbeats and verdicts whether the line inspects; knows no socket and no file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.line_status import LineStatus, RunState, StageView
from streamer.message import StageState
from streamer.stages.latency import RecentLatency

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import Heartbeat
    from streamer.stages.announcer import AlarmOrigin
    from streamer.web import Coverage

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
SPEED_OVER_NS = 2 * NS_PER_S
IN_TIME_AGAIN = 0.8  # of the limit: data that is valid every other moment helps nobody
_ENDED = (StageState.STOPPED, StageState.DRAINING)


@dataclass(frozen=True, slots=True)
class StatusLimits:
    """When the line counts as blind.

    A stage is silent past `silent_ms` (and past a call that it announced), a camera shows nothing
    when no line came for `no_lines_ms`, verdicts are late when the oldest line without one is older
    than `max_lag_ms`. `actuator_mm`: the way from camera to actuator, 0: unknown.
    """

    silent_ms: int = 600
    no_lines_ms: int = 700
    max_lag_ms: int = 1000
    actuator_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What the sink knows besides heartbeats: counts, and how far capture and verdicts are.

    `oldest_ns` is when the oldest line without a verdict was captured, 0: there is none. A `fault`
    ends the line, a `hindrance` only keeps it from inspecting.
    """

    stage: StageState
    publisher: str
    sequence: int
    defects: int
    active_alarms: int
    unacknowledged: int
    gap_is_active: bool
    last_line: int
    judged_line: int
    oldest_ns: int
    coverage: Coverage
    model_digest: str
    fault: str = ""
    hindrance: str = ""


@dataclass(slots=True)
class _Camera:
    """What is known of one capture: its latest beat, and when its lines last moved on."""

    process: str
    seen_line: float = -1.0
    moved_ns: int = 0


@dataclass(slots=True)
class StatusBoard:
    """Hears every heartbeat; `status` says how the line stands at a moment."""

    origin: AlarmOrigin
    limits: StatusLimits
    latency: RecentLatency = field(default_factory=RecentLatency)
    _beats: dict[str, Heartbeat] = field(default_factory=dict)
    _cameras: dict[str, _Camera] = field(default_factory=dict)
    _count: int = 0
    _is_late: bool = False
    _speeds: list[tuple[int, int]] = field(default_factory=list)  # (captured_ns, line)

    def on_beat(self, beat: Heartbeat, now_ns: int) -> None:
        """A stage proves that it works; its clock may be another host's."""
        busy_until_ns = now_ns + beat.busy_until_ns - beat.sent_ns
        self._beats[beat.process] = replace(beat, sent_ns=now_ns, busy_until_ns=busy_until_ns)

    def on_camera_beat(self, camera: str, beat: Heartbeat, now_ns: int) -> None:
        """The same of a capture, which also says how many lines its camera has shown."""
        known = self._cameras.setdefault(camera, _Camera(beat.process))
        known.process = beat.process
        seen_line = beat.figures.get("seen_line", float(beat.last_line))
        if seen_line != known.seen_line:
            known.seen_line, known.moved_ns = seen_line, now_ns

    def on_row(self, captured_ns: int, end_line: int) -> None:
        """Lines up to this one were captured by then: from these the speed is known."""
        self._speeds.append((captured_ns, end_line))
        while len(self._speeds) > 2 and captured_ns - self._speeds[1][0] > SPEED_OVER_NS:
            del self._speeds[0]

    @property
    def speed_m_min(self) -> float:
        """Of the web over the last seconds; the configured one before two rows have come."""
        geometry = self.origin.geometry
        (first_ns, first), (last_ns, last) = self._speeds[0], self._speeds[-1]
        if last_ns <= first_ns or last <= first:
            return geometry.speed_m_min
        return geometry.metres(last - first) * 60 * NS_PER_S / (last_ns - first_ns)

    def status(self, facts: LineFacts, now_ns: int) -> LineStatus:
        """How the line stands; each call counts one beat."""
        self._count += 1
        geometry = self.origin.geometry
        reason = facts.fault or facts.hindrance or self._blind(facts, now_ns)
        speed = self.speed_m_min if self._speeds else geometry.speed_m_min
        lag_ms = (now_ns - facts.oldest_ns) / NS_PER_MS if facts.oldest_ns else 0.0
        p99_ms = self.latency.quantile(0.99, now_ns) * 1000
        runs = facts.stage is StageState.RUNNING
        return LineStatus(
            publisher=facts.publisher,
            sequence=facts.sequence,
            beat=self._count,
            sent_ns=now_ns,
            state=_run_state(facts),
            roll=self.origin.roll,
            data_valid=not reason,
            reason=reason,
            not_inspected_active=facts.gap_is_active or (runs and bool(reason)),
            last_line=facts.last_line,
            judged_line=facts.judged_line,
            encoder=geometry.encoder(facts.last_line),
            position_mm=facts.last_line * geometry.line_mm,
            speed_m_min=speed,
            lag_ms=lag_ms,
            lag_mm=lag_ms * speed / 60,
            latency_p99_ms=p99_ms,
            latency_p99_mm=p99_ms * speed / 60,
            actuator_mm=self.limits.actuator_mm,
            defects=facts.defects,
            active_alarms=facts.active_alarms,
            unacknowledged=facts.unacknowledged,
            config_digest=self.origin.config_digest,
            model_digest=facts.model_digest,
            figures=_areas(facts.coverage),
            not_inspected_m=_lengths(facts.coverage, self.origin),
            stages=tuple(self._views(now_ns)),
        )

    def _blind(self, facts: LineFacts, now_ns: int) -> str:
        """What keeps web from being inspected; "" when nothing does."""
        if facts.stage in (StageState.STARTING, StageState.READY):
            return "the line has not started"
        if facts.stage is not StageState.RUNNING:
            return "the roll has ended"
        return next((why for why in self._faults(facts, now_ns) if why), "")

    def _faults(self, facts: LineFacts, now_ns: int) -> Iterable[str]:
        for name, camera in self._cameras.items():
            yield self._camera_fault(name, camera, now_ns)
        workers = [beat for beat in self._beats.values() if beat.stage == "score"]
        if not any(self._age_ms(beat, now_ns) <= self.limits.silent_ms for beat in workers):
            yield "no score worker answers"
        lag_ms = (now_ns - facts.oldest_ns) / NS_PER_MS if facts.oldest_ns else 0.0
        self._is_late = lag_ms > self.limits.max_lag_ms * (IN_TIME_AGAIN if self._is_late else 1.0)
        if self._is_late:
            yield f"verdicts are {lag_ms:.0f} ms behind"

    def _camera_fault(self, name: str, camera: _Camera, now_ns: int) -> str:
        beat = self._beats[camera.process]
        if beat.state in _ENDED:
            return ""
        if self._age_ms(beat, now_ns) > self.limits.silent_ms:
            return f"the capture of {name} is silent"
        if not beat.figures.get("connected", 1.0):
            return f"camera {name} is away"
        if now_ns - camera.moved_ns > self.limits.no_lines_ms * NS_PER_MS:
            return f"no lines come from {name}"
        return ""

    def _age_ms(self, beat: Heartbeat, now_ns: int) -> float:
        """Since its latest sign of life, or the end of the call that it announced."""
        return max(0.0, (now_ns - max(beat.sent_ns, beat.busy_until_ns)) / NS_PER_MS)

    def _views(self, now_ns: int) -> Iterable[StageView]:
        for beat in self._beats.values():
            yield StageView(
                stage=beat.stage,
                process=beat.process,
                state=beat.state.value,
                backend=beat.backend,
                queue_depth=beat.queue_depth,
                last_line=beat.last_line,
                age_ms=self._age_ms(beat, now_ns),
                figures=beat.figures,
            )


def _run_state(facts: LineFacts) -> RunState:
    if facts.fault:
        return RunState.ERROR
    match facts.stage:
        case StageState.STARTING:
            return RunState.INITIALIZED
        case StageState.READY:
            return RunState.READY
        case StageState.FAILED:
            return RunState.ERROR
        case StageState.STOPPED:
            return RunState.HALTED
        case _:
            return RunState.CONTINUOUS_EXECUTION


def _areas(coverage: Coverage) -> dict[str, float]:
    return {
        "captured_px": float(coverage.captured),
        "inspected_px": float(coverage.inspected),
        "masked_px": float(coverage.masked),
        "not_inspected_px": float(coverage.not_inspected_total),
    }


def _lengths(coverage: Coverage, origin: AlarmOrigin) -> dict[str, float]:
    """Metres of full web width that were not inspected, by reason."""
    geometry = origin.geometry
    return {
        reason.value: geometry.metres(area / geometry.columns)
        for reason, area in coverage.not_inspected.items()
    }
