"""Alarms: numbered without holes, each with a beginning and an end."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import (
    AlarmKind,
    Defect,
    DefectState,
    Gap,
    GapReason,
    Heartbeat,
    RegionMm,
    ScoreMap,
    Severity,
    StageState,
)
from streamer.repeats import Repeat
from streamer.stages.announcer import AlarmOrigin, Announcer, RepeatPlace
from streamer.web import WebGeometry

MS = 1_000_000
GEOMETRY = WebGeometry(100, 0.5, 0.25, 60.0, counts_per_line=2.0)


@pytest.fixture
def announcer():
    return Announcer(AlarmOrigin("roll", "cam0", "digest", GEOMETRY), "model")


def defect(state=DefectState.NEW, peak=3.0, first=40):
    region = RegionMm(first * 0.25, (first + 8) * 0.25, 5.0, 9.0)
    return Defect(7, state, region, peak, 1.2, 12.4, first, first + 8, 99)


def gap(first, lines=16, reason=GapReason.TIMEOUT, lane=1):
    return Gap("roll", "cam0", lane, first // 16, 1, first, lines, reason, "no verdict")


def beat(state=StageState.RUNNING, process="score-0", sent_ns=0, busy_ms=0):
    busy_until_ns = sent_ns + busy_ms * MS
    return Heartbeat("score", process, state, sent_ns, busy_until_ns, 512, 0)


def test_a_defect_becomes_an_alarm_with_place_and_origin(announcer):
    alarm = announcer.on_defect(defect(), 4, 5)
    assert alarm.id == "roll/cam0/defect-7"
    assert (alarm.kind, alarm.state) == (AlarmKind.DEFECT, DefectState.NEW)
    assert (alarm.severity, alarm.peak, alarm.text) == (Severity.HIGH, 3.0, "unknown, 12 mm2")
    assert (alarm.encoder_first, alarm.encoder_end) == (80, 96)
    assert alarm.region == defect().region
    assert (alarm.raised_ns, alarm.captured_ns) == (5, 99)
    assert (alarm.config_digest, alarm.model_digest) == ("digest", "model")


def test_all_news_of_a_defect_have_its_id(announcer):
    news = [announcer.on_defect(defect(state), 0, 0) for state in DefectState]
    assert [alarm.state for alarm in news] == list(DefectState)
    assert {alarm.id for alarm in news} == {"roll/cam0/defect-7"}


def test_a_gap_is_announced_grows_and_ends_with_inspected_web_after_it(announcer):
    new = announcer.on_gap(gap(32), 1)
    grown = announcer.on_gap(gap(48), 501 * MS)
    assert announcer.on_inspected(32, 502 * MS) == ()
    assert announcer.on_inspected(64, 502 * MS) == ()  # its own lines, not yet web after it
    (end,) = announcer.on_inspected(80, 502 * MS)
    assert [a.state for a in (new, grown, end)] == list(DefectState)
    assert {a.id for a in (new, grown, end)} == {"roll/cam0/not-inspected-1"}
    assert (grown.region.down_first, grown.region.down_end) == (8.0, 16.0)
    assert (new.region.cross_first, new.region.cross_end) == (0.0, 50.0)
    assert (new.kind, new.severity) == (AlarmKind.NOT_INSPECTED, Severity.HIGH)
    assert new.text == "timeout: lane 1 no verdict"
    assert announcer.on_inspected(96, 503 * MS) == ()


def test_many_gaps_are_one_alarm_that_grows_twice_a_second(announcer):
    raised = [announcer.on_gap(gap(16 * n), n * MS) for n in range(2000)]
    assert [n for n, alarm in enumerate(raised) if alarm] == [0, 500, 1000, 1500]
    assert announcer.grown_gap(1999 * MS) is None
    rest = announcer.grown_gap(2000 * MS)
    assert (rest.state, rest.region.down_end) == (DefectState.UPDATE, 2000 * 4.0)
    assert announcer.grown_gap(9000 * MS) is None


@pytest.mark.parametrize("how", ["web after it", "end of roll"])
def test_growth_that_still_waits_is_told_before_the_end(announcer, how):
    announcer.on_gap(gap(0), 0)
    assert announcer.on_gap(gap(16), 1) is None
    told = announcer.on_inspected(48, 2) if how == "web after it" else announcer.end_all(2)
    assert [a.state for a in told] == [DefectState.UPDATE, DefectState.END]
    assert [a.region.down_end for a in told] == [8.0, 8.0]
    assert announcer.grown_gap(9000 * MS) is None


def test_what_is_active_is_counted(announcer):
    assert announcer.active == 0
    announcer.on_gap(gap(32), 1)
    announcer.on_beat(beat(), 0)
    announcer.check_beats(3000, 5000 * MS)
    assert announcer.active == 2
    announcer.on_inspected(64, 2)
    assert announcer.active == 1
    announcer.end_all(3)
    assert announcer.active == 0


def test_the_next_gap_is_another_alarm(announcer):
    announcer.on_gap(gap(32), 1)
    announcer.on_inspected(64, 2)
    again = announcer.on_gap(gap(160), 3)
    assert (again.id, again.state) == ("roll/cam0/not-inspected-2", DefectState.NEW)
    assert again.region.down_first == 40.0


def test_a_silent_stage_is_a_system_alarm_that_ends_with_its_next_beat(announcer):
    announcer.on_beat(beat(), 0)
    assert announcer.check_beats(3000, 3000 * MS) == ()
    (alarm,) = announcer.check_beats(3000, 3001 * MS)
    assert (alarm.kind, alarm.signal, alarm.severity) == (
        AlarmKind.SYSTEM,
        "failure",
        Severity.HIGH,
    )
    assert alarm.text == "score stage silent for 3001 ms"
    assert alarm.id == "roll/cam0/silent-score-0"
    assert announcer.check_beats(3000, 9000 * MS) == ()
    end = announcer.on_beat(beat(), 9001 * MS)
    assert (end.id, end.state) == (alarm.id, DefectState.END)
    assert announcer.on_beat(beat(), 9002 * MS) is None


@pytest.mark.parametrize("state", [StageState.STARTING, StageState.STOPPED])
def test_a_stage_that_starts_or_has_ended_may_be_silent(announcer, state):
    announcer.on_beat(beat(state), 0)
    assert announcer.check_beats(3000, 60_000 * MS) == ()


def test_an_announced_call_may_last_as_long_as_it_said(announcer):
    announcer.on_beat(beat(busy_ms=30_000), 0)
    assert announcer.check_beats(3000, 33_000 * MS) == ()
    assert len(announcer.check_beats(3000, 33_001 * MS)) == 1


@pytest.mark.parametrize("skew_ms", [-3_600_000, 3_600_000])
def test_the_clock_of_another_host_does_not_matter(announcer, skew_ms):
    now_ms = 10_000_000
    announcer.on_beat(beat(sent_ns=(now_ms + skew_ms) * MS, busy_ms=5000), now_ms * MS)
    assert announcer.check_beats(3000, (now_ms + 8000) * MS) == ()
    assert len(announcer.check_beats(3000, (now_ms + 8001) * MS)) == 1


def test_every_stage_has_an_alarm_of_its_own(announcer):
    announcer.on_beat(beat(process="score-0"), 0)
    announcer.on_beat(beat(process="score-1"), 0)
    alarms = announcer.check_beats(3000, 5000 * MS)
    assert [alarm.id[-7:] for alarm in alarms] == ["score-0", "score-1"]


def test_at_the_end_of_the_roll_everything_active_ends_once(announcer):
    announcer.on_gap(gap(32), 1)
    announcer.on_beat(beat(), 0)
    announcer.check_beats(3000, 5000 * MS)
    ended = announcer.end_all(6000 * MS)
    assert {alarm.state for alarm in ended} == {DefectState.END}
    assert [alarm.kind for alarm in ended] == [AlarmKind.NOT_INSPECTED, AlarmKind.SYSTEM]
    assert announcer.end_all(7000 * MS) == ()


_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("gap"), st.integers(0, 20)),
        st.tuples(st.just("inspected"), st.integers(0, 400)),
        st.tuples(st.just("beat"), st.integers(0, 2)),
        st.tuples(st.just("check"), st.just(0)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("defect"), st.just(0)),
    ),
    max_size=40,
)


@given(_EVENTS)
def test_every_alarm_begins_once_and_ends(events):
    announcer = Announcer(AlarmOrigin("roll", "cam0", "digest", GEOMETRY))
    alarms, now_ns = [], 0
    for event, number in events:
        now_ns += 300 * MS
        match event:
            case "gap":
                alarms.append(announcer.on_gap(gap(number * 16), now_ns))
            case "inspected":
                alarms += announcer.on_inspected(number, now_ns)
            case "flush":
                alarms.append(announcer.grown_gap(now_ns))
            case "beat":
                alarms.append(announcer.on_beat(beat(process=f"score-{number}"), now_ns))
            case "check":
                alarms += announcer.check_beats(500, now_ns)
            case _:
                alarms += [announcer.on_defect(defect(s), now_ns, now_ns) for s in DefectState]
    alarms += announcer.end_all(now_ns)
    alarms = [alarm for alarm in alarms if alarm is not None]
    active = set()
    for alarm in alarms:
        assert (alarm.state is DefectState.NEW) == (alarm.id not in active)
        active.add(alarm.id)
        if alarm.state is DefectState.END:
            active.remove(alarm.id)
    assert active == set()


def test_a_new_article_is_a_notice_with_its_place(announcer):
    scores = np.zeros((2, 2), np.float32)
    place = ("roll", "cam0", 3, 9, 144, 16, 0, 16, 8)
    told = ScoreMap(*place, scores, 0.0, 1.0, "p", "m", 77, 78, "w", article_line=128)
    begun, ended = announcer.on_article(told, 5)
    assert begun.id == ended.id == "roll/cam0/new-article-3-128"
    assert (begun.state, ended.state) == (DefectState.NEW, DefectState.END)
    assert (begun.kind, begun.severity) == (AlarmKind.SYSTEM, Severity.MEDIUM)
    assert (begun.signal, begun.captured_ns) == ("function_check", 77)
    assert (begun.region.down_first, begun.region.down_end) == (128 * 0.25, 160 * 0.25)
    assert begun.text.startswith("new article? lane 3 looks different from line 128 on")
    assert announcer.active == 0


def camera_beat(connected, line=512):
    figures = {} if connected is None else {"connected": connected}
    return Heartbeat("capture", "capture", StageState.RUNNING, 0, 0, line, 0, figures=figures)


def test_a_camera_that_goes_away_is_one_alarm_until_it_is_back(announcer):
    assert announcer.on_camera("cam0", camera_beat(1.0), 0) is None
    alarm = announcer.on_camera("cam0", camera_beat(0.0), 5)
    assert (alarm.kind, alarm.severity, alarm.signal) == (
        AlarmKind.SYSTEM,
        Severity.HIGH,
        "failure",
    )
    assert alarm.id == "roll/cam0/camera-away-1"
    assert "camera cam0 is away" in alarm.text
    assert announcer.on_camera("cam0", camera_beat(0.0), 6) is None
    assert announcer.active == 1
    ended = announcer.on_camera("cam0", camera_beat(1.0), 7)
    assert (ended.id, ended.state) == (alarm.id, DefectState.END)
    assert announcer.active == 0
    assert announcer.on_camera("cam0", camera_beat(0.0), 8).id == "roll/cam0/camera-away-2"
    assert [alarm.id for alarm in announcer.end_all(9)] == ["roll/cam0/camera-away-2"]
    assert announcer.active == 0


def test_a_source_that_is_no_camera_is_never_away(announcer):
    assert announcer.on_camera("cam0", camera_beat(None), 0) is None


def test_what_wants_maintenance_is_said_once_until_it_is_over(announcer):
    dirty = Heartbeat(
        "capture", "capture-cam0", StageState.RUNNING, 0, 0, 512, 0, notices=("dust",)
    )
    both = Heartbeat(
        "capture", "capture-cam0", StageState.RUNNING, 0, 0, 600, 0, notices=("dim", "dust")
    )
    (alarm,) = announcer.on_notices(dirty, 5)
    assert (alarm.kind, alarm.signal, alarm.text) == (
        AlarmKind.SYSTEM,
        "maintenance_required",
        "dust",
    )
    assert (alarm.state, alarm.severity, alarm.raised_ns) == (DefectState.NEW, Severity.MEDIUM, 5)
    assert alarm.region.down_first == 512 * 0.25
    assert announcer.on_notices(dirty, 6) == ()
    (second,) = announcer.on_notices(both, 7)
    assert (second.text, announcer.active) == ("dim", 2)
    assert second.id != alarm.id
    assert announcer.on_notices(beat(), 8) == ()  # another stage's
    (end,) = announcer.on_notices(dirty, 9)
    assert (end.id, end.state, end.raised_ns) == (second.id, DefectState.END, 9)
    (again,) = announcer.on_notices(both, 10)
    assert again.id != second.id
    ended = announcer.end_all(11)
    assert {alarm.id, again.id} == {one.id for one in ended}
    assert announcer.active == 0


def test_late_verdicts_are_out_of_specification_until_they_come_in_time(announcer):
    assert announcer.on_latency(5000, 0, 1) is None  # nobody knows where the actuator is
    assert announcer.on_latency(899, 1000, 1) is None
    late = announcer.on_latency(900, 1000, 2)
    assert (late.kind, late.signal) == (AlarmKind.SYSTEM, "out_of_specification")
    assert "900 mm after the camera, the actuator at 1000 mm" in late.text
    assert announcer.on_latency(950, 1000, 3) is None
    assert announcer.on_latency(801, 1000, 3) is None
    ended = announcer.on_latency(799, 1000, 4)
    assert (ended.id, ended.state) == (late.id, DefectState.END)
    assert announcer.on_latency(950, 1000, 5).id != late.id
    assert announcer.active == 1
    assert [alarm.state for alarm in announcer.end_all(6)] == [DefectState.END]


def test_a_defect_says_where_its_level_comes_from(announcer):
    origin = replace(announcer.origin, threshold="calibrated", default_lines=100)
    told = Announcer(origin)
    first = told.on_defect(replace(defect(), first_line=90, end_line=100), 0, 0)
    later = told.on_defect(replace(defect(), first_line=90, end_line=101), 0, 0)
    assert first.threshold.startswith("default")
    assert later.threshold == "calibrated"


def test_a_repeat_is_a_grave_alarm_at_its_latest_place(announcer):
    found = Repeat(3, DefectState.UPDATE, 20.0, 314.16, 5, 1, 100.0, 1500.0, (4, 5))
    alarm = announcer.on_repeat(found, RepeatPlace(5.0, 2.0, 77), 9)
    assert (alarm.id, alarm.kind, alarm.state) == (
        "roll/cam0/repeat-3",
        AlarmKind.DEFECT,
        DefectState.UPDATE,
    )
    assert (alarm.severity, alarm.repeat_mm, alarm.captured_ns) == (Severity.HIGH, 314.16, 77)
    assert (alarm.region.down_first, alarm.region.down_end) == (1495.0, 1505.0)
    assert (alarm.region.cross_first, alarm.region.cross_end) == (18.0, 22.0)
    assert alarm.text.startswith("comes again every 314.2 mm, 5 times so far: a roller of 100 mm")


def test_a_repeat_at_the_edge_of_the_web_stays_on_it(announcer):
    found = Repeat(1, DefectState.NEW, 1.0, 60.0, 4, 0, 1.0, 3.0)
    alarm = announcer.on_repeat(found, RepeatPlace(5.0, 5.0, 1), 2)
    assert (alarm.region.down_first, alarm.region.cross_first, alarm.encoder_first) == (0, 0, 0)
