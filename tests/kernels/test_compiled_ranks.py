"""The compiled forms of `fca_score`, every path of this CPU, held to the torch reference."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import fca_score, fca_score_batch
from kernels.compiled import PATH_VARIABLE, usable_paths

TIES = ["first", "mid", "mean"]
FOLDER = Path(__file__).parents[1] / "golden"
# Larger windows than the compiled kernels take are the torch reference's.
STORED = sorted(path.stem for path in FOLDER.glob("fca_s*.npz"))
EVERY_WINDOW = sorted(path.stem for path in FOLDER.glob("fcaknn_*.npz"))


def in_torch(*arguments: object, **options: object) -> torch.Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PATH_VARIABLE, "reference")
        return fca_score(*arguments, **options)


def draw_map(random: np.random.Generator, shape: tuple[int, ...], kind: str) -> torch.Tensor:
    values = random.random(shape, np.float32)
    match kind:
        case "relu":
            values = np.maximum(values - 0.7, 0)
        case "few":
            values = np.floor(values * 4) / 4
        case "constant":
            values[:] = 0.25
        case "beyond":
            values = values * 3 - 1
    return torch.from_numpy(values.astype(np.float32))


@settings(max_examples=80, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9, 11]),
    stride=st.integers(1, 4),
    rule=st.tuples(st.sampled_from(TIES), st.sampled_from(["exact", "u8"])),
    sigmas=st.tuples(st.sampled_from([1.5, 3.0, math.inf]), st.sampled_from([None, 1.0, 3.0])),
    kind=st.sampled_from(["smooth", "relu", "few", "constant", "beyond"]),
    bands=st.sampled_from([(None, 0), (1, 0), (3, 0), (8, 5), (200, 7)]),
    size=st.tuples(st.integers(1, 6), st.integers(0, 12), st.integers(0, 70)),
    references=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_scores_are_those_of_torch(
    path: str, side: int, stride: int, rule, sigmas, kind: str, bands, size, references: int, seed
) -> None:
    random = np.random.default_rng(seed)
    ties, precision = rule
    band_width, first_column = bands
    channels, height, width = size[0], side + size[1], side + size[2]
    features = draw_map(random, (channels, height, width), kind)
    count = () if band_width is None else ((first_column + width - 1) // band_width + 1,)
    reference = draw_map(random, (*count, references, channels, side**2), kind).sort(-1).values
    options = {
        "patch_size": side,
        "sigma_p": sigmas[0],
        "sigma_s": sigmas[1],
        "ties": ties,
        "precision": precision,
        "window_stride": min(stride, side),
        "band_width": band_width,
        "first_column": first_column,
    }
    expected = in_torch(features, reference, **options)
    got = fca_score(features, reference, **options)
    if ties == "mean" or band_width is not None:
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6 * float(expected.max() + 1e-9))
    else:
        assert torch.equal(got, expected)


@pytest.mark.parametrize("stem", STORED)
def test_stored_maps(path: str, golden, stem: str) -> None:
    vector = golden(stem)
    sigmas = float(vector["sigma_p"]), float(vector["sigma_s"]) or None
    reference, side = torch.from_numpy(vector["ref"]), int(vector["T"])
    got = fca_score(vector["features"], reference, side, *sigmas, ties="first")
    expected = vector["map_stable"]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("stem", EVERY_WINDOW)
def test_stored_maps_of_every_window_as_the_reference(path: str, golden, oracle, stem: str) -> None:
    vector = golden(stem)
    side, features = int(vector["T"]), vector["features"]
    padded = torch.from_numpy(oracle.pad(features.numpy(), side))
    windows = padded.unfold(1, side, 1).unfold(2, side, 1).flatten(3).sort(dim=-1).values
    references = windows.flatten(1, 2).transpose(0, 1)
    shared = features.expand(len(references), -1, -1, -1)
    maps = fca_score_batch(shared, references, side, ties="first")
    expected = vector["S_all"]
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("rule", [("first", "u8"), ("mid", "exact"), ("mean", "exact")])
def test_a_map_that_is_cut_for_its_memory_has_the_scores_of_its_parts(path: str, rule) -> None:
    """More values than 16-bit ranks hold: the strips below are scored in one piece each."""
    generator = torch.Generator().manual_seed(3)
    features = torch.rand((3, 300, 260), generator=generator)
    reference = torch.rand((3, 81), generator=generator).sort(-1).values
    options = {"ties": rule[0], "precision": rule[1]}
    whole = fca_score(features, reference, **options)
    for first, last in ((0, 90), (90, 200), (200, 300)):
        top, bottom = max(0, first - 8), min(300, last + 8)
        strip = fca_score(features[:, top:bottom], reference, **options)
        assert torch.equal(strip[first - top : last - top], whole[first:last])


@pytest.mark.parametrize(("stride", "halo"), [(2, 8), (3, 9), (4, 8)])
def test_strips_that_start_on_the_stride_equal_the_whole(path: str, stride: int, halo: int) -> None:
    generator = torch.Generator().manual_seed(4)
    features = torch.rand((4, 72, 31), generator=generator)
    reference = torch.rand((2, 4, 81), generator=generator).sort(-1).values
    whole = fca_score(features, reference, window_stride=stride)
    for first, last in ((0, 24), (24, 48), (48, 72)):
        top, bottom = max(0, first - halo), min(72, last + halo)
        strip = fca_score(features[:, top:bottom], reference, window_stride=stride)
        assert torch.equal(strip[first - top : last - top], whole[first:last])


@pytest.mark.parametrize("ties", ["mid", "mean"])
@pytest.mark.parametrize("precision", ["exact", "u8"])
def test_mid_and_mean_turn_with_the_image(path: str, make_map, ties: str, precision: str) -> None:
    features = make_map((3, 14, 19), 5)
    reference = torch.linspace(0, 1, 49).expand(3, 49)
    options = {"patch_size": 7, "ties": ties, "precision": precision}
    upright = fca_score(features, reference, **options)
    for turn in (
        lambda maps: maps.flip(-1),
        lambda maps: maps.flip(-2),
        lambda maps: maps.transpose(-1, -2),
    ):
        turned = fca_score(turn(features), reference, **options)
        torch.testing.assert_close(turned, turn(upright), rtol=0, atol=1e-6)


def test_mean_is_what_raster_order_gives_on_average(path: str) -> None:
    """Ties broken at random: values that differ by less than matters rank in any order."""
    generator = torch.Generator().manual_seed(5)
    features = torch.randint(0, 3, (2, 12, 13), generator=generator) / 4
    reference = torch.rand((2, 25), generator=generator).sort(-1).values
    total = torch.zeros(12, 13, dtype=torch.float64)
    draws = 400
    for _ in range(draws):
        shaken = features + 1e-6 * torch.rand(features.shape, generator=generator)
        total += fca_score(shaken, reference, 5, ties="first")
    # Mirrored positions stay ties: their raster order is the only thing that is not drawn.
    mean = fca_score(features, reference, 5, ties="mean")
    inside = (slice(4, -4), slice(4, -4))
    expected = (total / draws).to(torch.float32)[inside]
    torch.testing.assert_close(expected, mean[inside], rtol=0, atol=0.01 * float(mean.max()))


@pytest.mark.parametrize("ties", TIES)
def test_a_monotone_change_of_the_values_leaves_the_ranks_alone(path: str, ties: str) -> None:
    """The reference is the rank itself, next to which the values do not count."""
    features = torch.rand((2, 20, 21), generator=torch.Generator().manual_seed(6))
    features[0] = (features[0] * 6).floor() / 6
    reference = torch.arange(81.0).expand(2, 81)
    plain = fca_score(features * 1e-6, reference, ties=ties)
    changed = fca_score(features.pow(3).mul(1e-6), reference, ties=ties)
    torch.testing.assert_close(changed, plain, rtol=0, atol=3e-6)


@pytest.mark.parametrize("precision", ["exact", "u8"])
def test_the_number_of_threads_does_not_change_a_bit(path: str, threads, precision: str) -> None:
    features = torch.rand((40, 50, 61), generator=torch.Generator().manual_seed(7))
    reference = torch.linspace(0, 1, 81).expand(40, 81)
    torch.set_num_threads(1)
    alone = fca_score(features, reference, precision=precision)
    torch.set_num_threads(3)
    assert torch.equal(fca_score(features, reference, precision=precision), alone)


@pytest.mark.parametrize("channels", [258, 600])
def test_sums_of_many_channels_do_not_wrap(path: str, channels: int) -> None:
    """The largest error of bytes, 255, in every channel."""
    reference = torch.ones(channels, 9)
    options = {"patch_size": 3, "sigma_s": None, "precision": "u8", "sigma_p": math.inf}
    scores = fca_score(torch.zeros(channels, 7, 40), reference, **options)
    torch.testing.assert_close(scores[1:-1, 1:-1], torch.ones(5, 38), rtol=0, atol=1e-6)


@pytest.mark.parametrize("ties", TIES)
def test_every_level_at_once_ranks_right(path: str, ties: str) -> None:
    """All 256 bytes in one map, 0 and 255 side by side: no comparison may wrap."""
    order = torch.randperm(1024, generator=torch.Generator().manual_seed(9))
    levels = torch.arange(256.0).repeat(4)[order] / 255
    features = levels.view(1, 16, 64)
    features[0, 8] = torch.tensor([0.0, 1.0]).repeat(32)
    reference = torch.linspace(0, 1, 81).expand(1, 81)
    options = {"ties": ties, "precision": "u8"}
    expected = in_torch(features, reference, **options)
    torch.testing.assert_close(fca_score(features, reference, **options), expected)


def test_nearby_and_far_values_are_ranked_exactly(path: str) -> None:
    """One huge value leaves the others next to each other; negative zero equals zero."""
    random = torch.Generator().manual_seed(8)
    features = torch.rand((1, 40, 41), generator=random) * 1e-3
    features[0, 20, 20] = 3e38
    features[0, 10, :20] = -0.0
    features[0, 11, 20:] = 0.0
    reference = torch.linspace(0, 1e-3, 81).expand(1, 81)
    expected = in_torch(features, reference, ties="first")
    assert torch.equal(fca_score(features, reference, ties="first"), expected)


def test_views_are_taken_as_they_look(path: str, make_map, make_reference) -> None:
    features, reference = make_map((4, 24, 26)), make_reference((4, 9))
    view = features[:, ::2].transpose(1, 2)
    assert torch.equal(fca_score(view, reference, 3), fca_score(view.contiguous(), reference, 3))


def test_batches_are_scored_one_by_one(path: str, make_map, make_reference) -> None:
    features = torch.stack([make_map((3, 12, 14), seed=seed) for seed in range(3)])
    reference = make_reference((3, 2, 3, 25))
    batch = fca_score_batch(features, reference, 5, ties="first")
    for item in range(3):
        assert torch.equal(batch[item], fca_score(features[item], reference[item], 5, ties="first"))


def test_calls_at_once_do_not_disturb_each_other(path: str, make_map, make_reference) -> None:
    maps = [make_map((8, 20 + seed, 30), seed=seed) for seed in range(6)]
    reference = make_reference((8, 81))
    expected = [fca_score(one, reference) for one in maps]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda one: fca_score(one, reference), maps))
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"reference": torch.zeros(1, 1, 3, 9)}, "reference must have the channels of the map"),
        ({"reference": torch.zeros(1, 1, 2, 25)}, "reference must have patch_size"),
        ({"taps": torch.zeros(5)}, "taps must be patch_size weights"),
        ({"blur": torch.zeros(3)}, "blur must be none or 5 weights"),
        ({"scores": torch.zeros(9, 9)}, "scores must have the size of the map"),
        ({"band_width": 2}, "reference must hold every band"),
        ({"band_width": -1}, "band_width must be >= 0"),
        ({"first_column": -1}, "first_column must be >= 0"),
        ({"window_stride": 4}, "window_stride must be 1..4 and not above patch_size"),
        ({"threads": 0}, "threads must be >= 1"),
        ({"ties": "last"}, "ties must be first, mid or mean"),
        ({"path": "sse9"}, "path must be one that this CPU has"),
    ],
)
def test_the_extension_refuses_what_it_cannot_hold(path: str, change, text: str) -> None:
    from kernels import _native

    arguments = {
        "features": torch.zeros(2, 9, 8),
        "reference": torch.zeros(1, 1, 2, 9),
        "taps": torch.ones(3),
        "blur": torch.ones(0),
        "scores": torch.zeros(9, 8),
        "ties": "first",
        "bytes": False,
        "patch_size": 3,
        "window_stride": 1,
        "band_width": 0,
        "first_column": 0,
        "path": path,
        "threads": 1,
    }
    with pytest.raises(ValueError, match=text):
        _native.score_exact(**(arguments | change))


def draw_magnitudes(generator: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Ordinary numbers among ones down to 2 ** -60: their sums are rounded, in double too."""
    exponents = torch.randint(0, 2, shape, generator=generator)
    exponents *= torch.randint(0, 60, shape, generator=generator)
    return torch.rand(shape, generator=generator).ldexp(-exponents)


@pytest.mark.parametrize("seed", range(4))
def test_values_alone_beside_shared_ranks_have_the_same_bits_on_every_path(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = draw_magnitudes(generator, (1, 11, 300))
    reference = draw_magnitudes(generator, (1, 121)).sort(-1).values
    maps = []
    for one in usable_paths():
        monkeypatch.setenv(PATH_VARIABLE, one)
        maps.append(fca_score(features, reference, 11, ties="mean", window_stride=4))
    assert all(torch.equal(one, maps[0]) for one in maps)


def test_each_of_many_narrow_bands_keeps_its_own_reference(path: str) -> None:
    """Far more bands than meet in one part of the map, whose tables hold its own alone."""
    generator = torch.Generator().manual_seed(7)
    features = torch.rand((2, 9, 2000), generator=generator)
    reference = torch.rand((2000, 2, 2, 9), generator=generator).sort(-1).values
    options = {"band_width": 1, "sigma_s": None}
    whole = fca_score(features, reference, 3, **options)
    torch.testing.assert_close(
        whole, in_torch(features, reference, 3, **options), rtol=0, atol=1e-6 * float(whole.max())
    )
