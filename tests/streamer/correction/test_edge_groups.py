"""Groups of lines: where they end, what each tells, and lines without web between them."""

import numpy as np
import pytest
from edge_webs import edged_web
from hypothesis import given
from hypothesis import strategies as st

from streamer.correction.edge_groups import (
    GROUP_LINES,
    GroupLines,
    GroupState,
    group_end,
    judge,
)
from streamer.correction.edge_mask import MaskRule
from streamer.correction.edge_profile import sampled_lines
from streamer.correction.web_grid import true_runs

COLUMNS = 600
RULE = MaskRule(12)


def lines_of(pixels):
    sampled = pixels[list(sampled_lines(len(pixels)))]
    return GroupLines(len(pixels), sampled, lambda: pixels)


def web(lines=GROUP_LINES, depth=80):
    still = np.full(lines, float(depth))
    return edged_web(still, still / 2, COLUMNS).pixels


def judge_all(pixels, state=None):
    state, blanks = state or GroupState(), []
    for first in range(0, len(pixels), GROUP_LINES):
        state, blank = judge(state, lines_of(pixels[first : first + GROUP_LINES]), RULE)
        blanks.append(blank)
    return state, np.concatenate(blanks)


@given(st.integers(0, 10**9))
def test_groups_end_at_fixed_lines_and_are_at_least_half(first):
    end = group_end(first)
    assert end % GROUP_LINES == 0
    assert GROUP_LINES // 2 <= end - first < GROUP_LINES * 3 // 2
    assert group_end(end) == end + GROUP_LINES


def test_the_first_group_already_has_its_masks():
    state, blank = judge(GroupState(), lines_of(web()), RULE)
    assert not blank.any()
    assert 80 <= state.sides_px[0] <= 92
    assert 40 <= state.sides_px[1] <= 52


def test_a_few_lines_do_not_move_what_is_known():
    state, _ = judge(GroupState(), lines_of(web()), RULE)
    later, blank = judge(state, lines_of(web(8, 200)), RULE)
    assert later == state
    assert blank.shape == (8,)


@pytest.mark.parametrize(
    ("first", "end"), [(100, 800), (400, 520), (256, 512), (5, 1029), (500, 1100)]
)
def test_lines_without_web_are_exact_across_groups(first, end):
    pixels = web(6 * GROUP_LINES)
    pixels[first:end] = 255
    state, blank = judge_all(pixels)
    assert list(true_runs(blank)) == [(first, end)]
    assert not state.is_blank
    assert 80 <= state.sides_px[0] <= 92


def test_web_that_begins_in_the_middle_of_a_group_is_masked_there():
    pixels = web(2 * GROUP_LINES)
    pixels[: GROUP_LINES + 40] = 255
    state, blank = judge_all(pixels)
    assert list(true_runs(blank)) == [(0, GROUP_LINES + 40)]
    assert 80 <= state.sides_px[0] <= 92


def test_a_roll_without_any_web_is_blank_to_its_end():
    state, blank = judge_all(np.full((2 * GROUP_LINES + 7, COLUMNS), 255, np.uint8))
    assert blank.all()
    assert state.is_blank
    assert not state.after_break().is_blank
    assert state.sides_px == (0, 0)


def test_what_is_too_narrow_is_refused():
    narrow = np.zeros((GROUP_LINES, 50), np.uint8)
    with pytest.raises(ValueError, match="web must be at least 96 columns wide"):
        judge(GroupState(), lines_of(narrow), RULE)
