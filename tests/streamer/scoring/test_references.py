"""Which windows are compared, against the stored scores of every window as a reference."""

import numpy as np
import pytest
import torch

import kernels
from streamer.config import Scoring
from streamer.scoring import references
from streamer.scoring.fca import FcaExact, FcaFast
from streamer.scoring.references import CHUNK, References, median_of_windows, one_by_one

STEMS = [f"fcaknn_s{seed}_{case}" for seed in (0, 1) for case in ("12x10x4_T3", "16x16x4_T5")]


def fca(vector, kind: str, count: int | None = None) -> FcaExact:
    several = References(kind, count)
    size, sigmas = int(vector["T"]), (float(vector["sigma_p"]), float(vector["sigma_s"]))
    return FcaExact(size, *sigmas, "first", "exact", several)


def score(method, features: torch.Tensor) -> np.ndarray:
    return method.score(features, method.reference([features]))


@pytest.mark.parametrize("stem", STEMS)
class TestStoredMaps:
    def test_the_k_nearest_of_all_windows(self, golden, stem) -> None:
        vector = golden(stem)
        for count, expected in zip(vector["k"], vector["map_k"], strict=True):
            found = score(fca(vector, "knn", int(count)), vector["features"])
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())

    def test_a_quarter_of_them_is_the_default(self, golden, stem) -> None:
        vector = golden(stem)
        positions = vector["features"][0].numel()
        assert positions // 4 == vector["k"][-1]
        expected = vector["map_k"][-1]
        found = score(fca(vector, "knn"), vector["features"])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())

    def test_all_windows(self, golden, stem) -> None:
        vector = golden(stem)
        expected = vector["map_all_mean"]
        found = score(fca(vector, "all"), vector["features"])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())

    def test_each_window_in_raster_order(self, golden, stem) -> None:
        vector, features = golden(stem), golden(stem)["features"]
        method = fca(vector, "all")
        windows = method.reference([features])
        for index in (0, 7, len(windows) - 1):
            one = fca(vector, "median").score(features, windows[index])
            expected = vector["S_all"][index]
            np.testing.assert_allclose(one, expected, rtol=0, atol=1e-5 * expected.max())

    def test_more_neighbours_than_windows_are_all(self, golden, stem) -> None:
        vector = golden(stem)
        found = score(fca(vector, "knn", 4096), vector["features"])
        np.testing.assert_allclose(found, vector["map_all_mean"], atol=1e-5)


def windows_of(one: torch.Tensor, size: int) -> set[tuple[float, ...]]:
    cut = one.unfold(1, size, 1).unfold(2, size, 1).flatten(3).sort(dim=-1).values
    return {tuple(window.flatten().tolist()) for window in cut.permute(1, 2, 0, 3).flatten(0, 1)}


def test_random_windows_are_complete_windows_of_any_map(rectified) -> None:
    maps = [rectified((2, 5, 6), 1), rectified((2, 7, 5), 2)]
    drawn = References("random", 40, 3).learn(maps, 5)
    known = [windows_of(one, 5) for one in maps]
    seen = [sum(tuple(window.flatten().tolist()) in one for window in drawn) for one in known]
    assert sum(seen) == 40
    assert min(seen) > 0
    assert known[0] | known[1] == {tuple(window.flatten().tolist()) for window in drawn}


