"""The four-point grade: the rules of the standard, one by one, and what holds for any defects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.grading import (
    INCH_MM,
    YARD_MM,
    GradedDefect,
    GradingRules,
    grade,
    grade_yards,
)

RULES = GradingRules()


def inches(first, length, cross=0.1, kind="unknown"):
    return GradedDefect(first * INCH_MM, (first + length) * INCH_MM, cross * INCH_MM, kind)


@pytest.mark.parametrize(
    ("size_in", "points"),
    [(0.01, 1), (3, 1), (3.01, 2), (6, 2), (6.01, 3), (9, 3), (9.01, 4), (36, 4)],
)
def test_the_longer_side_gives_the_points(size_in, points):
    (down,) = grade_yards([inches(0, size_in)], RULES)
    (across,) = grade_yards([inches(0, 0.1, cross=size_in)], RULES)
    assert down.points == across.points == points


@pytest.mark.parametrize(("size_in", "points"), [(0.1, 2), (1, 2), (1.01, 4), (20, 4)])
def test_holes_and_openings_cost_more(size_in, points):
    for kind in ("hole", "opening"):
        (yard,) = grade_yards([inches(0, size_in, kind=kind)], RULES)
        assert yard.points == points


def test_the_constants_are_the_users():
    rules = GradingRules((1, 2, 3), ("tear",), 5.0, 6)
    kinds = [("tear", 4), ("tear", 6), ("hole", 2.5)]
    found = [rules.points(size * INCH_MM, kind) for kind, size in kinds]
    assert found == [2, 4, 3]
    assert grade_yards([inches(0, 5), inches(1, 5)], rules)[0].points == 6


def test_a_yard_has_at_most_four_points_and_says_that_it_had_more():
    yards = grade_yards([inches(0, 5), inches(1, 5), inches(20, 1), inches(40, 1)], RULES)
    assert [(y.yard, y.points, y.uncapped) for y in yards] == [(0, 4, 5), (1, 1, 1)]
    assert yards[0].first_mm == 0
    assert yards[0].end_mm == pytest.approx(21 * INCH_MM)
    assert grade(yards, 10.0).capped_yards == 1


def test_a_short_defect_counts_in_the_yard_where_it_begins():
    yards = grade_yards([inches(35, 5)], RULES)
    assert [(y.yard, y.points) for y in yards] == [(0, 2)]
    assert yards[0].end_mm == pytest.approx(40 * INCH_MM)


def test_a_running_defect_has_four_points_in_every_yard_that_it_touches():
    yards = grade_yards([inches(30, 80)], RULES)
    assert [(y.yard, y.points) for y in yards] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert yards[1].first_mm == pytest.approx(YARD_MM)
    assert yards[3].end_mm == pytest.approx(110 * INCH_MM)


def test_points_per_area_in_both_units():
    yards = grade_yards([inches(0, 1), inches(100, 5)], RULES)
    result = grade(yards, 50.0)
    assert result.points == 3
    assert result.per_100m2 == pytest.approx(6.0)
    # The formula of the trade: points * 3600 / (yards * width in inches).
    width_in, length_yd = 40.0, 50.0 / (40 * INCH_MM / 1000) / (YARD_MM / 1000)
    assert result.per_100yd2 == pytest.approx(3 * 3600 / (length_yd * width_in))


def test_a_roll_of_which_nothing_was_inspected_has_no_grade():
    result = grade((), 0.0)
    assert result.per_100m2 is None
    assert result.per_100yd2 is None


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GradingRules((3, 3, 9)), "sizes_in must be positive and ascending"),
        (lambda: GradingRules(hole_in=0), "hole_in must be > 0, got 0"),
        (lambda: GradingRules(most_points_per_yard=0), "most_points_per_yard must be > 0"),
        (lambda: GradedDefect(2, 1, 0), "GradedDefect must have 0 <= first <= end"),
        (lambda: grade((), -1), "area_m2 must be >= 0, got -1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


defects = st.builds(
    lambda first, length, cross, kind: GradedDefect(first, first + length, cross, kind),
    st.floats(0, 20_000),
    st.floats(0, 5_000),
    st.floats(0, 2_000),
    st.sampled_from(["unknown", "hole"]),
)


@given(st.lists(defects, max_size=20), st.integers(1, 8))
def test_no_yard_is_over_the_cap_and_every_defect_is_in_one(found, most):
    rules = GradingRules(most_points_per_yard=most)
    yards = grade_yards(found, rules)
    assert [y.yard for y in yards] == sorted({y.yard for y in yards})
    assert all(0 < y.points == min(y.uncapped, most) for y in yards)
    for one in found:
        assert any(y.first_mm <= one.down_first_mm <= y.end_mm for y in yards)
    singles = [1 for d in found if not d.is_running]
    assert sum(y.uncapped for y in yards) >= len(singles)


@given(st.lists(defects, max_size=12), defects)
def test_the_order_does_not_matter_and_another_defect_never_makes_it_better(found, other):
    before = grade(grade_yards(found, RULES), 1.0)
    assert grade(grade_yards(reversed(found), RULES), 1.0) == before
    assert grade(grade_yards([*found, other], RULES), 1.0).points >= before.points
