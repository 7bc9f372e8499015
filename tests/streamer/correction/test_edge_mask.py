"""Masks: on a grid, within the guard, and still where the edge hardly moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.correction.edge_mask import (
    IgnoreZone,
    MaskRule,
    ignored_columns,
    masked_columns,
    next_change,
    next_mask,
)
from streamer.message import Interval

RULES = st.builds(MaskRule, guard_px=st.floats(0, 100), selvedge_px=st.floats(0, 80))


@given(RULES, st.lists(st.floats(0.5, 500), min_size=1, max_size=30))
def test_a_mask_covers_the_edge_and_never_more_than_the_guard_beyond(rule, edges):
    mask = 0
    for edge in edges:
        mask = next_mask(mask, edge, rule)
        least = edge + rule.selvedge_px
        assert least <= mask
        assert mask <= max(least + rule.guard_px, np.ceil(least))


@given(RULES, st.floats(1, 500))
def test_an_edge_that_wanders_less_than_the_dead_band_moves_nothing(rule, edge):
    mask = next_mask(0, edge, rule)
    least = edge + rule.selvedge_px
    room_in, room_out = mask - least, least + rule.guard_px - mask
    for share in (0.9, -0.9):
        moved = edge + share * (room_in if share > 0 else max(room_out, 0))
        if moved > 0:
            assert next_mask(mask, moved, rule) == mask


@given(RULES.filter(lambda rule: rule.guard_px >= 4), st.floats(1, 500))
def test_a_new_mask_ends_on_the_grid(rule, edge):
    assert next_mask(0, edge, rule) % rule.grid_px == 0


@pytest.mark.parametrize(("guard", "grid"), [(0, 1), (1.9, 1), (4, 2), (14, 4), (16, 8), (900, 16)])
def test_the_grid_is_a_power_of_two_of_which_the_guard_holds_two(guard, grid):
    assert MaskRule(guard).grid_px == grid


def test_an_edge_beside_the_picture_needs_no_mask():
    assert next_mask(40, 0, MaskRule(10)) == 0


def test_a_guard_below_nothing_is_refused():
    with pytest.raises(ValueError, match="guard_px must be >= 0, got -1"):
        MaskRule(-1)
    with pytest.raises(ValueError, match="selvedge_px must be >= 0, got -2"):
        MaskRule(1, -2)
    with pytest.raises(ValueError, match="least_px must be >= 0"):
        MaskRule(1, 0, (0, -1))


def test_the_fixed_margins_are_masked_in_any_case():
    rule = MaskRule(10, 0, (30, 0))
    assert masked_columns((20, 5), Interval(0, 100), rule) == (Interval(0, 30), Interval(95, 100))
    assert masked_columns((40, 0), Interval(8, 90), rule) == (Interval(8, 48),)
    assert masked_columns((80, 80), Interval(0, 100), rule) == (Interval(0, 100),)


ZONES = (
    IgnoreZone(Interval(100, 200), Interval(10, 20)),
    IgnoreZone(Interval(150, 1 << 62), Interval(15, 120)),
)


def test_zones_hold_within_their_lines():
    assert ignored_columns(ZONES, 99, 100) == ()
    assert ignored_columns(ZONES, 100, 100) == (Interval(10, 20),)
    assert ignored_columns(ZONES, 160, 100) == (Interval(10, 100),)
    assert ignored_columns(ZONES, 200, 100) == (Interval(15, 100),)


def test_the_next_change_is_where_a_zone_begins_or_ends():
    assert [next_change(ZONES, line) for line in (0, 100, 150, 200)] == [100, 150, 200, 1 << 62]
    assert next_change((), 0) is None
