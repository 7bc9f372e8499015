"""One side at a time: how deep, how straight, how abrupt."""

import numpy as np
import pytest

from streamer.correction.margin import margin_depth
from streamer.correction.side_cells import to_grey


def with_table(weave, depth, level=250, lines=256, columns=600, seed=0):
    """Grey values with a table up to `depth` pixels of each line."""
    pixels = weave(lines, columns, seed)
    pixels[np.arange(columns) < np.broadcast_to(depth, lines)[:, None]] = level
    return to_grey(pixels)


def test_depth_is_in_pixels_of_each_line_with_a_guard(weave):
    depth = margin_depth(with_table(weave, 100))
    assert depth.shape == (256,)
    assert (depth >= 100).all()
    assert (depth <= 112).all()


def test_lines_beyond_the_last_whole_block_belong_to_it(weave):
    depth = margin_depth(with_table(weave, 100, lines=269))
    assert depth.shape == (269,)
    assert (depth[256:] == depth[255]).all()


def test_a_slanted_border_is_followed(weave):
    slanted = 80 + np.arange(256) * 0.08
    depth = margin_depth(with_table(weave, slanted))
    assert (depth >= slanted - 2).all()
    assert (depth - slanted).max() < 16


@pytest.mark.parametrize("slope", [0.2, 0.5, 1.0])
def test_a_wedge_is_no_margin(weave, slope):
    assert margin_depth(with_table(weave, 40 + np.arange(256) * slope)) is None


def test_a_ragged_border_is_no_margin(weave):
    ragged = np.repeat(np.random.default_rng(1).integers(10, 160, 16), 16)
    assert margin_depth(with_table(weave, ragged)) is None


@pytest.mark.parametrize("depth", [2, 4])
def test_a_few_pixels_are_no_margin(weave, depth):
    assert margin_depth(with_table(weave, depth)) is None


def test_half_the_picture_is_no_margin(weave):
    assert margin_depth(with_table(weave, 330)) is None


@pytest.mark.parametrize("share", [0.5, 0.8, 1.2, 1.3])
def test_web_that_is_a_little_darker_or_brighter_is_no_margin(weave, share):
    pixels = weave(256, 600, 0)
    pixels[:, :120] = (pixels[:, :120] * share).astype(np.uint8)
    assert margin_depth(to_grey(pixels)) is None


def test_dark_web_with_its_texture_is_no_margin(weave):
    """A curved or rusty part of the web keeps its texture in the dark; a frame has none."""
    grey = with_table(weave, 0)
    noise = np.random.default_rng(2).normal(0.1, 0.08, (256, 80))
    grey[:, :80] = np.clip(noise, 0, 1)
    assert margin_depth(grey) is None
    grey[:, :80] = np.clip(noise * 0.1 + 0.05, 0, 1)
    assert margin_depth(grey) is not None


def test_plain_grey_is_all_web():
    assert margin_depth(np.full((256, 600), 0.5, np.float32)) is None


@pytest.mark.parametrize("shape", [(95, 600), (256, 95)])
def test_pictures_without_enough_cells_have_none(weave, shape):
    assert margin_depth(with_table(weave, 20, lines=shape[0], columns=shape[1])) is None
