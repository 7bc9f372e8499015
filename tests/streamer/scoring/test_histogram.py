"""The stored vectors, and what they do not show."""

import numpy as np
import pytest
import torch

from streamer.config import Scoring
from streamer.scoring.features import ChannelScale
from streamer.scoring.histogram import BINS, Histogram

STEMS = [
    f"hist_s{seed}_{case}_T{size}"
    for seed in (0, 1)
    for case in ("rand24x20x8", "ties24x24x8")
    for size in (3, 9)
]


@pytest.mark.parametrize("stem", STEMS)
def test_stored_maps(golden, unscaled, stem) -> None:
    vector = golden(stem)
    method = Histogram(int(vector["T"]))
    bins = method.quantise(vector["features"], unscaled(8))
    scores = method.score(bins, method.reference([bins]))
    np.testing.assert_allclose(scores, vector["map"], rtol=0, atol=1e-5 * vector["map"].max())


def test_bins_are_tenths_of_the_range_and_the_largest_value_is_in_the_last() -> None:
    values = torch.tensor([[[-1.0, 0.0, 0.1, 0.1002, 0.5, 0.9, 0.902, 1.0, 2.0]]])
    bins = Histogram(3).quantise(values, ChannelScale(torch.zeros(1), torch.ones(1)))
    assert bins.dtype == torch.uint8
    assert bins.flatten().tolist() == [0, 0, 0, 1, 4, 8, 9, 9, 9]


def test_a_web_of_the_farthest_bin_has_the_largest_score() -> None:
    method = Histogram(5)
    low, high = torch.zeros(2, 9, 9, dtype=torch.uint8), torch.full((2, 9, 9), 9).to(torch.uint8)
    scores = method.score(high, method.reference([low]))
    np.testing.assert_allclose(scores, (BINS - 1) / BINS, atol=1e-6)


def test_the_reference_weighs_maps_by_their_size() -> None:
    method = Histogram(3)
    low = torch.zeros(1, 3, 4, dtype=torch.uint8)
    high = torch.full((1, 9, 4), 9).to(torch.uint8)
    torch.testing.assert_close(method.reference([low, high]), torch.full((1, BINS - 1), 0.25))


def test_as_configured() -> None:
    assert Histogram.of(Scoring(method="histogram", patch_size=7)) == Histogram(7)
