from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels.reference
from kernels import channel_range, fca_score, fca_score_batch
from kernels.compiled import PATH_VARIABLE, REFERENCE
from kernels.reference import Weights, score, window_errors
from kernels.windows import Windows, gaussian

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = sorted(path.stem for path in FOLDER.glob("fca_*.npz"))
EVERY_WINDOW = sorted(path.stem for path in FOLDER.glob("fcaknn_*.npz"))
COUNTS = (29, 4, 8)
WEIGHTED = sorted(path.stem for path in FOLDER.glob("sww_*.npz"))


@pytest.fixture(autouse=True)
def _torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is the reference itself."""
    monkeypatch.setenv(PATH_VARIABLE, REFERENCE)


def close_to_maximum(got: torch.Tensor, expected: np.ndarray, share: float = 1e-5) -> None:
    np.testing.assert_allclose(got, expected, rtol=0, atol=share * expected.max())


def test_no_stored_vector_is_missing() -> None:
    assert (len(GOLDEN), len(EVERY_WINDOW), len(WEIGHTED)) == COUNTS


@pytest.mark.parametrize("stem", GOLDEN)
def test_stored_maps(golden, stem: str) -> None:
    vector = golden(stem)
    sigma_s = float(vector["sigma_s"]) or None
    got = fca_score(
        vector["features"],
        torch.from_numpy(vector["ref"]),
        int(vector["T"]),
        float(vector["sigma_p"]),
        sigma_s,
        ties="first",
    )
    assert got.dtype == torch.float32
    close_to_maximum(got, vector["map_stable"])


@pytest.mark.parametrize("stem", EVERY_WINDOW)
def test_stored_maps_of_every_window_as_the_reference(golden, oracle, stem: str) -> None:
    vector = golden(stem)
    side, features = int(vector["T"]), vector["features"]
    padded = torch.from_numpy(oracle.pad(features.numpy(), side))
    windows = padded.unfold(1, side, 1).unfold(2, side, 1).flatten(3).sort(dim=-1).values
    references = windows.flatten(1, 2).transpose(0, 1)
    shared = features.expand(len(references), -1, -1, -1)
    maps = fca_score_batch(shared, references, side, ties="first")
    close_to_maximum(maps, vector["S_all"])
    ordered = maps.sort(dim=0).values
    for count, expected in zip(vector["k"], vector["map_k"], strict=True):
        close_to_maximum(ordered[:count].mean(dim=0), expected)


@pytest.mark.parametrize("stem", WEIGHTED)
def test_stored_sample_weighted_maps_from_the_window_errors(golden, stem: str) -> None:
    vector = golden(stem)
    windows = Windows(int(vector["T"]))
    features = vector["features"].contiguous()
    reference = kernels.median_reference(features, windows.patch_size)
    strips = window_errors(features, reference[None, None], windows, "first")
    errors = torch.cat(list(strips), dim=-2)[0]
    taps = torch.tensor(gaussian(windows.patch_size, float(vector["sigma"])))
    got = torch.einsum("ijhw,i,j->hw", errors, taps, taps)
    close_to_maximum(got, vector["map_stable"])


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from([3, 5]),
    stride=st.integers(1, 3),
    sigmas=st.tuples(st.sampled_from([0.8, 3.0, math.inf]), st.sampled_from([None, 1.0, 3.0])),
    ties=st.sampled_from(["first", "mid", "mean"]),
    levels=st.sampled_from([1, 3, 1000]),
    bands=st.sampled_from([(None, 0), (3, 0), (2, 5)]),
    size=st.tuples(st.integers(1, 3), st.integers(5, 8), st.integers(5, 9)),
    references=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_scores_equal_plain_loops(
    oracle, side: int, stride: int, sigmas, ties: str, levels: int, bands, size, references, seed
) -> None:
    random = np.random.default_rng(seed)
    features = (random.integers(0, levels, size) / levels).astype(np.float32)
    band_width, first_column = bands
    count = 1 if band_width is None else (first_column + size[2] - 1) // band_width + 1
    reference = random.random((count, references, size[0], side**2), np.float32)
    reference.sort(axis=-1)
    setting = oracle.Setting(side, *sigmas, ties, stride, band_width, first_column)
    got = fca_score(
        torch.from_numpy(features),
        torch.from_numpy(reference if band_width else reference[0]),
        side,
        *sigmas,
        ties=ties,
        window_stride=stride,
        band_width=band_width,
        first_column=first_column,
    )
    expected = oracle.fca(features, reference, setting)
    np.testing.assert_allclose(got, expected, atol=2e-6)


@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
def test_u8_is_exact_on_quantised_features(oracle, make_map, make_reference, ties: str) -> None:
    features = make_map((2, 8, 7)) * 1.2 - 0.1
    reference = make_reference((2, 9)) * 1.2 - 0.1
    got = fca_score(features, reference, 3, ties=ties, precision="u8")
    bytes_ = [
        np.floor(255 * np.clip(v.numpy(), 0, 1) + np.float32(0.5)) for v in (features, reference)
    ]
    expected = oracle.fca(bytes_[0], bytes_[1][None, None], oracle.Setting(ties=ties)) / 255
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_u8_stays_close_to_exact(golden) -> None:
    vector = golden("fca_s0_big40x40x64_T9_p3_s1")
    reference = torch.from_numpy(vector["ref"])
    exact = fca_score(vector["features"], reference)
    close_to_maximum(fca_score(vector["features"], reference, precision="u8"), exact.numpy(), 0.02)


@pytest.mark.parametrize("ties", ["mid", "mean"])
@pytest.mark.parametrize("levels", [3, None])
def test_mid_and_mean_turn_with_the_image(make_map, make_reference, ties: str, levels) -> None:
    features, reference = make_map((3, 12, 15), levels), make_reference((3, 25))
    upright = fca_score(features, reference, 5, ties=ties)
    for turn in (
        lambda maps: maps.flip(-1),
        lambda maps: maps.flip(-2),
        lambda maps: maps.transpose(-1, -2),
    ):
        turned = fca_score(turn(features), reference, 5, ties=ties)
        torch.testing.assert_close(turned, turn(upright), rtol=0, atol=1e-6)


def test_raster_order_has_a_direction(make_map, make_reference) -> None:
    features, reference = make_map((3, 12, 15), 3), make_reference((3, 25))
    upright = fca_score(features, reference, 5, ties="first")
    turned = fca_score(features.flip(-1), reference, 5, ties="first").flip(-1)
    assert float((turned - upright).abs().max()) > 1e-3


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
def test_strips_with_halo_equal_the_whole_to_the_bit(
    make_map, make_reference, stride: int, ties: str
) -> None:
    features, reference = make_map((3, 54, 14), 50), make_reference((2, 3, 25))
    options = {"patch_size": 5, "ties": ties, "window_stride": stride}
    whole = fca_score(features, reference, **options)
    halo = 6  # T - 1, rounded up so that strips start at a multiple of every stride.
    for first, last in ((0, 18), (18, 30), (30, 54)):
        top, bottom = max(0, first - halo), min(54, last + halo)
        strip = fca_score(features[:, top:bottom], reference, **options)
        assert torch.equal(strip[first - top : last - top], whole[first:last])


def test_the_size_of_a_block_does_not_change_a_bit(make_map, make_reference, monkeypatch) -> None:
    features, reference = make_map((5, 40, 11)), make_reference((2, 5, 9))
    whole = fca_score(features, reference, 3, window_stride=2)
    monkeypatch.setattr(kernels.reference, "_BLOCK", 400)
    strips = list(window_errors(features, reference[None], Windows(3, 2), "mid"))
    assert len(strips) > 3
    assert torch.equal(fca_score(features, reference, 3, window_stride=2), whole)


def test_columns_of_a_band_are_scored_with_their_reference(make_map, make_reference) -> None:
    features, bands = make_map((2, 9, 16)), make_reference((4, 2, 9))
    banded = fca_score(features, bands, 3, band_width=4)
    for band in range(4):
        alone = fca_score(features, bands[band], 3)
        inner = slice(4 * band + 1, 4 * band + 3)  # Windows of this band only.
        torch.testing.assert_close(banded[:, inner], alone[:, inner])


def test_a_lane_is_scored_with_the_bands_of_its_place_on_the_web(make_map, make_reference) -> None:
    features, bands = make_map((2, 9, 20)), make_reference((4, 3, 2, 9))
    web = fca_score(features, bands, 3, band_width=5)
    lane = fca_score(features[:, :, 6:], bands, 3, band_width=5, first_column=6)
    assert torch.equal(web[:, 8:], lane[:, 2:])


def test_each_window_takes_its_best_reference(make_map, make_reference) -> None:
    features = make_map((2, 9, 9))
    own, far = make_reference((2, 9)), make_reference((2, 9)) + 5
    alone = fca_score(features, own, 3)
    assert torch.equal(fca_score(features, torch.stack([own, far]), 3), alone)
    assert torch.equal(fca_score(features, torch.stack([far, own]), 3), alone)


def test_a_window_that_equals_its_reference_scores_zero() -> None:
    tile = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    features = tile.repeat(1, 5, 5)
    reference = kernels.median_reference(features, 3)
    assert float(fca_score(features, reference, 3)[2:-2, 2:-2].abs().max()) == 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_interior_weights_sum_to_one_in_every_phase(stride: int) -> None:
    features, reference = torch.ones(1, 30, 31), torch.zeros(1, 49)
    scores = fca_score(features, reference, 7, window_stride=stride)
    torch.testing.assert_close(scores[7:-7, 7:-7], torch.ones(16, 17))


def test_borders_stay_darker() -> None:
    scores = fca_score(torch.ones(1, 20, 20), torch.zeros(1, 81))
    assert float(scores[0, 0]) == pytest.approx(0.577**2, abs=1e-3)
    assert float(scores[0, 10]) == pytest.approx(0.577, abs=1e-3)


def test_scores_do_not_depend_on_the_layout_in_memory(make_map, make_reference) -> None:
    features, reference = make_map((4, 9, 8)), make_reference((4, 9))
    strided = features.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(fca_score(strided, reference, 3), fca_score(features, reference, 3))


def test_channel_range() -> None:
    features = torch.tensor([[[1.0, -2.0], [0.5, 3.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert channel_range(features).tolist() == [[-2.0, 3.0], [0.0, 0.0]]


def test_score_leaves_its_input_alone(make_map, make_reference) -> None:
    features, reference = make_map((2, 7, 7)), make_reference((1, 1, 2, 9))
    before = features.clone(), reference.clone()
    score(features, reference, Windows(3), Weights(), "mid")
    assert torch.equal(features, before[0])
    assert torch.equal(reference, before[1])
