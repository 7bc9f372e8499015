"""The stored vectors, the published equations as they are written, and the choice of support."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Scoring
from streamer.scoring import grnr
from streamer.scoring.grnr import Grnr, average, fuse_levels, typical_positions

INNER = slice(2, -2)  # where neither zeros beyond the edge nor mirrored neighbours matter
METHOD = Grnr(3)


@pytest.fixture(scope="module")
def vector(golden):
    return golden("grnr_s0_without_noise")


@pytest.fixture(scope="module", params=["2", "3"])
def level(request, vector):
    """(features, chosen support, scores) of a level of the backbone."""
    features = torch.from_numpy(vector[f"layer{request.param}"]).permute(2, 0, 1).contiguous()
    return features, vector[f"sel{request.param}"], vector[f"score{request.param}"]


def test_the_support_is_the_stored_one_in_its_order(vector, level) -> None:
    features, chosen, _ = level
    assert int(vector["K"]) == grnr.TYPICAL
    positions = average(features, zeros_beyond=True).flatten(1).T
    assert typical_positions(positions, grnr.TYPICAL).tolist() == chosen.tolist()


def test_stored_scores_inside_the_map(vector, level) -> None:
    features, _, expected = level
    assert float(vector["lam"]) == grnr.STRENGTH
    scores = METHOD.score(features, METHOD.reference([features]))
    inner, stored = scores[INNER, INNER], expected[INNER, INNER]
    np.testing.assert_allclose(inner, stored, rtol=0, atol=1e-3 * stored.max())


def test_stored_levels_are_fused_by_their_product(vector) -> None:
    maps = [torch.from_numpy(vector[name]) for name in ("map2", "map3")]
    np.testing.assert_array_equal(fuse_levels(maps, "product"), vector["fused"])
    np.testing.assert_allclose(fuse_levels(maps, "sum"), vector["map2"] + vector["map3"])


def test_only_maps_of_one_size_are_fused() -> None:
    with pytest.raises(ValueError, match=r"maps must be of one size, got \[\(2, 3\), \(3, 3\)\]"):
        fuse_levels([torch.zeros(3, 3), torch.zeros(2, 3)], "sum")
    with pytest.raises(ValueError, match=r"maps must be of one size, got \[\]"):
        fuse_levels([], "product")


def published_score(averages: np.ndarray, support: np.ndarray, at: tuple[int, int]) -> float:
    """Equations 18 and 19 with every prototype (K, C) by itself, float64."""
    row, column = at
    window = averages[:, row - 1 : row + 2, column - 1 : column + 2].reshape(len(averages), 9)
    query, local = window[:, 4], np.delete(window, 4, axis=1).T
    gram = local @ local.T
    left = query @ local.T + grnr.STRENGTH * (support @ local.T).sum(0)
    weights = left @ np.linalg.inv(gram + grnr.STRENGTH * len(support) * gram)
    return float(np.linalg.norm(query - weights @ local))


@pytest.mark.parametrize("at", [(2, 2), (5, 9), (9, 4)])
def test_one_mean_prototype_is_the_published_sum_over_all(at) -> None:
    features = torch.rand(24, 12, 13, generator=torch.Generator().manual_seed(5))
    positions = average(features, zeros_beyond=True).flatten(1).T
    support = positions[typical_positions(positions, grnr.TYPICAL)].double().numpy()
    averages = average(features).double().numpy()
    found = METHOD.score(features, METHOD.reference([features]))[at]
    assert found == pytest.approx(published_score(averages, support, at), rel=1e-3)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 500))
def test_typical_positions_have_the_smallest_distance_sums(number, count, block) -> None:
    positions = torch.rand(number, 3, generator=torch.Generator().manual_seed(number))
    sums = torch.cdist(positions.double(), positions.double()).sum(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grnr, "_BLOCK", block)
        chosen = typical_positions(positions, count)
    assert len(set(chosen.tolist())) == len(chosen) == min(number, count)
    assert sums[chosen].max() <= sums.sort().values[: len(chosen)].max() + 1e-4
    assert (sums[chosen].diff() >= -1e-4).all()


def test_strips_make_no_difference(rectified, monkeypatch) -> None:
    features = rectified((4, 15, 12))
    reference = METHOD.reference([features])
    whole = METHOD.score(features, reference)
    monkeypatch.setattr(grnr, "_BLOCK", 1)
    np.testing.assert_allclose(METHOD.score(features, reference), whole, atol=1e-6)


def test_the_sample_of_a_large_web_is_bounded_and_repeatable(rectified, monkeypatch) -> None:
    maps = [rectified((3, 14, 14), seed) for seed in (1, 2)]
    whole = METHOD.reference(maps)
    monkeypatch.setattr(grnr, "LARGEST_SAMPLE", 60)
    sampled = METHOD.reference(maps)
    assert not torch.equal(sampled, whole)
    assert torch.equal(sampled, METHOD.reference(maps))


def test_edges_score_like_the_inside(rectified) -> None:
    """Zeros beyond the edge would make it half as bright and twice as odd."""
    features = 1 + 0.02 * rectified((8, 30, 30))
    scores = METHOD.score(features, METHOD.reference([features]))
    assert scores.max() <= 4 * np.median(scores)


def test_features_that_vanish_somewhere_have_finite_scores(rectified) -> None:
    features = rectified((3, 16, 16))
    features[:, :8] = 0
    features[:, 8:10] *= 1e-30
    assert np.isfinite(METHOD.score(features, METHOD.reference([features]))).all()


def test_as_configured() -> None:
    assert Grnr.of(Scoring(method="grnr", patch_size=3)) == Grnr(3)
