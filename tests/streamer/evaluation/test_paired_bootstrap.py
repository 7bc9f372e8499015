"""Paired differences: the mean, its interval, and what undefined figures do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.evaluation.paired_bootstrap import Paired, average, draw_weights, pair_means


def generator(seed=0):
    return np.random.default_rng(seed)


class TestWeights:
    @given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20))
    def test_every_class_keeps_its_size(self, classes):
        weights = draw_weights(classes, 7, generator())
        names = np.array(classes)
        for name in set(classes):
            assert (weights[:, names == name].sum(axis=1) == (names == name).sum()).all()

    def test_the_seed_decides(self):
        first, second, other = (draw_weights(["a"] * 9, 5, generator(s)) for s in (1, 1, 2))
        assert np.array_equal(first, second)
        assert not np.array_equal(first, other)


class TestMeans:
    def test_means_and_difference(self):
        base, form = np.array([0.5, 0.7, 0.9]), np.array([0.6, 0.7, 0.8])
        pair = pair_means(base, form, np.ones((1, 3)))
        assert pair.base == pytest.approx(0.7)
        assert pair.difference == pytest.approx(0)
        assert pair.resampled == pytest.approx([0])

    def test_weights_redraw_the_differences(self):
        pair = pair_means(np.zeros(3), np.array([1.0, 2, 6]), np.array([[3, 0, 0], [0, 1, 2]]))
        assert pair.resampled == pytest.approx([1, 14 / 3])

    def test_images_without_a_figure_are_left_out_on_both_sides(self):
        base, form = np.array([0.5, np.nan, 0.9]), np.array([0.6, 0.2, np.nan])
        pair = pair_means(base, form, np.array([[1, 1, 1], [0, 3, 0]]))
        assert pair.base == pytest.approx(0.5)
        assert pair.difference == pytest.approx(0.1)
        assert pair.resampled[0] == pytest.approx(0.1)
        assert np.isnan(pair.resampled[1])

    def test_no_figure_at_all_is_undefined(self):
        pair = pair_means(np.full(2, np.nan), np.ones(2), np.ones((4, 2)))
        assert np.isnan(pair.base)
        assert np.isnan(pair.interval).all()

    def test_the_interval_covers_the_truth_as_often_as_it_says(self):
        """Of a known difference of 0.1, at least nine in ten of 200 samples of 40 images."""
        covered = 0
        for seed in range(200):
            noise = generator(seed).normal(0.1, 0.3, 40)
            weights = draw_weights(["a"] * 40, 300, generator(seed + 1000))
            low, high = pair_means(np.zeros(40), noise, weights).interval
            covered += low <= 0.1 <= high
        assert 180 <= covered < 200


class TestAverage:
    def test_sets_weigh_the_same(self):
        pairs = [Paired(0.5, 0.6, np.array([0.1, 0.3])), Paired(0.7, 0.7, np.array([0.0, -0.1]))]
        pair = average(pairs)
        assert pair.base == pytest.approx(0.6)
        assert pair.difference == pytest.approx(0.05)
        assert pair.resampled == pytest.approx([0.05, 0.1])

    def test_an_undefined_set_is_left_out(self):
        undefined = Paired(float("nan"), float("nan"), np.full(1, np.nan))
        assert average([undefined, Paired(0.2, 0.3, np.array([0.1]))]).base == 0.2

    def test_nothing_defined_is_refused(self):
        with pytest.raises(ValueError, match="pairs must hold a defined figure, got 1 undefined"):
            average([Paired(float("nan"), float("nan"), np.zeros(1))])


def test_all_figures_by_name():
    figures = Paired(0.5, 0.75, np.array([0.25, 0.25])).as_dict()
    assert figures == {"base": 0.5, "form": 0.75, "difference": 0.25, "low": 0.25, "high": 0.25}
