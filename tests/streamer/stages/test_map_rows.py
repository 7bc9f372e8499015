"""The coarse map shows the highest score of each cell, and never a blind cell as a sound one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.line_status import MapRows
from streamer.message import Interval
from streamer.stages.map_rows import LARGEST, MOST_COLUMNS, STEPS_PER_LEVEL, map_rows
from streamer.web import INSPECTED, MASKED, LaneCoverage, Strip, WebGeometry

STRIDE = 8
GAP = "timeout"


def strip(scores, *coverage, first_line=0):
    scores = np.asarray(scores, np.float32)
    width = scores.shape[1] * STRIDE
    parts = coverage or ((0, width, INSPECTED),)
    lanes = tuple(LaneCoverage(0, Interval(a, b), status) for a, b, status in parts)
    return Strip(first_line, scores.shape[0] * STRIDE, STRIDE, scores, True, 1, lanes)


def shown(made, width=None):
    width = width or made.scores.shape[1] * STRIDE
    rows = map_rows("r", made, WebGeometry(width, 0.5, 0.25, 60.0))
    return rows, np.frombuffer(rows.cells, np.uint8).reshape(rows.rows, rows.columns)


@given(
    st.integers(1, 12),
    st.integers(1, 700),
    st.integers(0, 2**32 - 1),
)
def test_each_cell_holds_the_highest_score_under_it(height, width, seed):
    scores = np.random.default_rng(seed).uniform(0, 2.4, (height, width)).astype(np.float32)
    _, cells = shown(strip(scores))
    factor = -(-width // MOST_COLUMNS)
    assert cells.shape == (-(-height // factor), -(-width // factor))
    assert cells.shape[1] <= MOST_COLUMNS
    for (row, column), cell in np.ndenumerate(cells):
        top, left = row * factor, column * factor
        highest = scores[top : top + factor, left : left + factor].max()
        assert cell == int(highest * STEPS_PER_LEVEL)


def test_a_very_high_score_stays_below_the_codes():
    _, cells = shown(strip([[1e9, -5.0]]))
    assert cells.tolist() == [[LARGEST, 0]]
    assert max(MapRows.MASKED, MapRows.NOT_INSPECTED) > LARGEST
    assert min(MapRows.MASKED, MapRows.NOT_INSPECTED) > LARGEST


def test_what_was_not_inspected_is_shown_wherever_it_touches_a_cell():
    scores = [[0.2, np.nan, np.nan, 0.2]]
    made = strip(scores, (0, 8, INSPECTED), (8, 20, GAP), (20, 32, INSPECTED))
    _, cells = shown(made)
    blind = MapRows.NOT_INSPECTED
    assert cells.tolist() == [[20, blind, blind, 20]]


def test_an_alarm_is_not_hidden_by_a_gap_beside_it():
    made = strip([[1.5, 0.2]], (0, 4, GAP), (4, 16, INSPECTED))
    assert shown(made)[1].tolist() == [[150, 20]]


def test_only_cells_without_any_web_are_masked():
    made = strip([[np.nan, 0.3, 0.1]], (0, 12, MASKED), (12, 24, INSPECTED))
    assert shown(made)[1].tolist() == [[MapRows.MASKED, 30, 10]]


def test_the_place_is_in_lines_and_millimetres():
    rows, _ = shown(strip([[0.0, 0.0]], first_line=64))
    assert (rows.roll, rows.first_line, rows.end_line) == ("r", 64, 72)
    assert (rows.first_mm, rows.end_mm, rows.width_mm) == (16.0, 18.0, 8.0)
