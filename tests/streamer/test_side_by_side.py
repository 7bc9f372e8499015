"""Cameras side by side: seams on the grid, strips joined whatever comes when, nothing lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Interval
from streamer.side_by_side import CameraPlace, JoinState, add_strip, find_seams, take_joined
from streamer.web import INSPECTED, LaneCoverage, Strip

STRIDE = 4
PLACES = (
    CameraPlace("a", Interval(0, 16)),
    CameraPlace("b", Interval(16, 28), 2),
    CameraPlace("c", Interval(28, 39), 3),
)


def strip(camera, first, lines, scores=None, starts=False, status=INSPECTED):
    width = PLACES[camera].columns.size
    shape = -(-lines // STRIDE), -(-width // STRIDE)
    if scores is None:
        scores = np.full(shape, camera + first / 1000, np.float32)
    coverage = (LaneCoverage(0, Interval(0, width), status),)
    return Strip(first, lines, STRIDE, scores, starts, first + lines, coverage)


def joined_all(state):
    state, strips = take_joined(state)
    assert take_joined(state)[1] == ()
    return state, strips


def test_seams_lie_in_the_middle_of_the_overlap_on_the_grid():
    views = (Interval(0, 100), Interval(80, 180), Interval(180, 240))
    assert find_seams(views[:2], 16) == (96,)
    assert find_seams(views, 4) == (88, 180)
    assert find_seams((Interval(0, 5),), 8) == ()


@pytest.mark.parametrize(
    ("views", "rule"),
    [
        ((Interval(0, 100), Interval(101, 200)), "overlap or touch"),
        ((Interval(0, 100), Interval(50, 90)), "overlap or touch"),
        ((Interval(0, 100), Interval(0, 200)), "overlap or touch"),
        ((Interval(0, 100), Interval(97, 200)), r"at a multiple of 16 .*first=97, end=100"),
        ((Interval(3, 100),), "first camera must be at 0"),
        ((), "first camera must be at 0"),
    ],
)
def test_cameras_that_do_not_fit_are_refused(views, rule):
    with pytest.raises(ValueError, match=rule):
        find_seams(views, 16)


@given(st.integers(1, 32), st.integers(0, 200), st.integers(0, 64))
def test_a_seam_is_seen_by_both_cameras(alignment, first, lap):
    left, right = Interval(0, first + lap + 1), Interval(first + 1, first + lap + 300)
    try:
        (seam,) = find_seams((left, right), alignment)
    except ValueError:
        assert not any(c % alignment == 0 for c in range(right.first, left.end + 1))
        return
    assert right.first <= seam <= left.end
    assert seam % alignment == 0


@pytest.mark.parametrize(
    ("places", "rule"),
    [
        ((), "there must be a camera"),
        ((PLACES[0], PLACES[2]), "share the web without a hole"),
        ((CameraPlace("a", Interval(0, 6)), CameraPlace("b", Interval(6, 9))), "multiples of 4"),
    ],
)
def test_places_that_do_not_make_a_web_are_refused(places, rule):
    with pytest.raises(ValueError, match=rule):
        JoinState(places, STRIDE)


def test_nothing_comes_before_every_camera_has_come():
    state = add_strip(JoinState(PLACES, STRIDE), 0, strip(0, 0, 8))
    state = add_strip(state, 2, strip(2, 0, 8))
    assert take_joined(state) == (state, ())
    state, (whole,) = joined_all(add_strip(state, 1, strip(1, 0, 8)))
    assert (state.next_line, state.waiting) == (8, ((), (), ()))
    assert (whole.first_line, whole.line_count, whole.captured_ns) == (0, 8, 8)
    row = [0.0] * 4 + [1.0] * 3 + [2.0] * 3
    assert whole.scores.tolist() == [row, row]
    assert [(c.camera, c.lane, c.columns) for c in whole.coverage] == [
        ("a", 0, Interval(0, 16)), ("b", 2, Interval(16, 28)), ("c", 3, Interval(28, 39)),
    ]  # fmt: skip


def test_strips_of_one_camera_pass_as_they_are():
    state = JoinState((CameraPlace("a", Interval(0, 17)),), STRIDE)
    first, second = strip(0, 0, 8), strip(0, 8, 3)
    state = add_strip(add_strip(state, 0, first), 0, second)
    state, strips = joined_all(state)
    assert strips == (first, second)
    assert state.next_line == 11


def test_a_strip_that_comes_again_is_refused():
    state = add_strip(JoinState(PLACES, STRIDE), 1, strip(1, 0, 8))
    with pytest.raises(ValueError, match="begin at 8 or later"):
        add_strip(state, 1, strip(1, 4, 8))


def test_a_gap_of_one_camera_cuts_the_others_and_keeps_their_scores():
    state = JoinState(PLACES[:2], STRIDE)
    state = add_strip(state, 0, strip(0, 0, 16))
    for first, lines, status in ((0, 8, INSPECTED), (8, 4, "overload"), (12, 4, INSPECTED)):
        scores = None if status == INSPECTED else np.full((1, 3), np.nan, np.float32)
        state = add_strip(state, 1, strip(1, first, lines, scores, lines == 4, status))
    _, strips = joined_all(state)
    assert [(s.first_line, s.line_count, s.starts_piece) for s in strips] == [
        (0, 8, False), (8, 4, False), (12, 4, False),
    ]  # fmt: skip
    assert np.isnan(strips[1].scores[:, 4:]).all()
    assert (strips[1].scores[:, :4] == 0).all()
    assert [c.status for c in strips[1].coverage] == [INSPECTED, "overload"]


def test_a_seam_that_all_cameras_see_starts_a_piece():
    state = JoinState(PLACES[:2], STRIDE)
    for camera in (0, 1):
        state = add_strip(state, camera, strip(camera, 0, 8, starts=True))
    assert joined_all(state)[1][0].starts_piece


def test_a_row_off_the_grid_shows_in_both_rows_that_it_touches():
    state = JoinState(PLACES[:2], STRIDE)
    state = add_strip(state, 0, strip(0, 0, 12))
    state = add_strip(state, 1, strip(1, 0, 2, np.full((1, 3), 7, np.float32)))
    high = np.array([[0] * 3, [9] * 3, [0] * 3], np.float32)
    state = add_strip(state, 1, strip(1, 2, 10, high))
    _, strips = joined_all(state)
    # Lines 2 to 12: the rows of camera a begin at 0, 4 and 8, those of b at 2, 6 and 10.
    assert [(s.first_line, s.line_count) for s in strips] == [(0, 2), (2, 10)]
    assert strips[1].scores[:, 4].tolist() == [0, 9, 0]
    assert strips[1].scores[:, 0].tolist() == [0, 0, 0]
    state = JoinState(PLACES[:2], STRIDE)
    high = np.array([[0], [9], [0]], np.float32).repeat(4, axis=1)
    state = add_strip(state, 0, strip(0, 0, 12, high))
    state = add_strip(state, 1, strip(1, 0, 2))
    _, strips = joined_all(add_strip(state, 1, strip(1, 2, 10)))
    assert strips[1].scores[:, 0].tolist() == [9, 9, 0]


def cut_at_random(data, camera, web):
    """Strips of one camera of `web` (rows, columns), cut at grid rows."""
    rows = web.shape[0]
    cuts = data.draw(st.sets(st.integers(1, rows - 1), max_size=4) if rows > 1 else st.just(set()))
    bounds = [0, *sorted(cuts), rows]
    first = PLACES[camera].columns.first // STRIDE
    width = -(-PLACES[camera].columns.size // STRIDE)
    return [
        strip(camera, a * STRIDE, (b - a) * STRIDE, web[a:b, first : first + width])
        for a, b in zip(bounds, bounds[1:], strict=False)
    ]


@given(st.data())
def test_the_joined_map_is_the_web_however_it_was_cut_and_whatever_came_when(data):
    rows = data.draw(st.integers(1, 12))
    web = np.random.default_rng(rows).random((rows, 10), np.float32)
    parts = [cut_at_random(data, camera, web) for camera in range(3)]
    order = data.draw(st.permutations([c for c, strips in enumerate(parts) for _ in strips]))
    queues, state, out = [iter(p) for p in parts], JoinState(PLACES, STRIDE), []
    for camera in order:
        state, strips = take_joined(add_strip(state, camera, next(queues[camera])))
        out += strips
    assert np.array_equal(np.concatenate([s.scores for s in out]), web)
    assert [s.first_line for s in out] == sorted({s.first_line for p in parts for s in p})
    assert state.reached == (rows * STRIDE,) * 3


def test_lines_that_no_camera_knows_of_make_no_strip():
    state = JoinState(PLACES[:2], STRIDE)
    for camera in (0, 1):
        state = add_strip(state, camera, replace(strip(camera, 8, 8), starts_piece=True))
    _, strips = joined_all(state)
    assert [s.first_line for s in strips] == [8]
