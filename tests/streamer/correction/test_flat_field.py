import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction.flat_field import (
    LARGEST_GAIN,
    LightReference,
    bad_columns,
    black_level_field,
    flat_field_of,
    smooth_across,
)


def lamp(columns: int, channels: int = 1, rolloff: float = 0.3) -> np.ndarray:
    across = np.linspace(-1, 1, columns)[:, None]
    return (1 - rolloff * across**2) * np.linspace(1, 0.8, channels)


@settings(max_examples=40, deadline=None)
@given(
    bits=st.sampled_from([8, 16]),
    channels=st.sampled_from([1, 3]),
    columns=st.integers(32, 300),  # of fewer, one at the edge of a steep lamp may look dead
    rolloff=st.floats(0, 0.6),
    seed=st.integers(0, 2**31),
)
def test_white_becomes_even_and_dark_black(bits, channels, columns, rolloff, seed):
    random = np.random.default_rng(seed)
    full = (1 << bits) - 1
    dark = random.uniform(0.01, 0.03, (columns, channels)) * full
    sensitivity = random.uniform(0.95, 1.05, (columns, channels))
    white = dark + 0.7 * full * lamp(columns, channels, rolloff) * sensitivity
    field = flat_field_of(LightReference(bits, white.astype(np.float32), dark.astype(np.float32)))
    assert field.bad == ()
    evened = white * field.gain - field.offset
    assert np.ptp(evened, axis=0).max() < 1e-3 * full
    assert np.abs(dark * field.gain - field.offset).max() < 1e-3 * full
    assert (field.gain > 0.9).all()  # full scale stays full scale but for the brightest columns
    half = (dark + (white - dark) / 2) * field.gain - field.offset
    assert np.abs(half - evened / 2).max() < 1e-3 * full


def test_bad_pixels_are_found_and_left_alone():
    white, dark = 180 * lamp(600), np.full((600, 1), 4.0)
    white[[100, 101]] = 4.0  # dead
    white[300] = 250  # too sensitive
    dark[500], white[500] = 40, white[500] + 36  # glows
    reference = LightReference(8, white.astype(np.float32), dark.astype(np.float32))
    assert bad_columns(reference) == (100, 101, 300, 500)
    field = flat_field_of(reference)
    assert field.gain[[100, 101, 300, 500], 0].tolist() == [1, 1, 1, 1]
    assert field.gain.max() < LARGEST_GAIN


def test_pixels_that_differ_a_little_are_not_bad():
    random = np.random.default_rng(0)
    white = 180 * lamp(600) * random.uniform(0.9, 1.1, (600, 1))
    assert bad_columns(LightReference(8, white.astype(np.float32))) == ()


def test_a_corner_without_light_is_bad_not_amplified():
    white = 200 * np.clip(np.linspace(-0.1, 2, 400), 0, 1)[:, None]
    field = flat_field_of(LightReference(8, white.astype(np.float32)))
    assert field.bad
    assert max(field.bad) < 100
    assert field.gain.max() <= LARGEST_GAIN


def test_black_comes_from_the_setting_the_file_or_nowhere():
    white, dark = np.full((4, 1), 200, np.float32), np.full((4, 1), 5, np.float32)
    measured = LightReference(8, white, dark)
    assert measured.black().tolist() == [[5]] * 4
    assert measured.black(10)[0, 0] == pytest.approx(25.5)
    assert LightReference(8, white).black().tolist() == [[0]] * 4
    assert flat_field_of(measured, 10).offset[0, 0] == pytest.approx(25.5)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_black_level_alone_keeps_full_scale(bits):
    full = (1 << bits) - 1
    field = black_level_field(5, 3, bits, 4.0)
    assert field.gain.shape == (5, 3)
    assert np.allclose(full * field.gain - field.offset, full)
    assert np.allclose(0.04 * full * field.gain - field.offset, 0)
    with pytest.raises(ValueError, match=r"black_percent must be within 0..75, got 80"):
        black_level_field(5, 3, bits, 80)


def test_the_neighbourhood_follows_the_fall_off_to_the_ends():
    fall = lamp(1000, rolloff=0.5)
    for narrow, room in ((True, 1e-3), (False, 0.02)):
        assert np.abs(smooth_across(fall, narrow=narrow) / fall - 1).max() < room
    spiked = fall.copy()
    spiked[500:520] = 0
    assert np.abs(smooth_across(spiked, narrow=True) / fall - 1).max() < 2e-2


@pytest.mark.parametrize("columns", [1, 2, 3, 66, 67])
def test_narrow_webs_have_a_neighbourhood(columns):
    assert smooth_across(np.ones((columns, 1)), narrow=True).tolist() == [[1.0]] * columns


@pytest.mark.parametrize(
    ("bits", "white", "dark", "text"),
    [
        (12, (4, 1), None, "bits must be 8 or 16, got 12"),
        (8, (4,), None, r"white must be \(columns, 1 or 3\), got \(4,\)"),
        (8, (4, 2), None, r"white must be \(columns, 1 or 3\)"),
        (8, (4, 1), (5, 1), r"dark must have the shape of white \(4, 1\), got \(5, 1\)"),
    ],
)
def test_references_check_themselves(bits, white, dark, text):
    with pytest.raises(ValueError, match=text):
        LightReference(bits, np.zeros(white), None if dark is None else np.zeros(dark))
