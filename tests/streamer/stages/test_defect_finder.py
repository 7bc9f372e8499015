"""Strips become defects, and defects at a constant pitch a repeat, up to the end of the roll."""

import numpy as np
import pytest

from streamer.decision import DecisionSettings
from streamer.message import DefectState
from streamer.repeats import RepeatSettings
from streamer.stages.defect_finder import DefectFinder
from streamer.web import Strip, WebGeometry

GEOMETRY = WebGeometry(128, 1.0, 1.0, 60.0)
SETTINGS = DecisionSettings(GEOMETRY)
ROWS, STRIDE = 10, 8


def strip(number, *cells):
    scores = np.zeros((ROWS, 16), np.float32)
    for row, column in cells:
        scores[row, column] = 2.0
    return Strip(number * ROWS * STRIDE, ROWS * STRIDE, STRIDE, scores, number == 0, 1)


def played(finder, strips):
    defects, repeats = [], []
    for one in strips:
        found = finder.take(one)
        defects += found[0]
        repeats += found[1]
    return defects, repeats


def roller(strips=12, every=2):
    """A mark in the middle of every second strip: every 160 mm."""
    return [strip(n, *([(4, 5)] if n % every == 0 else [])) for n in range(strips)]


def test_marks_of_a_roller_are_a_repeat_with_their_pitch():
    finder = DefectFinder(SETTINGS, RepeatSettings())
    defects, repeats = played(finder, roller())
    assert finder.defects == 6
    assert [d.id for d in defects if d.state is DefectState.NEW] == [1, 2, 3, 4, 5, 6]
    assert repeats[0].state is DefectState.NEW
    assert repeats[0].period_mm == pytest.approx(160.0)
    rest, ends = finder.finish()
    assert rest == ()
    assert [repeat.state for repeat in ends] == [DefectState.END]


def test_without_settings_no_repeat_is_looked_for():
    finder = DefectFinder(SETTINGS)
    assert played(finder, roller())[1] == []
    assert finder.finish() == ((), ())


def test_what_is_open_at_the_end_is_ended_and_counts_to_the_repeat():
    finder = DefectFinder(SETTINGS, RepeatSettings())
    last = [*roller(6), strip(6, (9, 5))]
    played(finder, last)
    assert finder.open_defects == 1
    defects, _ = finder.finish()
    assert [d.state for d in defects] == [DefectState.END]
    assert finder.open_defects == 0


def test_a_defect_that_becomes_part_of_another_is_not_counted():
    finder = DefectFinder(SETTINGS)
    joined = [strip(0, (9, 3), (9, 7)), strip(1, *[(0, c) for c in range(3, 8)])]
    played(finder, joined)
    finder.finish()
    assert finder.defects == 1
