"""Components of one image: what is kept, what is left, and what is refused."""

import numpy as np
import pytest
import torch
from principal_axes import leading_components, scale_by_strongest, without_leading


@pytest.fixture
def features():
    generator = np.random.default_rng(3)
    mixed = generator.normal(size=(6, 6)) @ np.diag([9.0, 4, 2, 1, 0.5, 0.1])
    values = mixed @ generator.normal(size=(6, 30 * 20)) + generator.normal(size=(6, 1))
    return torch.tensor(values.reshape(6, 30, 20), dtype=torch.float32)


def variance(maps):
    return maps.flatten(1).var(1, correction=0)


def test_components_are_uncorrelated_and_fall(features):
    components = leading_components(features, 6)
    covariance = np.cov(components.flatten(1).numpy().astype(np.float64))
    scale = covariance.max()
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-4 * scale
    assert (np.diff(np.diag(covariance)) <= 1e-6 * scale).all()


def test_all_components_keep_the_variance(features):
    kept = variance(leading_components(features, 6)).sum()
    assert kept == pytest.approx(float(variance(features).sum()), rel=1e-4)


def test_what_is_kept_and_what_is_left_are_the_whole(features):
    kept = variance(leading_components(features, 2)).sum()
    left = variance(without_leading(features, 2)).sum()
    assert float(kept + left) == pytest.approx(float(variance(features).sum()), rel=1e-4)
    assert left < 0.5 * kept


def test_shapes(features):
    assert leading_components(features, 4).shape == (4, 30, 20)
    assert without_leading(features, 4).shape == (6, 30, 20)


def test_all_removed_leaves_nothing(features):
    assert without_leading(features, 6).abs().max() < 1e-3


def test_the_sign_is_defined(features):
    """Mirrored features have mirrored components; the largest entry of an axis is positive."""
    assert torch.allclose(
        leading_components(features, 3), -leading_components(-features, 3), atol=1e-3
    )


@pytest.mark.parametrize("step", [leading_components, without_leading])
@pytest.mark.parametrize("count", [0, 7])
def test_a_count_that_there_is_not(features, step, count):
    with pytest.raises(ValueError, match=rf"count must be 1\.\.6, got {count}"):
        step(features, count)


class TestCommonRange:
    def test_all_are_scaled_alike(self, features):
        components = leading_components(features, 4)
        scaled = scale_by_strongest(components) - 0.5
        inside = scaled[0].abs() < 0.5
        factors = (scaled / components)[:, inside]
        assert torch.allclose(factors, factors.mean().expand_as(factors), rtol=1e-2)

    def test_the_strongest_fills_the_range_and_its_last_thousandth_is_clipped(self, features):
        scaled = scale_by_strongest(leading_components(features, 4))
        assert scaled.min() >= 0
        assert scaled.max() <= 1
        assert ((scaled[0] - 0.5).abs() >= 0.5 - 1e-6).float().mean() == pytest.approx(
            0.001, abs=0.003
        )

    def test_constant_features_are_the_middle(self):
        assert (scale_by_strongest(torch.zeros(2, 20, 20)) == 0.5).all()
