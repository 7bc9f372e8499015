"""The stored vector, plain distances, and the bank."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from streamer.config import Scoring
from streamer.scoring import aota
from streamer.scoring.aota import CUT, NEAREST, Aota, AotaOriginal, nearest_distances


def test_stored_map(golden, unscaled) -> None:
    vector = golden("aota_s0_rand24x20x8_T3")
    assert (float(vector["sigma"]), int(vector["k"])) == (aota.SIGMA, NEAREST)
    method = Aota(int(vector["T"]))
    quantised = method.quantise(vector["features"], unscaled(8))
    scores = method.score(quantised, method.reference([quantised]))
    expected = vector["map_lowres"]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * expected.max())


def plain_original(features: np.ndarray) -> np.ndarray:
    """The script in float64: zeros beyond the edge, Euclidean, the edge takes the minimum."""
    averages = ndimage.uniform_filter(features.astype(float), (0, 3, 3), mode="constant")
    positions = averages.reshape(len(features), -1).T
    distances = np.linalg.norm(positions[:, None] - positions, axis=2)
    scores = np.sort(distances, axis=1)[:, :NEAREST].mean(1).reshape(features.shape[1:])
    result = np.full(scores.shape, scores.min())
    result[CUT:-CUT, CUT:-CUT] = scores[CUT:-CUT, CUT:-CUT]
    return result


@pytest.mark.parametrize("shape", [(4, 24, 22), (4, 9, 12)])
def test_the_original_is_the_script(rectified, unscaled, shape) -> None:
    features = 6 * rectified(shape)
    method = AotaOriginal(3)
    quantised = method.quantise(features, unscaled(4))
    assert torch.equal(quantised, features)
    scores = method.score(quantised, method.reference([quantised]))
    expected = plain_original(features.numpy())
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-4 * expected.max())


def test_a_map_of_edges_alone_has_the_smallest_score_everywhere(rectified) -> None:
    method, features = AotaOriginal(3), rectified((2, 6, 5))
    reference = method.reference([features])
    assert np.unique(method.score(features, reference)).tolist() == [float(reference[0, 0])]


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("count", [1, 7, 400])
def test_distances_are_those_of_plain_differences(rectified, squared, count) -> None:
    averages, bank = rectified((5, 8, 9), 1), rectified((5, 6, 10), 2).flatten(1).T
    positions = averages.flatten(1).T
    away = (positions[:, None] - bank).square().sum(2)
    away = away if squared else away.sqrt()
    expected = away.sort(dim=1).values[:, :count].mean(1).view(8, 9)
    found = nearest_distances(averages, bank, count, squared=squared)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_blocks_make_no_difference(rectified, monkeypatch) -> None:
    averages, bank = rectified((5, 8, 9), 1), rectified((5, 6, 10), 2).flatten(1).T
    whole = nearest_distances(averages, bank, 7)
    monkeypatch.setattr(aota, "_BLOCK", 1)
    torch.testing.assert_close(nearest_distances(averages, bank, 7), whole)


@pytest.mark.parametrize(("method", "more"), [(Aota(3), 0), (AotaOriginal(3), 1)])
def test_the_bank_is_bounded_and_repeatable(rectified, monkeypatch, method, more) -> None:
    maps = [rectified((2, 9, 9), seed) for seed in (1, 2)]
    assert len(method.reference(maps)) == 162 + more
    monkeypatch.setattr(aota, "LARGEST_BANK", 50)
    bank = method.reference(maps)
    assert len(bank) == 50 + more
    assert torch.equal(bank, method.reference(maps))


def test_a_bank_must_hold_a_position(rectified) -> None:
    with pytest.raises(ValueError, match="reference must hold a bank, got '1 row'"):
        AotaOriginal(3).score(rectified((2, 9, 9)), torch.zeros(1, 2))


def test_as_configured() -> None:
    assert Aota.of(Scoring(method="aota", patch_size=3)) == Aota(3)
    assert AotaOriginal.of(Scoring(method="aota_original", patch_size=3)) == AotaOriginal(3)
