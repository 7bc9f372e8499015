import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.calibration import CalibrationTarget, RunningCalibration, calibrate
from streamer.calibration.running import STRETCHES, RunningWindow
from streamer.web import WebGeometry

BLOCK = 3
TARGET = CalibrationTarget(WebGeometry(240, 0.5, 0.5, 60.0), 8, BLOCK, 20.0)
WINDOW = RunningWindow(STRETCHES * 2 * BLOCK, BLOCK)  # stretches of two rows of blocks


def web(rows: int, seed: int = 1, level: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(seed).exponential(0.1, (rows, 30))
    return (level * (1 + noise)).astype(np.float32)


def taught(scores: np.ndarray, cuts: list[int], first: int = 0) -> RunningCalibration:
    """The state after tiles that end at the rows of `cuts`."""
    state = RunningCalibration(WINDOW)
    for start, end in zip([0, *cuts], [*cuts, scores.shape[0]], strict=True):
        state = state.add(first + start, scores[start:end])
    return state


@settings(max_examples=30)
@given(st.sets(st.integers(1, 39), max_size=6))
def test_how_the_web_is_cut_does_not_matter(cuts: set[int]) -> None:
    """Where tiles end on rows of blocks."""
    scores = web(40 * BLOCK)
    whole = RunningCalibration(WINDOW).add(0, scores)
    assert taught(scores, [BLOCK * cut for cut in sorted(cuts)]).to_bytes() == whole.to_bytes()


@settings(max_examples=20)
@given(st.permutations(range(6)))
def test_the_order_of_tiles_does_not_matter(order: list[int]) -> None:
    scores, state = web(36 * BLOCK), RunningCalibration(WINDOW)
    for index in order:
        rows = slice(index * 6 * BLOCK, (index + 1) * 6 * BLOCK)
        state = state.add(rows.start, scores[rows])
    assert state.to_bytes() == RunningCalibration(WINDOW).add(0, scores).to_bytes()


def test_what_lies_beyond_the_window_is_forgotten() -> None:
    rows = WINDOW.rows
    old, new = web(rows, seed=1, level=5.0), web(rows, seed=2)
    state = RunningCalibration(WINDOW).add(0, old).add(rows, new)
    assert state.to_bytes() == RunningCalibration(WINDOW).add(rows, new).to_bytes()
    assert len(state.stretches) == STRETCHES
    # What comes late is forgotten at once.
    assert state.add(0, old[:BLOCK]).to_bytes() == state.to_bytes()


def test_the_state_is_bounded() -> None:
    state, sizes = RunningCalibration(WINDOW), []
    for index in range(60):
        state = state.add(index * 12 * BLOCK, web(12 * BLOCK, seed=index))
        sizes.append(len(state.to_bytes()))
    assert max(sizes[20:]) < 1.1 * min(sizes[20:])
    assert max(sizes) < 40_000


def test_merged_states_are_those_of_all_tiles() -> None:
    left, right = web(60 * BLOCK, seed=1), web(60 * BLOCK, seed=2)
    first, second = (RunningCalibration(WINDOW).add(0, scores) for scores in (left, right))
    merged = first.merge(second)
    assert merged.to_bytes() == second.merge(first).to_bytes()
    assert merged.to_bytes() == first.add(0, right).to_bytes()
    both = merged.calibration(TARGET, normalised=False)
    assert both.blocks == 2 * first.calibration(TARGET, normalised=False).blocks
    other = RunningCalibration(RunningWindow(1000, BLOCK))
    with pytest.raises(ValueError, match="window must be"):
        first.merge(other)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_state_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="state must"):
        RunningCalibration.from_bytes(content)


def test_bytes_bring_the_state_back() -> None:
    state = RunningCalibration(WINDOW).add(0, web(50 * BLOCK))
    again = RunningCalibration.from_bytes(state.to_bytes())
    assert again.to_bytes() == state.to_bytes()
    assert again.calibration(TARGET) == state.calibration(TARGET)
    further = web(9 * BLOCK, seed=9)
    assert again.add(150, further).to_bytes() == state.add(150, further).to_bytes()
    assert RunningCalibration.from_bytes(RunningCalibration(WINDOW).to_bytes()).stretches == {}


def test_the_level_is_that_of_the_maps_but_for_the_rounding() -> None:
    scores = web(WINDOW.rows)
    kept = RunningCalibration(WINDOW).add(0, scores).calibration(TARGET, normalised=False)
    plain = calibrate([scores], TARGET)
    assert kept.blocks == plain.blocks
    assert kept.background == pytest.approx(plain.background, rel=0.005)
    assert kept.alarm_level == pytest.approx(plain.alarm_level, rel=0.05)


def test_the_level_goes_along_with_the_web() -> None:
    rows = 2 * WINDOW.rows
    level = np.linspace(1.0, 2.0, rows)[:, None]
    scores = web(rows) * level
    state = RunningCalibration(WINDOW).add(0, scores)
    followed = state.calibration(TARGET)
    left_behind = calibrate([scores[: WINDOW.rows]], TARGET)
    steady = calibrate([web(rows)], TARGET)
    assert left_behind.alarm_level < scores[-3 * BLOCK :].max()  # it would alarm now
    assert followed.background == pytest.approx(2 * steady.background, rel=0.06)
    assert followed.alarm_level == pytest.approx(2 * steady.alarm_level, rel=0.12)


def test_defects_do_not_raise_the_level() -> None:
    clean = web(WINDOW.rows)
    flawed = clean.copy()
    flawed[10:14, 3:9] = 9.0
    flawed[80:82, 20:22] = 4.0
    before, after = (
        RunningCalibration(WINDOW).add(0, scores).calibration(TARGET) for scores in (clean, flawed)
    )
    assert after.cut_off >= 5
    assert after.alarm_level == pytest.approx(before.alarm_level, rel=0.1)


def test_masked_web_and_no_web() -> None:
    scores = web(WINDOW.rows)
    scores[:, :12] = np.nan
    assert RunningCalibration(WINDOW).add(0, scores).calibration(TARGET).blocks == 40 * 6
    empty = RunningCalibration(WINDOW)
    assert empty.calibration(TARGET).blocks == 0
    assert empty.add(0, np.full((9, 9), np.nan, np.float32)).calibration(TARGET).blocks == 0
    with pytest.raises(ValueError, match="first_row must be >= 0, got -1"):
        empty.add(-1, scores)


def test_scores_around_zero_are_not_divided() -> None:
    scores = web(WINDOW.rows) - np.float32(1.1)
    state = RunningCalibration(WINDOW).add(0, scores)
    assert state.calibration(TARGET) == state.calibration(TARGET, normalised=False)


def test_a_window_holds_whole_stretches() -> None:
    assert WINDOW.stretch_rows == 2 * BLOCK
    assert RunningWindow.of(100.0, TARGET).stretch_rows == 1251  # 25,000 rows in 20 parts
    assert RunningWindow.of(0.001, TARGET).rows == STRETCHES * BLOCK
    with pytest.raises(ValueError, match=r"rows must be >= 60 \(20 rows of blocks\), got 59"):
        RunningWindow(59, BLOCK)
    with pytest.raises(ValueError, match="block must be > 0, got 0"):
        RunningWindow(59, 0)
