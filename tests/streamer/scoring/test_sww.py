"""The stored vectors, a plain loop, and several references."""

import math

import numpy as np
import pytest
import torch

from streamer.config import Scoring
from streamer.scoring.references import References
from streamer.scoring.sww import SIGMA, Sww

STEMS = [
    f"sww_s{seed}_{case}_T{size}"
    for seed in (0, 1)
    for case in ("rand24x20x8", "ties24x24x8")
    for size in (3, 9)
]


@pytest.mark.parametrize("stem", STEMS)
def test_stored_maps(golden, unscaled, stem) -> None:
    vector = golden(stem)
    method = Sww(int(vector["T"]), "first")
    quantised = method.quantise(vector["features"], unscaled(8))
    scores = method.score(quantised, method.reference([quantised]))
    expected = vector["map_stable"]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * expected.max())


def plain_score(features: np.ndarray, reference: np.ndarray, size: int, at: tuple[int, int]):
    """The score of one position inside the map, window value by window value."""
    radius = size // 2
    taps = [math.exp(-((i - radius) ** 2) / (2 * SIGMA**2)) for i in range(size)]
    taps = [tap / sum(taps) for tap in taps]
    total = 0.0
    for channel, ordered in zip(features, reference, strict=True):
        rows, columns = (slice(place - radius, place + radius + 1) for place in at)
        window = channel[rows, columns].flatten()
        for rank, index in enumerate(np.argsort(window, kind="stable")):
            weight = taps[index // size] * taps[index % size]
            total += weight * abs(window[index] - ordered[rank])
    return total / len(features)


@pytest.mark.parametrize("at", [(2, 2), (4, 7), (9, 10)])
def test_a_position_is_the_plain_loop(rectified, at) -> None:
    features = rectified((3, 12, 13))
    method = Sww(5, "first")
    reference = method.reference([features])
    found = method.score(features, reference)[at]
    assert found == pytest.approx(plain_score(features.numpy(), reference.numpy(), 5, at), abs=1e-6)


@pytest.mark.parametrize(("kind", "merge"), [("random", np.mean), ("prototypes", np.min)])
def test_several_references_are_merged_position_by_position(rectified, kind, merge) -> None:
    features = rectified((3, 20, 21))
    method = Sww(5, "mid", References(kind, 3))
    reference = method.reference([features])
    alone = [Sww(5, "mid").score(features, one) for one in reference]
    assert len(alone) > 1
    found = method.score(features, reference)
    np.testing.assert_allclose(found, merge(alone, axis=0), atol=1e-6)


def test_ties_change_the_score(rectified) -> None:
    features = (rectified((2, 12, 12)) * 4).round() / 4
    reference = Sww(5, "first").reference([features])
    maps = [Sww(5, ties).score(features, reference) for ties in ("first", "mid", "mean")]
    assert not np.allclose(maps[0], maps[1], atol=1e-4)
    assert not np.allclose(maps[1], maps[2], atol=1e-4)


def test_as_configured() -> None:
    chosen = Scoring(method="sww", patch_size=7, ties="mean", reference="knn", references=3)
    assert Sww.of(chosen) == Sww(7, "mean", References("knn", 3))
    assert Sww.of(chosen).parameters == {
        "patch_size": 7, "ties": "mean", "reference": "knn", "references": 3,
    }  # fmt: skip


def test_a_median_is_one_window(rectified) -> None:
    features = rectified((2, 12, 12))
    assert Sww(5, "mid").reference([features]).shape == (2, 25)
    with pytest.raises(ValueError, match=r"reference must be of shape \(2, 25\), got \(1, 2, 25\)"):
        Sww(5, "mid").score(features, torch.zeros(1, 2, 25))
