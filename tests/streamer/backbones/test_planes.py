"""Pixels to planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.backbones.planes import to_planes

_SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([None, 3]))


@given(st.data(), _SHAPES, st.sampled_from([np.uint8, np.uint16]))
def test_full_range_becomes_0_to_1(
    data: st.DataObject, cells: tuple[int, int, int | None], dtype: type[np.uint8 | np.uint16]
) -> None:
    lines, columns, channels = cells
    shape = (2 * lines, 2 * columns) if channels is None else (2 * lines, 2 * columns, 3)
    pixels = data.draw(arrays.arrays(dtype, shape))
    planes = to_planes(pixels, stride=2)
    assert planes.dtype == np.float32
    assert planes.shape == (1, 3, 2 * lines, 2 * columns)
    assert planes.flags.c_contiguous
    expected = pixels.astype(np.float64) / np.iinfo(dtype).max
    for channel in range(3):
        plane = expected if channels is None else expected[..., channel]
        np.testing.assert_allclose(planes[0, channel], plane, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_white_is_one(dtype: type[np.uint8 | np.uint16], top: int) -> None:
    planes = to_planes(np.full((8, 8), top, dtype), 8)
    assert float(planes.min()) == float(planes.max()) == pytest.approx(1.0, abs=1e-7)


def test_a_view_with_gaps_is_read_as_it_stands() -> None:
    wide = np.arange(8 * 32, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(to_planes(wide[:, 8:24], 8), to_planes(wide[:, 8:24].copy(), 8))


def test_pixels_are_left_as_they_were() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    pixels.setflags(write=False)
    to_planes(pixels, 8)[...] = 7
    assert int(pixels[7, 7]) == 63


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (0, 8), (8, 0), (4, 4, 3)])
def test_other_sizes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pixels must have a multiple of 8 lines and columns, got"):
        to_planes(np.zeros(shape, np.uint8), 8)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, bool])
def test_other_types_are_refused(dtype: type) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8 or uint16, got"):
        to_planes(np.zeros((8, 8), dtype), 8)


@pytest.mark.parametrize("shape", [(8,), (8, 8, 1), (8, 8, 4), (1, 8, 8, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels must be \(lines, columns\) or"):
        to_planes(np.zeros(shape, np.uint8), 8)
