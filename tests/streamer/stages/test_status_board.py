"""The line says that it is blind, and why, in time; and not when it is not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.line_status import RunState
from streamer.message import GapReason, Heartbeat, StageState
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.status_board import LineFacts, StatusBoard, StatusLimits
from streamer.web import Coverage, WebGeometry

GEOMETRY = WebGeometry(100, 0.5, 0.5, 60.0, counts_per_line=2.0)
MS = 1_000_000
S = 1000 * MS
FACTS = LineFacts(
    stage=StageState.RUNNING,
    publisher="p",
    sequence=7,
    defects=3,
    active_alarms=2,
    unacknowledged=1,
    gap_is_active=False,
    last_line=4096,
    judged_line=3584,
    oldest_ns=0,
    coverage=Coverage(),
    model_digest="m",
)


def capture(now_ns, line=0, state=StageState.RUNNING, process="capture", **figures):
    return Heartbeat("capture", process, state, now_ns, 0, line, 0, figures=figures)


def worker(now_ns, busy_until_ns=0, process="score-0"):
    return Heartbeat("score", process, StageState.RUNNING, now_ns, busy_until_ns, 0, 0)


@pytest.fixture
def board():
    return StatusBoard(AlarmOrigin("r", "cam0", "digest", GEOMETRY), StatusLimits())


@pytest.fixture
def seeing(board):
    """One camera and one worker, both heard at 0."""
    board.on_beat(worker(0), 0)
    hear_camera(board, 0, line=1)
    return board


def hear_camera(board, now_ns, camera="cam0", **fields):
    beat = capture(now_ns, **fields)
    board.on_beat(beat, now_ns)
    board.on_camera_beat(camera, beat, now_ns)


def test_a_line_that_inspects_says_so(seeing):
    told = seeing.status(FACTS, 100 * MS)
    assert (told.data_valid, told.reason, told.not_inspected_active) == (True, "", False)
    assert told.state is RunState.CONTINUOUS_EXECUTION
    assert (told.last_line, told.encoder, told.position_mm) == (4096, 8192, 2048.0)
    assert (told.sequence, told.defects, told.active_alarms, told.unacknowledged) == (7, 3, 2, 1)


def test_each_status_counts_one_beat(seeing):
    assert [seeing.status(FACTS, 0).beat for _ in range(4)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("silent_ms", "is_blind"), [(590, False), (610, True)])
def test_a_capture_that_falls_silent_is_told_in_time(seeing, silent_ms, is_blind):
    now_ns = silent_ms * MS
    seeing.on_beat(worker(now_ns), now_ns)
    told = seeing.status(FACTS, now_ns)
    assert (told.reason == "the capture of cam0 is silent") == is_blind
    assert told.data_valid == (not is_blind) == (not told.not_inspected_active)


def test_a_camera_that_shows_no_new_line_is_told_though_its_capture_beats(seeing):
    for now_ms in range(100, 1000, 100):
        hear_camera(seeing, now_ms * MS, line=1)
        seeing.on_beat(worker(now_ms * MS), now_ms * MS)
        reason = seeing.status(FACTS, now_ms * MS).reason
        assert reason == ("" if now_ms <= 700 else "no lines come from cam0")
    hear_camera(seeing, 1000 * MS, line=2)
    seeing.on_beat(worker(1000 * MS), 1000 * MS)
    assert seeing.status(FACTS, 1000 * MS).reason == ""


def test_lines_that_a_camera_shows_and_nobody_cuts_yet_count_as_movement(seeing):
    for now_ms in range(100, 1000, 100):
        hear_camera(seeing, now_ms * MS, line=1, seen_line=float(now_ms))
        seeing.on_beat(worker(now_ms * MS), now_ms * MS)
        assert seeing.status(FACTS, now_ms * MS).data_valid


def test_a_camera_that_is_away_is_named(seeing):
    hear_camera(seeing, 10 * MS, line=2, connected=0.0)
    assert seeing.status(FACTS, 20 * MS).reason == "camera cam0 is away"


def test_one_blind_camera_of_two_makes_the_line_blind(seeing):
    hear_camera(seeing, 0, "cam1", line=1, process="capture-1")
    hear_camera(seeing, 500 * MS, line=2)
    seeing.on_beat(worker(500 * MS), 500 * MS)
    assert seeing.status(FACTS, 650 * MS).reason == "the capture of cam1 is silent"


def test_a_capture_that_has_ended_its_web_is_not_missed(seeing):
    hear_camera(seeing, 10 * MS, line=2, state=StageState.DRAINING)
    seeing.on_beat(worker(5 * S), 5 * S)
    assert seeing.status(FACTS, 5 * S).data_valid


def test_no_worker_at_all_is_told_and_one_of_two_is_enough(board):
    hear_camera(board, 0, line=1)
    assert board.status(FACTS, 0).reason == "no score worker answers"
    board.on_beat(worker(0), 0)
    board.on_beat(worker(0, process="score-1"), 0)
    hear_camera(board, 700 * MS, line=2)
    assert board.status(FACTS, 700 * MS).reason == "no score worker answers"
    board.on_beat(worker(700 * MS, process="score-1"), 700 * MS)
    assert board.status(FACTS, 700 * MS).data_valid


def test_a_worker_that_announced_a_long_call_is_waited_for(seeing):
    seeing.on_beat(worker(0, busy_until_ns=2 * S), 0)
    hear_camera(seeing, 2 * S, line=2)
    assert seeing.status(FACTS, 2 * S).data_valid
    hear_camera(seeing, 3 * S, line=3)
    assert seeing.status(FACTS, 3 * S).reason == "no score worker answers"


def test_the_clock_of_another_host_does_not_matter(board):
    ahead = 3600 * S
    hear_camera(board, 0, line=1)
    board.on_beat(worker(ahead, busy_until_ns=ahead + S), 0)
    hear_camera(board, S, line=2)
    assert board.status(FACTS, S).data_valid
    hear_camera(board, 2 * S, line=3)
    assert not board.status(FACTS, 2 * S).data_valid


@pytest.mark.parametrize(("lag_ms", "is_late"), [(990, False), (1010, True)])
def test_verdicts_that_come_late_are_told(seeing, lag_ms, is_late):
    now_ns = 10 * S
    hear_camera(seeing, now_ns, line=2)
    seeing.on_beat(worker(now_ns), now_ns)
    told = seeing.status(replace(FACTS, oldest_ns=now_ns - lag_ms * MS), now_ns)
    assert told.data_valid == (not is_late)
    assert told.lag_ms == lag_ms
    assert told.lag_mm == pytest.approx(lag_ms)  # 60 m/min is 1 mm/ms


def test_verdicts_count_as_in_time_again_only_when_they_clearly_are(seeing):
    told = []
    for step, lag_ms in enumerate((900, 1100, 950, 850, 790, 950, 1001)):
        now_ns = (10 + step) * S
        hear_camera(seeing, now_ns, line=2 + step)
        seeing.on_beat(worker(now_ns), now_ns)
        facts = replace(FACTS, oldest_ns=now_ns - lag_ms * MS)
        told.append(seeing.status(facts, now_ns).data_valid)
    assert told == [True, False, False, False, True, True, False]


@pytest.mark.parametrize(
    ("stage", "state", "reason"),
    [
        (StageState.STARTING, RunState.INITIALIZED, "the line has not started"),
        (StageState.READY, RunState.READY, "the line has not started"),
        (StageState.DRAINING, RunState.CONTINUOUS_EXECUTION, "the roll has ended"),
        (StageState.STOPPED, RunState.HALTED, "the roll has ended"),
        (StageState.FAILED, RunState.ERROR, "the roll has ended"),
    ],
)
def test_a_line_that_does_not_run_is_never_valid(seeing, stage, state, reason):
    told = seeing.status(replace(FACTS, stage=stage), 0)
    assert (told.state, told.reason, told.data_valid) == (state, reason, False)
    assert not told.not_inspected_active  # no web passes uninspected


def test_a_fault_outranks_a_hindrance_and_both_outrank_what_beats_tell(seeing):
    told = seeing.status(replace(FACTS, hindrance="slow disk"), 5 * S)
    assert (told.reason, told.state) == ("slow disk", RunState.CONTINUOUS_EXECUTION)
    told = seeing.status(replace(FACTS, hindrance="slow disk", fault="no disk"), 5 * S)
    assert (told.reason, told.state) == ("no disk", RunState.ERROR)


def test_an_active_gap_is_told_though_the_line_sees_again(seeing):
    told = seeing.status(replace(FACTS, gap_is_active=True), 0)
    assert (told.data_valid, told.not_inspected_active) == (True, True)


@given(
    st.floats(1.0, 600.0),
    st.integers(2, 60),
)
def test_the_speed_is_that_of_the_lines_of_the_last_seconds(speed_m_min, rows):
    made = StatusBoard(AlarmOrigin("r", "cam0", "digest", GEOMETRY), StatusLimits())
    line_ns = 60 * S * GEOMETRY.line_mm / 1000 / speed_m_min
    for row in range(1, rows):
        made.on_row(round(row * 512 * line_ns), row * 512)
    wanted = speed_m_min if rows > 2 else GEOMETRY.speed_m_min
    assert made.speed_m_min == pytest.approx(wanted, rel=1e-3)


def test_the_memory_of_rows_is_bounded(board):
    for row in range(100_000):
        board.on_row(row * 10 * MS, row * 512)
    assert len(board._speeds) < 250


def test_latency_is_told_as_distance(seeing):
    seeing.latency.add(0.2, 1)
    told = seeing.status(FACTS, 2)
    assert told.latency_p99_ms == pytest.approx(200, rel=0.05)
    assert told.latency_p99_mm == pytest.approx(told.latency_p99_ms)


def test_coverage_is_told_in_pixels_and_in_metres_of_full_width(seeing):
    coverage = Coverage().add_captured(1000).add_inspected(600).add_masked(100)
    coverage = coverage.add_not_inspected(GapReason.TIMEOUT, 300)
    told = seeing.status(replace(FACTS, coverage=coverage), 0)
    assert told.figures == {
        "captured_px": 1000.0,
        "inspected_px": 600.0,
        "masked_px": 100.0,
        "not_inspected_px": 300.0,
    }
    assert told.not_inspected_m == {"timeout": pytest.approx(300 / 100 * 0.5 / 1000)}


def test_every_stage_that_was_heard_is_shown_with_its_age(seeing):
    views = {view.process: view for view in seeing.status(FACTS, 300 * MS).stages}
    assert set(views) == {"score-0", "capture"}
    assert views["score-0"].age_ms == pytest.approx(300)
