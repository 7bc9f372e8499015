"""Maps to pixels: half-pixel centres, the mirrored border, and what masked cells do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from streamer.evaluation.upsampling import judged, upsample

GOLDEN = __file__.rsplit("/", 3)[0] + "/golden"


def slow_upsample(scores, shape, stride):
    """Every pixel at its place on the grid, read with the border mirrored."""
    places = np.indices(shape).reshape(2, -1)
    grid = (places + 0.5) / stride - 0.5
    values = ndimage.map_coordinates(scores.astype(float), grid, order=1, mode="mirror")
    return values.reshape(shape)


@pytest.mark.parametrize("seed", [0, 2])
def test_stored_vectors_up_to_the_border(seed):
    """Of those stored these are at a whole stride."""
    vectors = np.load(f"{GOLDEN}/metrics_s{seed}.npz")
    for low, high in zip(vectors["lowres"], vectors["upsampled"], strict=True):
        found = upsample(low, high.shape, 8)
        assert np.abs(found - high).max() < 1e-5 * high.max()


@given(st.integers(2, 9), st.integers(2, 9), st.sampled_from([1, 2, 4, 8]), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_it_is_the_slow_definition(rows, columns, stride, rest):
    scores = np.random.default_rng(rows * 10 + columns).random((rows, columns), np.float32)
    shape = (rows * stride - rest % stride, columns * stride)
    assert upsample(scores, shape, stride) == pytest.approx(
        slow_upsample(scores, shape, stride), abs=1e-5
    )


def test_a_constant_map_stays_constant():
    assert (upsample(np.full((3, 4), 0.3, np.float32), (24, 32), 8) == np.float32(0.3)).all()


def test_a_single_row_repeats_itself():
    found = upsample(np.array([[1.0, 3.0]], np.float32), (8, 16), 8)
    assert np.ptp(found, axis=0).max() == 0


def test_masked_cells_are_masked_pixels_and_leave_their_neighbours_alone():
    scores = np.ones((4, 6), np.float32)
    scores[:, 4:] = np.nan
    found = upsample(scores, (32, 48), 8)
    assert np.isnan(found[:, 32:]).all()
    assert found[:, :32] == pytest.approx(1)


@pytest.mark.parametrize("size", [(3, 4), (5, 4), (4, 6)])
def test_a_map_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match=r"scores must be \(4, 4\) for an image of \(31, 32\)"):
        upsample(np.zeros(size, np.float32), (31, 32), 8)


def test_a_tenth_of_each_side_is_left_out():
    assert judged((100, 256), 0.1) == (slice(10, 90), slice(26, 230))
    assert judged((100, 256, 3), 0) == (slice(0, 100), slice(0, 256))
