import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamer.calibration.tail import TailFit, fit_tail, tail_share

SHAPES = st.one_of(st.just(0.0), st.floats(-0.5, 0.5).filter(lambda x: abs(x) > 1e-4))


@given(SHAPES, st.floats(0.1, 10.0), st.floats(1e-6, 0.09))
def test_level_and_chance_are_inverse_and_those_of_scipy(
    shape: float, scale: float, chance: float
) -> None:
    fit = TailFit(2.0, scale, shape, 0.1, 100)
    level = fit.level(chance)
    expected = 2.0 + stats.genpareto.isf(chance / 0.1, shape, scale=scale)
    assert level == pytest.approx(expected, rel=1e-6)
    assert fit.chance(level) == pytest.approx(chance, rel=1e-5)


def test_a_chance_larger_than_the_share_is_the_start() -> None:
    assert TailFit(2.0, 1.0, 0.0, 0.1, 10).level(0.3) == 2.0
    with pytest.raises(ValueError, match=r"level must be >= 2.0, got 1.0"):
        TailFit(2.0, 1.0, 0.0, 0.1, 10).chance(1.0)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.25])
def test_weighted_moments_find_the_shape(shape: float) -> None:
    rng = np.random.default_rng(1)
    maxima = stats.genpareto.rvs(shape, size=50_000, random_state=rng)
    fit = fit_tail(maxima, "gpd")
    assert fit.blocks == 10_000
    assert fit.shape == pytest.approx(shape, abs=0.05)
    # Above its quantile of 80 % a generalised Pareto tail has the scale 1 + shape * start.
    assert fit.scale == pytest.approx(1 + shape * fit.start, rel=0.06)


def test_the_exponential_is_the_mean_excess_and_one_standard_error() -> None:
    maxima = np.random.default_rng(2).exponential(1.0, 4000)
    fit = fit_tail(maxima, "exponential")
    excess = maxima[maxima > fit.start] - fit.start
    assert (fit.blocks, fit.shape, fit.share) == (400, 0.0, 0.1)
    assert fit.scale == pytest.approx(excess.mean() * 1.05)


@pytest.mark.parametrize(
    ("blocks", "kind", "share"),
    [
        (60, "gpd", 0.5),
        (100, "gpd", 0.3),
        (150, "gpd", 0.2),
        (200, "exponential", 0.15),
        (9000, "exponential", 0.1),
    ],
)
def test_few_blocks_give_a_larger_share(blocks: int, kind: str, share: float) -> None:
    assert tail_share(blocks, kind) == pytest.approx(share)


def test_equal_maxima_have_no_tail() -> None:
    for kind in ("exponential", "gpd"):
        fit = fit_tail(np.ones(100), kind)
        assert (fit.level(1e-9), fit.chance(1.0), fit.chance(2.0)) == (1.0, fit.share, 0.0)


@given(st.integers(0, 200))
def test_shapes_stay_within_bounds_and_keep_the_mean(seed: int) -> None:
    maxima = np.random.default_rng(seed).pareto(0.7, 70)
    fit = fit_tail(maxima, "gpd")
    excess = maxima[maxima > fit.start] - fit.start
    assert -0.5 <= fit.shape <= 0.5
    assert fit.scale / (1 - fit.shape) == pytest.approx(excess.mean())
