"""Turns defects, gaps and silent stages into alarms; knows no socket and no file."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import (
    Alarm,
    AlarmKind,
    DefectState,
    Gap,
    Interval,
    RegionMm,
    Severity,
    StageState,
)
from streamer.severity import DEFAULT_RULES, SeverityRules, severity_of

if TYPE_CHECKING:
    from streamer.message import Defect, Heartbeat, ScoreMap
    from streamer.repeats import Repeat
    from streamer.web import WebGeometry

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
GAP_UPDATE_MS = 500  # an overload makes many gaps a second
# Signals of NAMUR NE 107.
FAILURE, CHECK, MAINTENANCE = "failure", "function_check", "maintenance_required"
OUT_OF_SPECIFICATION = "out_of_specification"
DEFAULT_THRESHOLD = "default: the web before the profile was learnt"
NEAR, AGAIN_FAR = 0.9, 0.8  # of the way to the actuator, that latency may take
_AT_REST = (StageState.STARTING, StageState.STOPPED)


@dataclass(frozen=True, slots=True)
class AlarmOrigin:
    """What every alarm of a roll carries, and how much its defects matter."""

    roll: str
    camera: str
    config_digest: str
    geometry: WebGeometry
    threshold: str = ""  # where the alarm level of defects comes from
    default_lines: int = 0  # so many first lines are judged by a default
    severity: SeverityRules = DEFAULT_RULES

    def threshold_at(self, line: int) -> str:
        """Where the alarm level comes from of what ends at a line."""
        return DEFAULT_THRESHOLD if line <= self.default_lines else self.threshold


@dataclass(frozen=True, slots=True)
class RepeatPlace:
    """Half the size of an occurrence's place, in mm, and when the latest lines were captured."""

    down_mm: float
    cross_mm: float
    captured_ns: int


