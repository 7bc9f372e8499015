import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.correction.web_grid import masked_grid, true_runs, web_box, web_rectangles

FLAGS = arrays.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30)))


def test_a_cell_is_masked_from_half_of_it_on():
    off_web = np.zeros((16, 24), bool)
    off_web[:, :12] = True
    off_web[:8, 20:] = True
    off_web[8, 21:] = True
    np.testing.assert_array_equal(
        masked_grid(off_web, 8), [[True, True, True], [True, True, False]]
    )


@given(FLAGS, st.integers(1, 9))
def test_the_grid_covers_the_picture_and_keeps_what_is_all_one(flags, stride):
    grid = masked_grid(flags, stride)
    assert grid.shape == tuple(-(-size // stride) for size in flags.shape)
    assert masked_grid(np.ones_like(flags), stride).all()
    assert not masked_grid(np.zeros_like(flags), stride).any()


@given(FLAGS)
def test_the_box_is_the_smallest_that_holds_all_web(masked):
    if masked.all():
        with pytest.raises(ValueError, match="image must show web, got nothing that is not masked"):
            web_box(masked)
        return
    rows, columns = web_box(masked)
    assert (~masked[rows, columns]).sum() == (~masked).sum()
    for side in (masked[rows.start], masked[rows.stop - 1]):
        assert not side.all()
    for side in (masked[:, columns.start], masked[:, columns.stop - 1]):
        assert not side.all()


@given(FLAGS, st.integers(1, 7))
def test_rectangles_are_web_alone_hold_windows_and_do_not_overlap(masked, side):
    seen = np.zeros(masked.shape, int)
    rectangles = web_rectangles(masked, side)
    for rows, columns in rectangles:
        assert not masked[rows, columns].any()
        seen[rows, columns] += 1
        if masked.any():
            assert min(rows.stop - rows.start, columns.stop - columns.start) >= side
            assert (rows.stop - rows.start) % side == 0
    assert seen.max(initial=0) <= 1


def test_without_a_mask_there_is_one_rectangle():
    assert web_rectangles(np.zeros((7, 9), bool), 3) == [(slice(0, 7), slice(0, 9))]


def test_equal_bands_are_one_rectangle_and_other_ones_their_own():
    masked = np.zeros((12, 20), bool)
    masked[:, :4] = True
    masked[6:9, 10] = True
    assert web_rectangles(masked, 3) == [
        (slice(0, 6), slice(4, 20)),
        (slice(6, 9), slice(4, 10)),
        (slice(6, 9), slice(11, 20)),
        (slice(9, 12), slice(4, 20)),
    ]


def test_no_window_no_rectangle():
    assert web_rectangles(np.eye(8, dtype=bool), 5) == []


@given(arrays.arrays(bool, st.integers(0, 40)))
def test_runs_are_what_is_true(flags):
    again = np.zeros_like(flags)
    for first, end in true_runs(flags):
        assert first < end
        again[first:end] = True
    np.testing.assert_array_equal(again, flags)
