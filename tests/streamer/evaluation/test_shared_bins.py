"""Bins that keep order, their width and content, and the error that they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.evaluation.pixel_metrics import (
    auroc,
    average_precision,
    count_bins,
    count_exactly,
    max_f1,
    pro,
)
from streamer.evaluation.shared_bins import BINS, FINE, SharedBins


def skewed(seed, size=20_000):
    """Scores as maps have them: most are low, few are high."""
    return np.random.default_rng(seed).gamma(1.2, 0.01, size).astype(np.float32)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_higher_scores_never_fall_into_lower_bins(seed):
    scores = np.sort(skewed(seed, 500))
    places = SharedBins.over([scores]).place(scores)
    assert (np.diff(places) >= 0).all()
    assert places.min() >= 0
    assert places.max() < BINS


def test_no_bin_is_wide_and_none_holds_much():
    scores = skewed(1, 200_000)
    bins = SharedBins.over([scores])
    places = bins.place(scores)
    fullest_step = np.histogram(scores, FINE)[0].max()
    assert np.bincount(places).max() <= 2 / BINS * scores.size + fullest_step
    steps = np.linspace(scores.min(), scores.max(), 100_000, dtype=np.float32)
    widest = np.bincount(bins.place(steps)).max() / steps.size
    assert widest <= 2 / BINS * 1.1


def test_the_edge_of_a_bin_parts_the_scores():
    scores = skewed(2)
    bins = SharedBins.over([scores])
    number = 4000
    above = scores >= bins.edge(number)
    assert (above == (bins.place(scores) >= number)).mean() > 0.999


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.1]))
@settings(max_examples=25, deadline=None)
def test_the_error_of_auroc_stays_within_its_bound(seed, contrast):
    generator = np.random.default_rng(seed)
    scores = skewed(seed)
    regions = (generator.random(scores.size) < 0.02).astype(np.int32)
    regions[:2] = 0, 1
    scores[regions > 0] += np.float32(contrast)
    shares = np.where(regions > 0, 1 / regions.sum(), 0.0)
    exact = count_exactly(scores, regions, shares)
    binned = count_bins(SharedBins.over([scores]).place(scores), regions, shares, BINS)
    together = binned.normal / binned.normal.sum() * binned.defective / binned.defective.sum()
    assert abs(auroc(binned) - auroc(exact)) <= together.sum() / 2 + 1e-12
    assert auroc(binned) == pytest.approx(auroc(exact), abs=1e-5)
    for metric in (average_precision, max_f1, pro):
        assert metric(binned) == pytest.approx(metric(exact), abs=2e-3)


def test_constant_maps_fall_into_one_bin():
    constant = np.full((4, 4), 0.25, np.float32)
    assert np.unique(SharedBins.over([constant]).place(constant)).size == 1


def test_masked_cells_do_not_count():
    scores = skewed(3, 100)
    holes = np.r_[scores, np.full(50, np.nan, np.float32)]
    assert (SharedBins.over([holes]).table == SharedBins.over([scores]).table).all()


def test_nothing_but_masked_cells_is_refused():
    with pytest.raises(ValueError, match="maps must hold a score, got masked cells alone"):
        SharedBins.over([np.full((2, 2), np.nan, np.float32)])
