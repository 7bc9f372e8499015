"""Level and texture across the web, and what a few odd lines do to them: nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamer.correction.edge_profile import (
    FAINTEST,
    SAMPLES,
    cell_pixels,
    ninther,
    profile_of,
    sampled_lines,
    to_levels,
)


@given(st.integers(1, 400))
def test_the_sampled_lines_rise_and_end_with_the_last(count):
    lines = sampled_lines(count)
    assert len(lines) == SAMPLES
    assert list(lines) == sorted(lines)
    assert lines[0] >= 0
    assert lines[-1] == count - 1


def test_no_lines_are_refused():
    with pytest.raises(ValueError, match="group must hold a line, got 0"):
        sampled_lines(0)


@pytest.mark.parametrize(("columns", "size"), [(400, 4), (4096, 8), (8192, 16), (16384, 32)])
def test_cells_are_wider_on_wider_webs(columns, size):
    assert cell_pixels(columns) == size


def test_level_and_texture_are_those_of_the_cells():
    rng = np.random.default_rng(0)
    lines = rng.integers(0, 256, (SAMPLES, 402), dtype=np.uint8)
    profile = profile_of(lines)
    cells = (lines[:, :400] / 255).reshape(SAMPLES, 100, 4)
    np.testing.assert_allclose(profile.line_levels, cells.mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(profile.line_variances, cells.var(axis=2), atol=1e-6)
    np.testing.assert_allclose(profile.level, ninther(profile.line_levels))
    deviation = np.maximum(np.sqrt(ninther(cells.var(axis=2))), FAINTEST)
    np.testing.assert_allclose(profile.texture, np.log(deviation), atol=1e-3)


@given(hnp.arrays(np.float32, (9, 3), elements=st.floats(0, 1, width=32)))
def test_the_ninther_is_close_to_the_median(values):
    ranks = np.sort(values, axis=0)
    found = ninther(values)
    assert (ranks[3] <= found).all()
    assert (found <= ranks[5]).all()


@given(st.integers(0, 6), st.integers(0, 255))
def test_three_lines_in_a_row_that_show_a_hole_change_nothing(first, shade):
    lines = np.full((SAMPLES, 400), 100, np.uint8)
    lines[:, ::2] = 120
    clean = profile_of(lines)
    lines[first : first + 3] = shade
    pierced = profile_of(lines)
    np.testing.assert_array_equal(pierced.level, clean.level)
    np.testing.assert_array_equal(pierced.texture, clean.texture)


def test_sixteen_bits_and_colours_read_as_eight_bits_do():
    grey = np.random.default_rng(1).integers(0, 256, (SAMPLES, 400), dtype=np.uint8)
    colours = np.stack([grey // 3, grey, grey // 2], axis=-1)
    deep = grey.astype(np.uint16) * 257
    expected = to_levels(grey)
    np.testing.assert_allclose(to_levels(deep), expected, atol=1e-6)
    np.testing.assert_array_equal(to_levels(colours), expected)


def test_from_the_right_everything_is_mirrored_and_the_remainder_left_out():
    lines = np.tile(np.arange(402) % 256, (SAMPLES, 1)).astype(np.uint8)
    profile = profile_of(lines)
    mirrored = profile.mirrored
    np.testing.assert_array_equal(mirrored.level, profile.level[::-1])
    np.testing.assert_array_equal(mirrored.grey, profile.grey[:, ::-1])
    assert (profile.grey.shape, profile.rest_px) == ((SAMPLES, 400), 2)
    direct = profile_of(np.ascontiguousarray(lines[:, 399::-1]))
    np.testing.assert_allclose(mirrored.level, direct.level, atol=1e-6)


def test_what_is_too_narrow_or_not_a_group_is_refused():
    with pytest.raises(ValueError, match="web must be at least 96 columns wide .*, got 80"):
        profile_of(np.zeros((SAMPLES, 80), np.uint8))
    with pytest.raises(ValueError, match="lines must be 9, got 3"):
        profile_of(np.zeros((3, 400), np.uint8))


def test_of_wide_cells_some_columns_are_enough():
    lines = np.random.default_rng(2).integers(0, 256, (SAMPLES, 8200), dtype=np.uint8)
    profile = profile_of(lines)
    assert (profile.cell_px, profile.step, profile.rest_px) == (16, 2, 8)
    cells = (lines[:, :8192:2] / 255).reshape(SAMPLES, 512, 8)
    np.testing.assert_allclose(profile.line_levels, cells.mean(axis=2), atol=1e-6)
