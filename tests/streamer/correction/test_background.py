import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction.background import even_background


def typical(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Scores of even web, and a slow background over it."""
    noise = np.random.default_rng(seed).gamma(20, 0.05, (rows, columns))
    return noise.astype(np.float32)


def slow(rows: int, columns: int, strength: float) -> np.ndarray:
    x = np.linspace(-1, 1, columns)
    y = np.linspace(-1, 1, rows)[:, None]
    return np.exp(strength * (x + x**2 / 2 - 0.2 * y)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.floats(-0.8, 0.8), st.booleans())
def test_a_slow_background_is_taken_out(seed, strength, is_tall):
    scores = typical(32, 400, seed) * slow(32, 400, strength)
    evened = even_background(scores.T if is_tall else scores)
    assert evened.dtype == np.float32
    assert evened.flags.c_contiguous
    lying = evened.T if is_tall else evened
    parts = [np.median(part) for part in np.array_split(lying, 8, axis=1)]
    assert max(parts) / min(parts) < 1.15
    assert np.median(lying) == pytest.approx(np.median(scores), rel=0.2)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 99), st.integers(1, 32), st.integers(1, 60), st.floats(0, 1),
    st.floats(3, 20), st.floats(-0.6, 0.6),
)  # fmt: skip
def test_a_defect_stands_out_as_before(seed, rows, columns, place, height, strength):
    scores = typical(32, 400, seed)
    first = int(place * (400 - columns))
    flaw = (slice(0, rows), slice(first, first + columns))
    scores[flaw] += height
    evened = even_background(scores * slow(32, 400, strength))
    contrast = np.median(evened[flaw]) / np.median(evened)
    assert contrast > 0.7 * np.median(scores[flaw]) / np.median(scores)


@pytest.mark.parametrize("shape", [(64, 64), (100, 60), (60, 200), (8, 90), (1, 3)])
def test_what_is_no_strip_stays_as_it_is(shape):
    scores = typical(*shape) * slow(*shape, 0.8)
    np.testing.assert_array_equal(even_background(scores), scores)


def test_what_is_masked_stays_so_and_does_not_matter():
    web = typical(32, 400) * slow(32, 400, 0.5)
    masked = np.full((32, 100), np.nan, np.float32)
    evened = even_background(np.concatenate([masked, web], axis=1))
    assert np.isnan(evened[:, :100]).all()
    np.testing.assert_allclose(evened[:, 100:], even_background(web), rtol=1e-4)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_maps_without_a_background_stay(value):
    scores = np.full((32, 400), value, np.float32)
    np.testing.assert_array_equal(even_background(scores), scores)
