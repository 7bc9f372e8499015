"""Goals of the kernels: verdicts, ratios and the table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_goals import NOT_MEASURED, Goal, goal_table, ratio

FIGURES = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [
        (59.9, False, "reached"),
        (60.0, False, "reached"),
        (60.001, False, "missed"),
        (60.001, True, "reached"),
        (60.0, True, "reached"),
        (59.9, True, "missed"),
        (None, False, NOT_MEASURED),
        (None, True, NOT_MEASURED),
    ],
)
def test_a_verdict_follows_the_measured_figure(measured, at_least, verdict) -> None:
    assert Goal("what", 60.0, measured, "ms", at_least).verdict == verdict


@given(FIGURES, FIGURES)
def test_one_of_both_directions_is_always_reached(reach: float, measured: float) -> None:
    verdicts = {Goal("what", reach, measured, "x", one).verdict for one in (False, True)}
    assert verdicts == ({"reached"} if reach == measured else {"reached", "missed"})


def test_rounding_does_not_make_a_goal_reached() -> None:
    goal = Goal("two threads", 1.85, 1.8499, "x", at_least=True)
    assert goal.cells == ("two threads", ">= 1.85x", "1.85x", "missed")


def test_a_ratio_needs_both_figures() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(None, 3.0) is None
    assert ratio(6.0, None) is None


def test_the_table_has_a_row_per_goal_with_units() -> None:
    goals = [
        Goal("u8", 60.0, 41.234),
        Goal("u8, to sorting", 1000.0, 1234.5, "x", at_least=True),
        Goal("memory", 64.0, 16.32, "MB"),
        Goal("left out", 440.0, None, "x", at_least=True),
    ]
    assert goal_table(goals).splitlines() == [
        "| what | reach | measured | |",
        "|---|---|---|---|",
        "| u8 | <= 60 ms | 41.23 ms | reached |",
        "| u8, to sorting | >= 1000x | 1234x | reached |",
        "| memory | <= 64 MB | 16.3 MB | reached |",
        "| left out | >= 440x |  | not measured |",
    ]


def test_a_goal_as_json_keeps_figure_and_verdict() -> None:
    plain = json.loads(json.dumps(Goal("u8", 60.0, 61.5).as_json()))
    assert plain == {
        "what": "u8",
        "reach": 60.0,
        "measured": 61.5,
        "unit": "ms",
        "at_least": False,
        "verdict": "missed",
    }
