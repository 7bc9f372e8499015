import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calibration.blocks import block_maxima, defect_limit, finite, quantile_tail


def slow_maxima(scores: np.ndarray, block: int) -> np.ndarray:
    rows, columns = (-(-size // block) for size in scores.shape)
    found = np.full((rows, columns), np.nan)
    parts = {
        (r, c): finite(scores[r * block : (r + 1) * block, c * block : (c + 1) * block])
        for r in range(rows)
        for c in range(columns)
    }
    whole = any(part.size * 2 >= block * block for part in parts.values())
    for place, part in parts.items():
        if part.size and (not whole or part.size * 2 >= block * block):
            found[place] = part.max()
    return found


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 6), st.integers(0, 1000))
def test_maxima_are_those_of_a_plain_loop(rows: int, columns: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rows, columns))
    scores[rng.random(scores.shape) < 0.3] = np.nan
    np.testing.assert_array_equal(block_maxima(scores, block), slow_maxima(scores, block))


def test_finite_leaves_out_what_is_no_number() -> None:
    values = np.array([[1.0, np.nan], [np.inf, 2.0]])
    np.testing.assert_array_equal(finite(values), [1.0, 2.0])


def test_quantile_tail_of_an_exponential() -> None:
    values = -np.log(np.linspace(1, 1e-5, 200_000)) * 2.0
    low, decay = quantile_tail(values)
    assert low == pytest.approx(2 * np.log(2), rel=1e-3)
    assert decay == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("count", [600, 8000])
def test_foreign_blocks_are_cut_off_and_few_normal_ones(count: int, share: float) -> None:
    rng = np.random.default_rng(1)
    normal = rng.exponential(1.0, count)
    foreign = rng.uniform(12.0, 40.0, round(share * count))
    limit = defect_limit(np.concatenate([normal, foreign]))
    assert (foreign > limit).mean() > 0.95
    assert (normal > limit).sum() <= 3 + count / 400


@pytest.mark.parametrize("count", [600, 8000, 40_000])
def test_of_clean_web_hardly_a_block_is_cut_off(count: int) -> None:
    lost = []
    for seed in range(10):
        maxima = np.random.default_rng(seed).exponential(1.0, count)
        lost.append((maxima > defect_limit(maxima)).sum())
    assert np.median(lost) <= 3


def test_equal_blocks_have_no_limit() -> None:
    assert defect_limit(np.ones(100)) == np.inf


@given(st.floats(0.01, 100.0), st.floats(-5.0, 5.0))
def test_the_limit_follows_the_unit(scale: float, shift: float) -> None:
    maxima = np.random.default_rng(2).exponential(1.0, 700)
    moved = defect_limit(maxima * scale + shift)
    assert moved == pytest.approx(defect_limit(maxima) * scale + shift, rel=1e-6, abs=1e-6)
