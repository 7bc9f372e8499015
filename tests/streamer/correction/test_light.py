import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.correction.light import even_light

FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def block_spread(pixels: np.ndarray) -> float:
    """How unequal the means of an 8 x 8 partition are, as a share of their mean."""
    parts = [p.mean() for band in np.array_split(pixels, 8) for p in np.array_split(band, 8, 1)]
    return float(np.std(parts) / np.mean(parts))


def shade(pixels: np.ndarray, across: float, down: float, bow: float) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
    gain = np.exp(across * x + down * y - bow * x**2)
    return np.clip(pixels * gain, 0, 255).astype(np.uint8)


@FEW
@given(
    st.integers(0, 999), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.15, 0.4),
    st.tuples(st.integers(100, 300), st.integers(100, 500)),
)  # fmt: skip
def test_slow_light_is_taken_out(weave, seed, across, down, bow, size):
    shaded = shade(weave(*size, seed), across, down, bow)
    evened = even_light(shaded)
    assert (evened.shape, evened.dtype) == (shaded.shape, np.uint8)
    assert block_spread(evened) < 0.25 * block_spread(shaded)


@FEW
@given(st.integers(0, 999), st.sampled_from([20, 250]), st.floats(0.1, 0.33))
def test_a_defect_of_moderate_size_keeps_its_contrast(weave, seed, value, side):
    pixels = weave(240, 320, seed)
    rows, columns = int(240 * side), int(320 * side)
    flaw = (slice(40, 40 + rows), slice(60, 60 + columns))
    pixels[flaw] = value
    evened = even_light(pixels).astype(float)
    around = np.median(evened)
    assert abs(evened[flaw].mean() - around) > 0.8 * abs(value - np.median(pixels))


@pytest.mark.parametrize("seed", range(6))
def test_even_web_does_not_change(weave, seed):
    pixels = weave(256, 256, seed)
    np.testing.assert_array_equal(even_light(pixels), pixels)


def test_light_that_the_texture_drowns_is_left_alone():
    coarse = np.kron(np.random.default_rng(7).uniform(30, 220, (8, 8)), np.ones((32, 32)))
    pixels = shade(coarse, 0.06, 0, 0)
    np.testing.assert_array_equal(even_light(pixels), pixels)


def test_the_typical_level_stays(weave):
    shaded = shade(weave(200, 400, 2), 0.3, 0.1, 0.2)
    assert np.median(even_light(shaded)) == pytest.approx(np.median(shaded), rel=0.06)


def test_what_is_no_web_does_not_bend_the_light(weave):
    web = shade(weave(256, 800, 3), 0.2, 0.0, 0.2)
    off_web = np.zeros((256, 1000), bool)
    off_web[:, :200] = True
    for table in (0, 255):
        pixels = np.concatenate([np.full((256, 200), table, np.uint8), web], axis=1)
        evened = even_light(pixels, off_web)
        assert block_spread(evened[:, 200:]) < 0.25 * block_spread(web)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_keeps_its_hue(weave, dtype):
    scale = 1 if dtype == np.uint8 else 257
    grey = shade(weave(200, 300, 4), 0.3, 0, 0.1)
    pixels = np.stack([grey, grey // 2, grey // 4], axis=2).astype(dtype) * dtype(scale)
    evened = even_light(pixels)
    assert (evened.shape, evened.dtype) == (pixels.shape, dtype)
    share = evened[..., 1].mean(dtype=float) / evened[..., 0].mean(dtype=float)
    assert share == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("size", [(8, 8), (17, 40), (50, 50)])
def test_pictures_too_small_to_tell_stay_as_they_are(weave, size):
    pixels = weave(*size, 5)
    np.testing.assert_array_equal(even_light(pixels), pixels)


@pytest.mark.parametrize("value", [0, 255])
def test_blank_pictures_stay_blank(value):
    pixels = np.full((200, 200), value, np.uint8)
    np.testing.assert_array_equal(even_light(pixels), pixels)
    np.testing.assert_array_equal(even_light(pixels, np.ones((200, 200), bool)), pixels)
