"""The cut plan: exact against brute force, and the rules of a piece one by one."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cut_plan import PieceRules, PlannedWeb, plan_cuts


def rules(lengths, limit=100.0, resolution_m=1.0, width_m=1.0):
    return PieceRules(tuple(lengths), resolution_m, width_m, limit)


def borders(plan):
    return [(piece.first, piece.end) for piece in plan.pieces]


def test_a_clean_roll_is_one_piece():
    assert borders(plan_cuts(PlannedWeb(12.0), rules(range(3, 13)))) == [(0, 12)]


def test_of_equal_plans_one_with_the_fewest_pieces():
    plan = plan_cuts(PlannedWeb(12.0), rules([3, 4, 6]))
    assert len(plan.pieces) == 2
    assert plan.first_quality_cells == 12


def test_what_was_not_inspected_is_in_no_piece():
    web = PlannedWeb(10.0, blocked=((3.999, 4.0005),))
    assert borders(plan_cuts(web, rules(range(2, 11)))) == [(0, 3), (5, 10)]


def test_a_seam_is_a_cut_even_on_a_border():
    assert borders(plan_cuts(PlannedWeb(10.0, seams=(4.0,)), rules(range(2, 11)))) == [
        (0, 4),
        (4, 10),
    ]


def test_a_seam_within_a_cell_costs_the_cell():
    assert borders(plan_cuts(PlannedWeb(10.0, seams=(4.5,)), rules(range(2, 11)))) == [
        (0, 4),
        (5, 10),
    ]


def test_a_fault_on_a_cut_counts_on_both_sides():
    web = PlannedWeb(10.0, faults=((4.5, 5.5, 1),))
    plan = plan_cuts(web, rules([5], limit=100))
    assert [piece.points for piece in plan.pieces] == [1, 1]
    assert borders(plan_cuts(web, rules([5, 4], limit=19))) == [(0, 4), (6, 10)]


def test_a_piece_may_have_exactly_the_limit():
    web = PlannedWeb(10.0, faults=((2.0, 2.1, 3),))
    assert len(plan_cuts(web, rules([10], limit=30)).pieces) == 1
    assert len(plan_cuts(web, rules([10], limit=29.9)).pieces) == 0


def test_points_are_per_area():
    web = PlannedWeb(10.0, faults=((2.0, 2.1, 3),))
    assert len(plan_cuts(web, rules([10], limit=15, width_m=2.0)).pieces) == 1
    assert len(plan_cuts(web, rules([10], limit=14, width_m=2.0)).pieces) == 0


def test_a_roll_that_is_shorter_than_any_piece_gives_none():
    plan = plan_cuts(PlannedWeb(2.9), rules([3]))
    assert (plan.pieces, plan.cells) == ((), 2)
    assert plan_cuts(PlannedWeb(0.0), rules([3])).cells == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: rules([]),
        lambda: rules([0, 1]),
        lambda: rules([1], limit=-1),
        lambda: rules([1], resolution_m=0),
        lambda: rules(range(1, 10_002)),
    ],
)
def test_rules_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()


# Thirds of a cell: stretches begin and end on borders and within cells.
thirds = st.tuples(st.integers(0, 33), st.integers(0, 8))
webs = st.builds(
    lambda cells, blocked, seams, faults: (
        cells,
        [(first, first + size) for first, size in blocked if size],
        seams,
        [(first, first + size + 1, points) for (first, size), points in faults],
    ),
    st.integers(0, 10),
    st.lists(thirds, max_size=2),
    st.lists(st.integers(0, 33), max_size=2),
    st.lists(st.tuples(thirds, st.integers(1, 4)), max_size=4),
)


def is_first_quality(piece, web, most):
    """Straight from the rules, on thirds of a cell."""
    _, blocked, seams, faults = web
    first, end = piece
    touched = {cell for a, b in blocked for cell in range(a // 3, -(-b // 3))}
    touched |= {seam // 3 for seam in seams if seam % 3}
    if touched & set(range(first, end)) or any(first * 3 < seam < end * 3 for seam in seams):
        return False
    cells = [(a // 3, -(-b // 3), points) for a, b, points in faults]
    return sum(p for a, b, p in cells if a < end and b > first) <= most * (end - first)


def best_by_force(web, lengths, most):
    """(length, -pieces) over every set of disjoint pieces."""
    count = web[0]
    pieces = [(a, a + n) for n in lengths for a in range(count - n + 1)]
    good = [piece for piece in pieces if is_first_quality(piece, web, most)]
    best = (0, 0)
    for number in range(1, count + 1):
        for chosen in itertools.combinations(sorted(good), number):
            if all(a[1] <= b[0] for a, b in itertools.pairwise(chosen)):
                best = max(best, (sum(b - a for a, b in chosen), -number))
    return best


@settings(max_examples=300, deadline=None)
@given(webs, st.sets(st.integers(2, 6), min_size=1, max_size=3), st.sampled_from([0, 1, 2]))
def test_no_plan_is_better(web, lengths, most):
    count, blocked, seams, faults = web
    planned = PlannedWeb(
        float(count),
        tuple((a / 3, b / 3) for a, b in blocked),
        tuple(seam / 3 for seam in seams),
        tuple((a / 3, b / 3, points) for a, b, points in faults),
    )
    plan = plan_cuts(planned, rules(lengths, limit=100.0 * most))
    found = borders(plan)
    assert all(is_first_quality(piece, web, most) for piece in found)
    assert all(b - a in lengths for a, b in found)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    assert (plan.first_quality_cells, -len(found)) == best_by_force(web, lengths, most)


def test_a_long_roll_is_planned_while_one_waits():
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 10_000, 4000)
    web = PlannedWeb(10_000.0, faults=tuple((s, s + 0.02, 1) for s in starts.tolist()))
    began = time.perf_counter()
    plan = plan_cuts(web, rules(range(100, 1001), limit=30, resolution_m=0.1, width_m=1.6))
    assert time.perf_counter() - began < 30
    assert plan.cells == 100_000
    assert 0.5 < plan.first_quality_cells / plan.cells <= 1
    most = rules([1], limit=30, resolution_m=0.1, width_m=1.6)
    lengths = np.array([piece.end - piece.first for piece in plan.pieces])
    assert (np.array([piece.points for piece in plan.pieces]) <= most.most_points(lengths)).all()