def test_the_draw_follows_the_seed_alone(rectified) -> None:
    maps = [rectified((2, 20, 20))]
    first, again, other = (References("random", 3, seed).learn(maps, 5) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(References("random").learn(maps, 5)) == 1


def test_random_is_the_mean_over_its_windows(rectified) -> None:
    features = (15 * rectified((3, 20, 22))).to(torch.uint8)
    method = FcaFast(5, 16, 1, 1.0, References("random", 2 * CHUNK + 1))
    windows = method.reference([features])
    alone = [FcaFast(5, 16, 1, 1.0).score(features, one) for one in windows]
    np.testing.assert_allclose(method.score(features, windows), np.mean(alone, axis=0), atol=1e-6)


def test_prototypes_are_the_kernels_minimum_per_window(rectified) -> None:
    features = rectified((3, 30, 30))
    features[:, :, 15:] *= 0.3
    method = FcaExact(5, 3.0, 1.0, "mid", "exact", References("prototypes", 2))
    windows = method.reference([features])
    assert windows.shape == (2, 3, 25)
    expected = kernels.fca_score(features, windows, 5)
    np.testing.assert_array_equal(method.score(features, windows), expected)
    single = FcaExact(5, 3.0, 1.0, "mid")
    assert method.score(features, windows).mean() < score(single, features).mean()


def test_no_more_windows_are_remembered_than_fit(rectified, monkeypatch) -> None:
    maps = [rectified((2, 12, 12), seed) for seed in (1, 2)]
    size = 2 * 25 * 4
    assert len(References("all").learn(maps, 5)) == 288
    monkeypatch.setattr(references, "LARGEST_REFERENCE", 20 * size + 3)
    kept = References("all").learn(maps, 5)
    assert kept.shape == (20, 2, 25)
    assert torch.equal(kept, References("knn").learn(maps, 5))
    assert len(References("prototypes", 3).learn(maps, 5)) <= 3
    levels = [(15 * one).to(torch.uint8) for one in maps]
    assert len(References("all").learn(levels, 5)) == 80
    monkeypatch.setattr(references, "MOST_WINDOWS", 7)
    assert len(References("all").learn(levels, 5)) == 7


def test_prototypes_are_made_of_no_more_windows_than_that(rectified, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(references, "cluster_windows", lambda windows, count: seen.append(windows))
    References("prototypes").learn([rectified((2, 20, 30))], 5)
    monkeypatch.setattr(references, "MOST_CLUSTERED", 9)
    References("prototypes").learn([rectified((2, 20, 30))], 5)
    assert [len(windows) for windows in seen] == [24, 9]


def test_windows_sorted_a_few_at_a_time_are_the_same(rectified, monkeypatch) -> None:
    maps = [rectified((2, 12, 12), seed) for seed in (1, 2)]
    whole = References("all").learn(maps, 5)
    monkeypatch.setattr(references, "SORTED", 1)
    assert torch.equal(References("all").learn(maps, 5), whole)


def test_medians_lie_across_no_two_maps(rectified) -> None:
    maps = [rectified((2, 11, 13), 1), rectified((2, 7, 6), 2)]
    windows = torch.cat(
        [
            one[:, : 5 * (one.shape[1] // 5), : 5 * (one.shape[2] // 5)]
            .unfold(1, 5, 5)
            .unfold(2, 5, 5)
            .flatten(3)
            .flatten(1, 2)
            for one in maps
        ],
        dim=1,
    )
    expected = windows.sort(dim=-1).values.median(dim=1).values
    assert torch.equal(median_of_windows(maps, 5), expected)
    assert torch.equal(References().learn(maps, 5), expected)


def test_one_by_one_stacks_what_each_reference_gives() -> None:
    found = one_by_one(lambda window: window.sum() * torch.ones(2, 3))(torch.ones(4, 5, 6))
    assert torch.equal(found, torch.full((4, 2, 3), 30.0))


@pytest.mark.parametrize("kind", ["median", "random", "all", "knn", "prototypes"])
def test_maps_must_hold_a_window(kind, rectified) -> None:
    with pytest.raises(ValueError, match=r"maps must be at least 5 x 5 \(patch_size\), got 4"):
        References(kind).learn([rectified((2, 9, 9)), rectified((2, 4, 9))], 5)
    with pytest.raises(ValueError, match=r"maps must hold one map or more, got \[\]"):
        References(kind).learn([], 5)


def test_as_configured() -> None:
    assert References.of(Scoring()) == References()
    chosen = Scoring(reference="random", references=5, reference_seed=9)
    assert References.of(chosen) == References("random", 5, 9)
    assert References.of(chosen).parameters == {
        "reference": "random", "references": 5, "reference_seed": 9,
    }  # fmt: skip
    assert References("knn", None, 9).parameters == {"reference": "knn", "references": None}
    assert References().parameters == {}
