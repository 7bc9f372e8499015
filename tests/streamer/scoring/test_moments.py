"""The stored vectors, and what they do not show."""

import numpy as np
import pytest
import torch

from streamer.config import Scoring
from streamer.scoring.moments import Moments

STEMS = [
    f"moments_s{seed}_{case}_T{size}"
    for seed in (0, 1)
    for case in ("rand24x20x8", "ties24x24x8")
    for size in (3, 9)
]


@pytest.mark.parametrize("stem", STEMS)
def test_stored_maps(golden, unscaled, stem) -> None:
    vector = golden(stem)
    method = Moments(int(vector["T"]))
    quantised = method.quantise(vector["features"], unscaled(8))
    scores = method.score(quantised, method.reference([quantised]))
    np.testing.assert_allclose(scores, vector["map"], rtol=0, atol=1e-5 * vector["map"].max())


def test_the_reference_of_constant_maps_is_their_powers() -> None:
    half = torch.full((2, 6, 5), 0.5)
    expected = torch.tensor([0.5, 0.25, 0.125, 0.0625]).expand(2, 4)
    torch.testing.assert_close(Moments(5).reference([half]), expected)


def test_the_reference_weighs_maps_by_their_size() -> None:
    reference = Moments(3).reference([torch.zeros(1, 3, 4), torch.ones(1, 9, 4)])
    torch.testing.assert_close(reference, torch.full((1, 4), 0.75))


def test_the_score_of_another_constant_is_the_mean_square_of_the_powers() -> None:
    method = Moments(3)
    scores = method.score(torch.ones(3, 5, 5), method.reference([torch.zeros(3, 5, 5)]))
    np.testing.assert_allclose(scores, 1.0, atol=1e-6)


def test_as_configured() -> None:
    assert Moments.of(Scoring(method="moments", patch_size=7)) == Moments(7)
