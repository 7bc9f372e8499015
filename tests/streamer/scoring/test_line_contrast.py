import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.line_contrast import (
    CHANNELS,
    LENGTHS,
    LINE_REACH,
    LINES,
    STRIP_PX,
    SURROUND,
    UNIT,
    fixed_point,
    line_means,
    log_contrast,
    shift_of,
    strips_per_cell,
    turned_contrast,
)
from streamer.sections import LINE_HALO

SURROUND_STRIPS = SURROUND // 2


def noise(lines: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (lines, columns)).astype(np.uint8)


@pytest.mark.parametrize(
    ("stride", "strips"),
    [(1, 1), (2, 1), (4, 1), (6, 1), (8, 2), (10, 2), (14, 2), (16, 4), (32, 8)],
)
def test_strips_have_equal_width_and_fill_the_cell(stride, strips) -> None:
    assert strips_per_cell(stride) == strips
    assert stride % strips == 0
    assert stride / strips >= min(STRIP_PX, stride)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize("stride", [1, 4, 8, 16])
def test_a_plain_web_has_no_contrast(dtype, colours, stride) -> None:
    found = log_contrast(np.full((35, 67, *colours), 77, dtype), stride)
    assert found.shape == (CHANNELS, 35 // stride, 67 // stride * strips_per_cell(stride))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 0)


def test_black_is_finite() -> None:
    half = np.zeros((16, 128), np.uint8)
    half[:, 64:] = 255
    assert np.isfinite(log_contrast(half, 8)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_contrast_is_that_of_a_strip_to_the_mirrored_strips_about_it(dtype, stride) -> None:
    """Against a loop over strips, on a web that holds no whole number of cells."""
    top = np.iinfo(dtype).max
    web = np.random.default_rng(stride).integers(0, top, (3 * stride + 1, 9 * stride + 2), dtype)
    width = stride // strips_per_cell(stride)
    found = log_contrast(web, stride)
    for row in range(3):
        lines = web[row * stride : (row + 1) * stride, : 9 * stride].astype(np.float64)
        for channel, values in enumerate((lines, np.abs(np.diff(lines, axis=0)))):
            strips = values.reshape(len(values), -1, width).mean(axis=(0, 2))
            padded = np.pad(strips, SURROUND_STRIPS, mode="symmetric")
            beside = np.convolve(padded, np.ones(SURROUND) / SURROUND, "valid")
            expected = np.log((strips + 1) / (beside + 1))
            np.testing.assert_allclose(found[channel, row], expected, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize("stride", [1, 4, 8, 16])
def test_turned_is_the_grey_of_the_turned_web(dtype, colours, stride) -> None:
    top = np.iinfo(dtype).max
    shape = (10 * stride - 1, 4 * stride - 1, *colours)
    web = np.random.default_rng(stride).integers(0, top, shape, dtype)
    found = turned_contrast(web, stride)
    assert found.shape == (shape[1] // stride, shape[0] // stride * strips_per_cell(stride))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, log_contrast(web.swapaxes(0, 1), stride)[0])


@pytest.mark.parametrize("stride", [4, 8, 16])
@settings(deadline=None)
@given(row=st.integers(0, 12), column=st.integers(0, 6), seed=st.integers(0, 9))
def test_a_turned_piece_with_its_halo_equals_the_whole_to_the_bit(
    stride, row, column, seed
) -> None:
    pixels = noise(40 * stride, 8 * stride, seed)
    strips = strips_per_cell(stride)
    halo = -(-SURROUND_STRIPS // strips)
    piece = pixels[row * stride : (row + 2 * halo + 3) * stride, column * stride :]
    core = slice(halo * strips, (halo + 3) * strips)
    place = slice((row + halo) * strips, (row + halo + 3) * strips)
    found, whole = turned_contrast(piece, stride), turned_contrast(pixels, stride)
    np.testing.assert_array_equal(found[:, core], whole[column:, place])


def test_slow_light_cancels_and_a_narrow_line_does_not() -> None:
    web = np.full((64, 512), 120.0)
    lit = web * np.linspace(0.8, 1.0, 512) * np.linspace(0.5, 1.0, 64)[:, None]
    scratched = lit.copy()
    scratched[:, 300:302] *= 1.4
    plain, seen = (log_contrast(one.astype(np.uint8), 8)[0] for one in (lit, scratched))
    assert np.abs(plain[:, 12:-12]).max() < 0.02
    assert seen[:, 75].min() > 0.12  # half of the strip is 1.4 times as bright


def test_a_smooth_line_as_bright_as_the_web_shows_as_roughness() -> None:
    web = noise(64, 512).astype(np.float64)
    web[:, 300:304] = 127.5 + (web[:, 300:304] - 127.5) / 3
    grey, rough = log_contrast(web.astype(np.uint8), 8).mean(axis=1)
    assert abs(grey[75]) < 0.1
    assert rough[75] < -0.8
    assert rough.argmin() == 75


@pytest.mark.parametrize("stride", [4, 8, 16])
@settings(deadline=None)
@given(row=st.integers(0, 6), column=st.integers(0, 12), seed=st.integers(0, 9))
def test_a_piece_with_its_halo_equals_the_whole_to_the_bit(stride, row, column, seed) -> None:
    pixels = noise(8 * stride, 40 * stride, seed)
    strips = strips_per_cell(stride)
    halo = -(-SURROUND_STRIPS // strips)
    piece = pixels[row * stride :, column * stride : (column + 2 * halo + 3) * stride]
    core = slice(halo * strips, (halo + 3) * strips)
    place = slice((column + halo) * strips, (column + halo + 3) * strips)
    found, whole = log_contrast(piece, stride), log_contrast(pixels, stride)
    np.testing.assert_array_equal(found[:, :, core], whole[:, row:, place])


def test_fixed_point_is_the_contrast_beyond_normal_and_nothing_where_masked() -> None:
    contrast = np.random.default_rng(0).normal(0, 1, (CHANNELS, 5, 6)).astype(np.float32)
    normal = contrast[:, :1].copy()
    contrast[:, :, 2] = np.nan
    fixed = fixed_point(contrast, normal)
    assert fixed.dtype == np.int32
    assert (fixed[:, 0] == 0).all()
    assert (fixed[:, :, 2] == 0).all()
    kept = np.delete(contrast - normal, 2, axis=2)
    np.testing.assert_allclose(np.delete(fixed, 2, axis=2) / UNIT, kept, atol=0.6 / UNIT)


@pytest.mark.parametrize("strips", [1, 2, 4])
def test_means_are_those_along_each_line(strips) -> None:
    """Against a loop over the rows of a line, in the middle of the web, where nothing is cut."""
    beyond = np.random.default_rng(1).integers(-UNIT, UNIT, (50, 40)).astype(np.int32)
    found = list(line_means(beyond, strips))
    assert len(found) == len(LINES)
    for means, (slope, length) in zip(found, LINES, strict=True):
        for row, column in ((20, 15), (25, 25), (29, 9)):
            places = [
                (row + k, column + int(np.sign(slope * k)) * int(abs(slope * k * strips) + 0.5))
                for k in range(-(length // 2), length // 2 + 1)
            ]
            expected = np.mean([beyond[place] for place in places]) / UNIT
            assert means[row, column] == pytest.approx(expected, abs=1e-5)


def test_beyond_the_web_lines_find_nothing_and_strips_are_mirrored() -> None:
    beyond = np.random.default_rng(2).integers(-UNIT, UNIT, (30, 20)).astype(np.int32)
    around = np.pad(np.pad(beyond, ((0, 0), (15, 15)), mode="symmetric"), ((15, 15), (0, 0)))
    for small, large in zip(line_means(beyond, 2), line_means(around, 2), strict=True):
        np.testing.assert_array_equal(small, large[15:-15, 15:-15])


def test_a_line_that_leans_is_seen_best_by_its_own_slope() -> None:
    beyond = np.zeros((60, 60), np.int32)
    for row in range(60):
        beyond[row, 30 + shift_of(row - 30, 0.24)] = UNIT
    means = {
        line: float(found[30, 30]) for line, found in zip(LINES, line_means(beyond, 2), strict=True)
    }
    longest = {slope: mean for (slope, length), mean in means.items() if length == max(LENGTHS)}
    assert longest[0.12] == pytest.approx(1)
    assert max(longest, key=longest.__getitem__) == 0.12
    assert longest[-0.12] < 0.5


@given(st.integers(-50, 50), st.floats(-1, 1))
def test_a_line_leans_alike_on_both_sides(row, strips_per_row) -> None:
    moved = shift_of(row, strips_per_row)
    assert moved == -shift_of(-row, strips_per_row) == -shift_of(row, -strips_per_row)
    assert abs(moved - row * strips_per_row) <= 0.5 + 1e-9


@pytest.mark.parametrize("stride", range(1, 65))
def test_the_halo_holds_lines_and_surround(stride) -> None:
    strips = strips_per_cell(stride)
    leaning = max(shift_of(LINE_REACH, abs(slope) * strips) for slope, _ in LINES)
    assert max(LINE_REACH, (SURROUND_STRIPS + leaning) / strips) <= LINE_HALO