@dataclass(slots=True)
class Announcer:
    """Makes alarms of what it hears and remembers which of its own are active; numbers none."""

    origin: AlarmOrigin
    model_digest: str = ""
    _gap: Alarm | None = None
    _gaps: int = 0
    _notices: int = 0
    _gap_lines: Interval = field(default_factory=lambda: Interval(0, 0))
    _gap_growth: Gap | None = None
    _beats: dict[str, Heartbeat] = field(default_factory=dict)
    _silent: dict[str, Alarm] = field(default_factory=dict)
    _away: dict[str, Alarm] = field(default_factory=dict)
    _absences: int = 0
    _due: dict[tuple[str, str], Alarm] = field(default_factory=dict)
    _late: Alarm | None = None
    _lates: int = 0

    def on_defect(self, defect: Defect, scored_ns: int, now_ns: int) -> Alarm:
        """The alarm of a defect that is new, has grown or has ended; its verdict is of then."""
        alarm = self._alarm(f"defect-{defect.id}", Interval(defect.first_line, defect.end_line))
        return replace(
            alarm,
            state=defect.state,
            severity=severity_of(defect, self.origin.severity),
            region=defect.region,
            raised_ns=now_ns,
            captured_ns=defect.captured_ns,
            peak=defect.peak,
            scored_ns=scored_ns,
            travel_mm=self.origin.geometry.travel_mm((now_ns - defect.captured_ns) / NS_PER_S),
            threshold=self.origin.threshold_at(defect.end_line),
            text=f"{defect.defect_class}, {defect.area_mm2:.0f} mm2",
        )

    def on_repeat(self, repeat: Repeat, at: RepeatPlace, now_ns: int) -> Alarm:
        """A mark that comes again at a constant pitch; its place is that of the latest one."""
        geometry = self.origin.geometry
        first, end = repeat.last_mm - at.down_mm, repeat.last_mm + at.down_mm
        cross_first, cross_end = repeat.cross_mm - at.cross_mm, repeat.cross_mm + at.cross_mm
        lines = Interval(*(max(0, round(mm / geometry.line_mm)) for mm in (first, end)))
        return replace(
            self._alarm(f"repeat-{repeat.id}", lines),
            state=repeat.state,
            severity=Severity.HIGH,
            region=RegionMm(max(first, 0.0), end, max(cross_first, 0.0), cross_end),
            raised_ns=now_ns,
            captured_ns=at.captured_ns,
            threshold=self.origin.threshold_at(lines.end),
            repeat_mm=repeat.period_mm,
            text=f"comes again every {repeat.period_mm:.1f} mm, {repeat.count} times so far: "
            f"a roller of {repeat.period_mm / math.pi:.0f} mm diameter?",
        )

    @property
    def active(self) -> int:
        """How many gaps, silent stages, absent cameras and notices have not ended."""
        others = len(self._silent) + len(self._away) + len(self._due) + bool(self._late)
        return (self._gap is not None) + others

    @property
    def has_gap(self) -> bool:
        """Whether the latest lines that are known of were not inspected."""
        return self._gap is not None

    def on_gap(self, gap: Gap, now_ns: int) -> Alarm | None:
        """Lines that were not inspected: a new alarm, or the one that is active grows.

        Growth is announced at most every GAP_UPDATE_MS; what came since waits for `grown_gap`.
        """
        lines = Interval(gap.first_line, gap.first_line + gap.line_count)
        if self._gap is None:
            self._gaps, self._gap_lines = self._gaps + 1, lines
            return self._announce_gap(gap, DefectState.NEW, now_ns)
        known = self._gap_lines
        self._gap_lines = Interval(min(lines.first, known.first), max(lines.end, known.end))
        self._gap_growth = gap
        return self.grown_gap(now_ns)

    def grown_gap(self, now_ns: int, *, at_once: bool = False) -> Alarm | None:
        """The growth of the gap that was not announced yet, if there is some and it is time."""
        gap, active = self._gap_growth, self._gap
        if gap is None or active is None:
            return None
        if not at_once and now_ns - active.raised_ns < GAP_UPDATE_MS * NS_PER_MS:
            return None
        return self._announce_gap(gap, DefectState.UPDATE, now_ns)

    def _announce_gap(self, gap: Gap, state: DefectState, now_ns: int) -> Alarm:
        alarm = self._alarm(f"not-inspected-{self._gaps}", self._gap_lines)
        self._gap_growth = None
        self._gap = replace(
            alarm,
            kind=AlarmKind.NOT_INSPECTED,
            state=state,
            severity=Severity.HIGH,
            raised_ns=now_ns,
            captured_ns=now_ns,
            text=f"{gap.reason}: {self._lane(gap)} {gap.detail}".strip(),
        )
        return self._gap

    def on_inspected(self, end_line: int, now_ns: int) -> tuple[Alarm, ...]:
        """Lines up to `end_line` have their verdicts: the gap before them, if any, has ended."""
        return self._end_gap(now_ns) if end_line > self._gap_lines.end else ()

    def _end_gap(self, now_ns: int) -> tuple[Alarm, ...]:
        """The end of the gap that is active, after its last growth."""
        grown = self.grown_gap(now_ns, at_once=True)
        if self._gap is None:
            return ()
        ended, self._gap = self._gap, None
        end = self._again(ended, DefectState.END, now_ns)
        return (grown, end) if grown else (end,)

    def on_article(self, score_map: ScoreMap, now_ns: int) -> tuple[Alarm, Alarm]:
        """A lane shows another article: a notice, which begins and ends at once."""
        line, lane = score_map.article_line, self._lane(score_map)
        seen_to = score_map.first_line + score_map.line_count
        _LOG.warning("%s: new article from line %d on", lane, line)
        name = lane.removeprefix("lane ").replace(" lane ", "-")
        alarm = self._alarm(f"new-article-{name}-{line}", Interval(line, max(line, seen_to)))
        notice = replace(
            alarm,
            kind=AlarmKind.SYSTEM,
            severity=Severity.MEDIUM,
            raised_ns=now_ns,
            captured_ns=score_map.captured_ns,
            signal=CHECK,
            text=f"new article? {lane} looks different from line {line} on; learning it anew",
        )
        return notice, self._again(notice, DefectState.END, now_ns)

    def _lane(self, piece: Gap | ScoreMap) -> str:
        """A lane for people; with its camera where there are several."""
        alone = piece.camera == self.origin.camera
        return f"lane {piece.lane}" if alone else f"{piece.camera} lane {piece.lane}"

    def on_beat(self, beat: Heartbeat, now_ns: int) -> Alarm | None:
        """A stage proves that it works; ends its alarm if there was one."""
        # Its clock may be another host's: only how long it will be busy is taken from it.
        busy_until_ns = now_ns + beat.busy_until_ns - beat.sent_ns
        self._beats[beat.process] = replace(beat, sent_ns=now_ns, busy_until_ns=busy_until_ns)
        silent = self._silent.pop(beat.process, None)
        return self._again(silent, DefectState.END, now_ns) if silent else None

    def on_notices(self, beat: Heartbeat, now_ns: int) -> tuple[Alarm, ...]:
        """What a stage says wants maintenance: new alarms, and the end of those it says no more."""
        said = {(beat.process, notice) for notice in beat.notices}
        over = [key for key in self._due if key[0] == beat.process and key not in said]
        ended = tuple(self._again(self._due.pop(key), DefectState.END, now_ns) for key in over)
        new = sorted(said - self._due.keys())
        return (*ended, *(self._announce_due(beat, notice, now_ns) for _, notice in new))

    def _announce_due(self, beat: Heartbeat, notice: str, now_ns: int) -> Alarm:
        self._notices += 1
        here = Interval(beat.last_line, beat.last_line)
        self._due[beat.process, notice] = replace(
            self._alarm(f"maintenance-{beat.process}-{self._notices}", here),
            kind=AlarmKind.SYSTEM,
            severity=Severity.MEDIUM,
            raised_ns=now_ns,
            captured_ns=now_ns,
            signal=MAINTENANCE,
            text=notice,
        )
        return self._due[beat.process, notice]

    def check_beats(self, stall_ms: int, now_ns: int) -> tuple[Alarm, ...]:
        """Alarms for stages that were heard before and are silent past their announcement."""
        return tuple(
            self._announce_silent(beat, now_ns)
            for process, beat in self._beats.items()
            if process not in self._silent
            and beat.state not in _AT_REST
            and now_ns - max(beat.sent_ns, beat.busy_until_ns) > stall_ms * NS_PER_MS
        )

    def _announce_silent(self, beat: Heartbeat, now_ns: int) -> Alarm:
        alarm = self._alarm(f"silent-{beat.process}", Interval(beat.last_line, beat.last_line))
        silent_ms = (now_ns - beat.sent_ns) // NS_PER_MS
        self._silent[beat.process] = replace(
            alarm,
            kind=AlarmKind.SYSTEM,
            state=DefectState.NEW,
            severity=Severity.HIGH,
            raised_ns=now_ns,
            captured_ns=beat.sent_ns,
            signal=FAILURE,
            text=f"{beat.stage} stage silent for {silent_ms} ms",
        )
        return self._silent[beat.process]

    def on_camera(self, camera: str, beat: Heartbeat, now_ns: int) -> Alarm | None:
        """The camera of a capture's beat is away, or is back; None when nothing has changed."""
        is_away, known = not beat.figures.get("connected", 1.0), self._away.get(camera)
        if is_away == (known is not None):
            return None
        if known is not None:
            del self._away[camera]
            return self._again(known, DefectState.END, now_ns)
        self._absences += 1
        lines = Interval(beat.last_line, beat.last_line)
        self._away[camera] = replace(
            self._alarm(f"camera-away-{self._absences}", lines),
            kind=AlarmKind.SYSTEM,
            severity=Severity.HIGH,
            raised_ns=now_ns,
            captured_ns=now_ns,
            signal=FAILURE,
            text=f"camera {camera} is away: check power and cable; trying again",
        )
        return self._away[camera]

    def on_latency(self, way_mm: float, actuator_mm: float, now_ns: int) -> Alarm | None:
        """Verdicts come when the web is nearly at the actuator, or in time again.

        `way_mm` is the web's way in the 99th percentile of latency; `actuator_mm` 0: not known.
        """
        share = way_mm / actuator_mm if actuator_mm else 0.0
        if self._late is not None and share < AGAIN_FAR:
            late, self._late = self._late, None
            return self._again(late, DefectState.END, now_ns)
        if self._late is not None or share < NEAR:
            return None
        self._lates += 1
        self._late = replace(
            self._alarm(f"latency-{self._lates}", Interval(0, 0)),
            kind=AlarmKind.SYSTEM,
            severity=Severity.HIGH,
            raised_ns=now_ns,
            captured_ns=now_ns,
            signal=OUT_OF_SPECIFICATION,
            text=f"verdicts come {way_mm:.0f} mm after the camera, the actuator at "
            f"{actuator_mm:.0f} mm: run slower, use shorter tiles or more workers",
        )
        return self._late

    def end_all(self, now_ns: int) -> tuple[Alarm, ...]:
        """At the end of the roll: whatever is active ends."""
        late = (self._late,) if self._late else ()
        rest = (*self._silent.values(), *self._away.values(), *self._due.values(), *late)
        self._silent, self._away, self._due, self._late = {}, {}, {}, None
        return (
            *self._end_gap(now_ns),
            *(self._again(alarm, DefectState.END, now_ns) for alarm in rest),
        )

    def _again(self, alarm: Alarm, state: DefectState, now_ns: int) -> Alarm:
        return replace(alarm, state=state, raised_ns=now_ns)

    def _alarm(self, name: str, lines: Interval) -> Alarm:
        """A new defect alarm over `lines`, full width, that the caller completes."""
        origin, geometry = self.origin, self.origin.geometry
        region: RegionMm = geometry.region(lines, Interval(0, geometry.columns))
        return Alarm(
            id=f"{origin.roll}/{origin.camera}/{name}",
            sequence=0,
            kind=AlarmKind.DEFECT,
            state=DefectState.NEW,
            severity=Severity.LOW,
            roll=origin.roll,
            camera=origin.camera,
            region=region,
            encoder_first=geometry.encoder(lines.first),
            encoder_end=geometry.encoder(lines.end),
            raised_ns=0,
            captured_ns=0,
            peak=0.0,
            config_digest=origin.config_digest,
            model_digest=self.model_digest,
        )
