import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.correction.mirror import mirror_web

FLAGS = arrays.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20)))


@given(FLAGS, st.integers(0, 99))
def test_web_stays_and_the_rest_is_made_of_it(off_web, seed):
    pixels = np.random.default_rng(seed).integers(0, 200, off_web.shape, np.uint8)
    pixels[off_web] = 255
    before = pixels.copy()
    filled = mirror_web(pixels, off_web)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(filled[~off_web], pixels[~off_web])
    if not off_web.all():
        assert np.isin(filled[off_web], pixels[~off_web]).all()


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("margin", [1, 5, 10])
def test_a_straight_margin_is_the_mirror_that_numpy_makes(channels, margin):
    web = np.random.default_rng(1).integers(0, 256, (12, 20, *channels), np.uint8)
    around = [(0, 0), (margin, 0), (0, 0)][: web.ndim]
    padded = np.pad(web, around, mode="constant", constant_values=9)
    off_web = np.zeros(padded.shape[:2], dtype=bool)
    off_web[:, :margin] = True
    np.testing.assert_array_equal(mirror_web(padded, off_web), np.pad(web, around, mode="reflect"))


def test_a_margin_wider_than_the_web_repeats_its_border():
    row = np.array([[0, 0, 0, 7, 8]], np.uint8)
    filled = mirror_web(row, np.array([[True, True, True, False, False]]))
    np.testing.assert_array_equal(filled, [[7, 7, 8, 7, 8]])


def test_a_slanted_border_is_no_edge_any_more():
    y, x = np.mgrid[0:200, 0:200]
    pixels = (120 + 30 * np.sin((x + y) * 0.3)).astype(np.uint8)
    off_web = x < 40 + 0.2 * y
    pixels[off_web] = 255
    filled = mirror_web(pixels, off_web)
    assert filled.max() <= 150
    first = np.argmin(off_web, axis=1)
    lines = np.arange(200)
    step = filled[lines, first].astype(int) - filled[lines, first - 1]
    assert np.abs(step).mean() < 10


def test_nothing_to_do_and_nothing_to_do_it_with():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for off_web in (np.zeros((3, 4), bool), np.ones((3, 4), bool)):
        np.testing.assert_array_equal(mirror_web(pixels, off_web), pixels)
