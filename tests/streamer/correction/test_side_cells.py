import numpy as np
import pytest

from streamer.correction.side_cells import SideCells, to_grey


def test_cells_are_16_lines_by_4_columns_and_remainders_are_left_out():
    cells = SideCells.of(np.zeros((50, 11), np.float32))
    assert cells.level.shape == cells.contrast.shape == (3, 2)


def test_level_is_the_mean_and_contrast_the_share_of_the_deviation():
    grey = np.zeros((16, 8), np.float32)
    grey[:, 0:4:2], grey[:, 1:4:2] = 0.6, 0.2
    grey[:, 4:] = 0.5
    cells = SideCells.of(grey)
    np.testing.assert_allclose(cells.level, [[0.4, 0.5]], atol=1e-6)
    np.testing.assert_allclose(cells.contrast, [[0.2 / 0.42, 0]], atol=1e-6)


def test_dimmer_light_leaves_the_contrast():
    grey = np.random.default_rng(0).uniform(0.4, 1, (64, 64)).astype(np.float32)
    full, dim = SideCells.of(grey), SideCells.of(grey * np.float32(0.7))
    np.testing.assert_allclose(dim.contrast, full.contrast, rtol=0.03)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_grey_is_the_mean_of_the_channels_in_0_to_1(dtype, top):
    pixels = np.zeros((2, 3, 3), dtype)
    pixels[0, 0], pixels[1, 1] = top, (0, 0, top)
    grey = to_grey(pixels)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, [[1, 0, 0], [0, 1 / 3, 0]], atol=1e-6)
    np.testing.assert_allclose(to_grey(pixels[..., 2])[1, 1], 1)
