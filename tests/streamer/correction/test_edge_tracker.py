"""Edges that wander are followed within a tolerance; holes, threads and bites pull at nothing."""

import numpy as np
import pytest
from edge_webs import edged_web, frayed_web, pierced, to_bytes, wandering, woven
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction.edge_profile import profile_of, sampled_lines
from streamer.correction.edge_tracker import PATIENCE, TrackState, track, web_cells

GROUP, COLUMNS = 128, 800
TOLERANCE_PX = 12  # three cells: two groups' lag of an edge that moves 1:40, and the fray


def follow(pixels, state=None):
    """The state after each group of GROUP lines."""
    state, states = state or TrackState(), []
    for first in range(0, len(pixels), GROUP):
        group = pixels[first : first + GROUP]
        state = track(state, profile_of(group[list(sampled_lines(len(group)))]))
        states.append(state)
    return states


def margins(states):
    return np.array([state.margins_px for state in states])


@settings(max_examples=25, deadline=None)
@given(
    margin=st.sampled_from(["white", "black", "bright", "table"]),
    seed=st.integers(0, 1000),
    start=st.floats(60, 200),
    amplitude=st.floats(0, 30),
    fray=st.floats(0, 6),
    holes=st.integers(0, 12),
)
def test_edges_that_wander_are_tracked_within_the_tolerance(
    margin, seed, start, amplitude, fray, holes
):
    lines = 12 * GROUP
    left = wandering(lines, start, amplitude, 8000)
    right = wandering(lines, start + 20, amplitude, 8000)
    web = pierced(frayed_web(left, right, COLUMNS, margin, seed, fray), holes, margin, seed)
    found = margins(follow(web.pixels))
    middle = slice(GROUP // 2, None, GROUP)
    true = np.stack([web.left[middle], web.right[middle]], axis=1)
    assert np.abs(found - true).max() <= TOLERANCE_PX


@pytest.mark.parametrize("margin", ["white", "table", "black"])
def test_a_bite_out_of_the_edge_is_left_for_inspection(margin):
    lines = 12 * GROUP
    left = np.full(lines, 100.0)
    left[4 * GROUP : 6 * GROUP] = 180  # half as many groups as the patience
    states = follow(edged_web(left, np.full(lines, 50.0), COLUMNS, margin).pixels)
    assert np.abs(margins(states)[:, 0] - 100).max() <= 4
    assert min(state.left.confidence for state in states[4:7]) < 1
    assert states[-1].left.confidence > 0.9


def test_a_web_that_stays_narrower_is_believed_in_the_end():
    lines = 20 * GROUP
    left = np.full(lines, 100.0)
    left[4 * GROUP :] = 220
    found = margins(follow(edged_web(left, left, COLUMNS).pixels))[:, 0]
    assert found[4] == pytest.approx(100, abs=1)
    assert found[-1] == pytest.approx(220, abs=1)
    late = int(np.argmax(found > 200)) - 4
    assert PATIENCE <= late <= PATIENCE + 3


def test_a_web_that_is_wider_than_thought_is_believed_after_the_median():
    lines = 12 * GROUP
    left = np.full(lines, 220.0)
    left[4 * GROUP :] = 80
    found = margins(follow(edged_web(left, left, COLUMNS).pixels))[:, 0]
    assert found[7] == pytest.approx(80, abs=1)


def test_edges_that_leave_the_picture_leave_no_margin():
    lines = 24 * GROUP
    left = np.linspace(60, -60, lines)
    states = follow(edged_web(left, left, COLUMNS).pixels)
    assert states[-1].margins_px == (0, 0)
    assert states[-1].left.margin is None
    assert states[-1].confidence == 1


@given(st.integers(0, 200))
@settings(max_examples=10, deadline=None)
def test_a_web_that_fills_the_picture_keeps_no_margin(seed):
    states = follow(to_bytes(woven(6 * GROUP, COLUMNS, seed)))
    assert (margins(states) == 0).all()


def test_a_margin_of_which_the_border_is_hidden_stays_with_no_confidence():
    lines = np.full(6 * GROUP, 100.0)
    web = edged_web(lines, lines, COLUMNS)
    states = follow(web.pixels)
    blurred = web.pixels[:GROUP].copy()
    ramp = np.linspace(255, 130, 400)
    blurred[:, :400] = ramp.astype(np.uint8)
    after = follow(blurred, states[-1])[-1]
    assert after.left.edge_px == pytest.approx(100, abs=1)
    assert after.left.confidence == 0
    assert after.left.held == 1


def test_after_a_break_the_edges_are_where_they_are_seen_first():
    lines = np.full(6 * GROUP, 100.0)
    state = follow(edged_web(lines, lines, COLUMNS).pixels)[-1]
    moved = edged_web(lines[:GROUP] + 90, lines[:GROUP], COLUMNS).pixels
    assert follow(moved, state)[-1].left.edge_px == pytest.approx(100, abs=1)
    assert follow(moved, state.after_break())[-1].left.edge_px == pytest.approx(190, abs=1)


def test_the_web_is_looked_at_between_its_edges():
    lines = np.full(GROUP, 300.0)
    pixels = edged_web(lines, np.full(GROUP, 20.0), COLUMNS).pixels
    profile = profile_of(pixels[list(sampled_lines(GROUP))])
    assert web_cells(TrackState(), profile) == slice(40, 160)
    cells = web_cells(track(TrackState(), profile), profile)
    assert cells.start > 75
    assert cells.stop < 195
