import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.line_contrast import LINES, UNIT, line_means
from streamer.scoring.line_spread import (
    LEAST_NOISE,
    MOST_ALIKE,
    LineSpread,
    channel_means,
    largest_distance,
    learn_spread,
)


def drawn(correlation: float, noises=(0.01, 0.03), seed: int = 0) -> np.ndarray:
    """(2, 40000) of normal noise."""
    one, other = np.random.default_rng(seed).normal(0, 1, (2, 40_000))
    both = one, correlation * one + np.sqrt(1 - correlation**2) * other
    return (np.array(noises)[:, None] * both).astype(np.float32)


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.3, 0.8])
def test_noises_and_correlation_are_learnt_though_some_web_is_spoiled(correlation) -> None:
    means = drawn(correlation)
    for spoiled in (0, 400):
        means[:, :spoiled] = 9.0
        found = learn_spread(list(means))
        np.testing.assert_allclose(found.noises, (0.01, 0.03), rtol=0.03)
        assert found.correlation == pytest.approx(correlation, abs=0.04)


def test_what_is_always_alike_is_bounded_and_what_is_quiet_is_not_alike() -> None:
    assert learn_spread(list(drawn(1.0))).correlation == MOST_ALIKE
    assert learn_spread(list(drawn(-1.0))).correlation == -MOST_ALIKE
    quiet = learn_spread(list(drawn(1.0, (1e-5, 1e-5))))
    assert quiet.noises == (LEAST_NOISE, LEAST_NOISE)
    assert quiet.correlation == pytest.approx(0, abs=1e-3)
    assert learn_spread([np.zeros(5, np.float32)]) == LineSpread((LEAST_NOISE,))


@settings(max_examples=50, deadline=None)
@given(
    st.floats(-MOST_ALIKE, MOST_ALIKE),
    st.lists(st.floats(0.002, 1), min_size=2, max_size=2),
    st.integers(0, 99),
)
def test_distance_is_that_of_mahalanobis(correlation, noises, seed) -> None:
    """Against the inverse of the covariance."""
    means = np.random.default_rng(seed).normal(0, 1, (2, 4, 5)).astype(np.float32)
    scale = np.diag(noises)
    inverse = np.linalg.inv(scale @ [[1, correlation], [correlation, 1]] @ scale)
    expected = np.sqrt(np.einsum("irc,ij,jrc->rc", means, inverse, means))
    given = means.copy()
    found = np.sqrt(LineSpread(tuple(noises), correlation).squared_distance(list(means)))
    np.testing.assert_array_equal(means, given)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_brighter_and_smoother_is_further_out_than_brighter_and_rougher() -> None:
    spread = LineSpread((0.01, 0.01), 0.7)
    bright, even = np.full((1, 1), 0.03, np.float32), np.zeros((1, 1), np.float32)
    rough, smooth, alone = (
        float(spread.squared_distance([bright, beside])[0, 0]) ** 0.5
        for beside in (bright, -bright, even)
    )
    assert rough < 3.5 < alone < smooth
    assert spread.grey_noise == pytest.approx(0.03 / alone)


def test_one_channel_counts_its_noises() -> None:
    found = LineSpread((0.5,)).squared_distance([np.array([[-1.0, 0.25]], np.float32)])
    np.testing.assert_array_equal(found, [[4.0, 0.25]])


def test_the_largest_of_all_lines_counts() -> None:
    beyond = np.random.default_rng(1).integers(-UNIT, UNIT, (2, 30, 20)).astype(np.int32)
    spreads = [LineSpread((0.1 + k, 0.2), k / 20) for k in range(len(LINES))]
    each = [
        np.sqrt(spread.squared_distance([grey, rough]))
        for spread, grey, rough in zip(
            spreads, line_means(beyond[0], 2), line_means(beyond[1], 2), strict=True
        )
    ]
    found = largest_distance(beyond, 2, spreads)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.max(each, axis=0), rtol=1e-6)
    assert [len(one) for one in channel_means(beyond[:1], 2)] == [1] * len(LINES)
    with pytest.raises(ValueError, match="zip"):
        largest_distance(beyond, 2, spreads[1:])


@pytest.mark.parametrize(
    ("noises", "correlation", "rule"),
    [
        ((), 0.0, "noises of a line must be one or two numbers > 0"),
        ((0.1, 0.1, 0.1), 0.0, "noises of a line must be one or two"),
        ((0.1, 0.0), 0.0, "noises of a line must be one or two"),
        ((0.1, 0.1), 0.96, "correlation of a line must be within 0.95, got 0.96"),
        ((0.1, 0.1), float("nan"), "correlation of a line must be within 0.95, got nan"),
    ],
)
def test_what_is_no_spread_is_refused(noises, correlation, rule) -> None:
    with pytest.raises(ValueError, match=rule):
        LineSpread(noises, correlation)
