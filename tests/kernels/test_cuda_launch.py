"""The device kernels, emulated on the CPU from their own source, against torch and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import cuda_launch, fast, library
from kernels.cuda_launch import Launch, Variant, fast_shared_bytes, prefix_table
from kernels.reference import Weights
from kernels.windows import Windows

INF = math.inf
SHARED_OF_EVERY_DEVICE = 48 << 10


def expected_scores(features, reference, windows, weights, options):
    rule = library._Fca(
        windows.patch_size,
        weights.sigma_p,
        weights.sigma_s,
        *options,
        windows.stride,
        windows.band_width,
        windows.first_column,
    )
    score = library._scoring(rule)
    return torch.stack([score(*item) for item in zip(features, reference, strict=True)])


def bands_of(windows: Windows, columns: int) -> int:
    return int(windows.bands(columns, torch.device("cpu"))[-1]) + 1


def assert_close(found, expected, options):
    """To the bit where all sums are of integers, else to 1e-5 of the largest score."""
    if options[1] == "u8" and options[0] != "mean":
        assert torch.equal(found, expected)
    assert (found - expected).abs().max() <= 1e-5 * expected.max()


CASES = [
    # patch, stride, band width, first column, K, (C, H, W), sigma_p, sigma_s
    (3, 1, None, 0, 1, (5, 9, 40), 3.0, 1.0),
    (3, 3, 2, 5, 1, (2, 11, 8), INF, None),
    (5, 2, None, 0, 3, (19, 13, 12), 3.0, 1.0),
    (5, 4, None, 0, 1, (29, 12, 36), INF, 1.0),
    (7, 1, 8, 3, 2, (3, 12, 35), 1.5, 0.7),
    (9, 1, None, 0, 1, (40, 20, 33), 3.0, 1.0),
    (9, 4, 1, 2, 1, (4, 18, 39), INF, None),
    (11, 1, 3, 0, 1, (2, 14, 15), 3.0, 1.0),
    (11, 3, None, 0, 1, (2, 23, 11), 6.0, 3.0),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
@pytest.mark.parametrize("precision", ["exact", "u8"])
def test_scores_are_those_of_torch(
    emulator, make_map, make_reference, case, ties, precision
) -> None:
    side, stride, band_width, first_column, count, shape, sigma_p, sigma_s = case
    windows = Windows(side, stride, band_width, first_column)
    features = torch.stack([make_map(shape), make_map(shape, levels=4)])
    bands = bands_of(windows, shape[2])
    reference = make_reference((2, bands, count, shape[0], side**2))
    arguments = (features, reference, windows, Weights(sigma_p, sigma_s), (ties, precision))
    emulator.backwards = case[0] % 4 == 1
    found = cuda_launch.score(*arguments, emulator)
    assert_close(found, expected_scores(*arguments), (ties, precision))


@pytest.mark.parametrize(
    "stem",
    [
        "fca_s0_ties24x24x8_T9_p3_s1",
        "fca_s0_relu32x32x16_T5_p3_s1",
        "fca_s0_rand24x20x8_T9_p3_s0",
        "fca_s0_rand24x20x8_T9_p6_s3",
    ],
)
def test_stored_maps(emulator, golden, stem: str) -> None:
    vector = golden(stem)
    features, reference = vector["features"][None], torch.from_numpy(vector["ref"])
    weights = Weights(float(vector["sigma_p"]), float(vector["sigma_s"]) or None)
    windows, options = Windows(int(vector["T"])), ("first", "exact")
    found = cuda_launch.score(
        features, reference[None, None, None], windows, weights, options, emulator
    )
    expected = vector["map_stable"]
    assert np.abs(found[0].numpy() - expected).max() <= 1e-5 * expected.max()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_scores_are_those_of_plain_loops(emulator, oracle, data) -> None:
    draw = data.draw
    side, stride = draw(st.sampled_from([3, 5])), draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(low, low + 6)) for low in (1, side, side))
    width = draw(st.none() | st.integers(1, 5))
    first = draw(st.integers(0, 9)) if width else 0
    ties = draw(st.sampled_from(["first", "mid", "mean"]))
    sigma_s = draw(st.none() | st.just(1.0))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    features = torch.randint(0, draw(st.integers(1, 5)), shape, generator=generator) / 4
    windows = Windows(side, stride, width, first)
    count = (bands_of(windows, shape[2]), draw(st.integers(1, 3)), shape[0], side**2)
    reference = torch.rand(count, generator=generator).sort(-1).values
    setting = oracle.Setting(side, 3.0, sigma_s, ties, stride, width, first)
    expected = oracle.fca(features.numpy(), reference.numpy(), setting)
    emulator.backwards = draw(st.booleans())
    weights, options = Weights(3.0, sigma_s), (ties, "exact")
    found = cuda_launch.score(features[None], reference[None], windows, weights, options, emulator)
    # A near tie between references may go either way: its windows differ, their sums do not.
    assert np.abs(found[0].numpy() - expected).max() <= 1e-5 * max(expected.max(), 1e-3)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [3, 5, 7, 9, 11])
def test_the_fast_form_has_the_bits_of_torch(
    emulator, make_levels, make_reference, monkeypatch, side, stride, backwards
) -> None:
    if stride > side:
        return
    emulator.backwards = backwards
    # As few blocks as can be: each works through several channels.
    monkeypatch.setattr(cuda_launch, "_BLOCKS", 8)
    for levels_count, width, first in ((4, None, 0), (16, 5, 3), (17, 1, 0), (32, None, 0)):
        windows = Windows(side, stride, width, first)
        levels = make_levels((7, side + 10, side + 30), levels_count, seed=side * stride)
        count = (bands_of(windows, side + 30), 7, side**2)
        reference = make_reference(count, levels_count)
        arguments = (levels, reference, levels_count, windows)
        found = cuda_launch.score_levels(*arguments, emulator)
        expected = fast.score_levels(*arguments)
        assert torch.equal(found, expected)
        for sigma in (1.0, 0.6, None):
            blurred = cuda_launch.blur_map(found, sigma, side, emulator)
            assert torch.equal(blurred, fast.blur_map(expected, sigma))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_fast_form_is_that_of_plain_loops(emulator, oracle, data) -> None:
    draw = data.draw
    side, stride = draw(st.sampled_from([3, 5])), draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(low, low + 7)) for low in (1, side, side))
    levels_count = draw(st.integers(4, 32))
    width = draw(st.none() | st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    levels = torch.randint(0, levels_count, shape, generator=generator, dtype=torch.uint8)
    windows = Windows(side, stride, width, 2 if width else 0)
    count = (bands_of(windows, shape[2]), shape[0], side**2)
    reference = torch.randint(0, levels_count, count, generator=generator, dtype=torch.uint8)
    reference = reference.sort(-1).values
    setting = oracle.Setting(side, stride=stride, band_width=width, first_column=2 if width else 0)
    expected = oracle.fast(levels.numpy(), reference.numpy(), levels_count, setting)
    found = cuda_launch.score_levels(levels, reference, levels_count, windows, emulator)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def one_score(emulator, features, reference, windows=None, options=("mid", "exact")):
    windows = windows or Windows(5)
    return cuda_launch.score(features, reference, windows, Weights(), options, emulator)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_strips_and_rounds_change_no_bit(
    emulator, make_map, make_reference, monkeypatch, stride
) -> None:
    features = torch.stack([make_map((20, 33, 21), seed=seed) for seed in range(3)])
    reference = make_reference((3, 1, 2, 20, 25))
    whole = one_score(emulator, features, reference, Windows(5, stride))
    assert len(emulator.launches) == 3
    monkeypatch.setattr(cuda_launch, "WORKSPACE", 1)
    cut = one_score(emulator, features, reference, Windows(5, stride))
    assert torch.equal(whole, cut)
    strips = math.ceil(math.ceil(33 / stride) / 5)
    assert len(emulator.launches) == 3 + 3 * 3 * strips


def test_an_item_has_the_bits_it_has_alone(emulator, make_map, make_reference) -> None:
    features = torch.stack([make_map((3, 9, 11), seed=seed) for seed in range(3)])
    reference = make_reference((3, 1, 1, 3, 25))
    together = one_score(emulator, features, reference)
    for item in range(3):
        alone = one_score(emulator, features[item : item + 1], reference[item : item + 1])
        assert torch.equal(together[item : item + 1], alone)


def test_the_first_of_equal_references_is_kept(emulator, make_map, make_reference) -> None:
    features, reference = make_map((1, 3, 9, 11)[1:])[None], make_reference((1, 1, 1, 3, 25))
    one = one_score(emulator, features, reference)
    assert torch.equal(one_score(emulator, features, reference.expand(-1, -1, 3, -1, -1)), one)


def test_a_single_band_needs_no_banded_kernel() -> None:
    assert cuda_launch.fca_variant(Windows(9, 1, 64, 0), "mid", 64) == Variant(9, "mid")
    assert cuda_launch.fca_variant(Windows(9, 2, 64, 1), "mid", 64) == Variant(
        9, "mid", False, True
    )
    assert cuda_launch.fca_variant(Windows(9, 1, 64, 1), "mid", 64).banded


def test_variants_say_what_is_compiled() -> None:
    assert Variant(9).macros == {"FCA_PATCH": 9}
    assert Variant(5, "mean", True).macros == {
        "FCA_PATCH": 5,
        "FCA_TIES": 2,
        "FCA_BANDED": 1,
        "FCA_STRIDED": 0,
    }


class Recorder:
    """A launcher that runs nothing."""

    def __init__(self) -> None:
        self.launches: list[Launch] = []

    def launch(self, variant: Variant, launch: Launch) -> None:
        self.launches.append(launch)


def test_shared_memory_fits_every_device(make_map, make_reference) -> None:
    recorder = Recorder()
    for stride in (1, 2, 3, 4):
        assert fast_shared_bytes(11, stride) <= SHARED_OF_EVERY_DEVICE
        features, reference = make_map((2, 40, 160)), make_reference((1, 1, 2, 121))
        for ties in ("mid", "mean"):
            arguments = (Windows(11, stride), Weights(), (ties, "exact"), recorder)
            cuda_launch.score(features[None], reference[None], *arguments)
    assert max(launch.shared_bytes for launch in recorder.launches) <= SHARED_OF_EVERY_DEVICE


def test_less_shared_memory_would_not_do(emulator, make_map, make_levels, make_reference) -> None:
    emulator.spare_bytes = -4
    features, reference = make_map((2, 9, 9))[None], make_reference((1, 1, 1, 2, 25))
    with pytest.raises(AssertionError, match="fca_errors: outcome 2"):
        one_score(emulator, features, reference)
    levels, reference = make_levels((2, 9, 9), 8), make_reference((1, 2, 25), 8)
    with pytest.raises(AssertionError, match="fca_fast: outcome 2"):
        cuda_launch.score_levels(levels, reference, 8, Windows(5), emulator)


def test_prefix_sums_keep_what_a_float_leaves_over(make_reference) -> None:
    reference = make_reference((2, 3, 81)) + 1000
    table = prefix_table(reference)
    assert table.shape == (2, 3, 2 * 82 + 81)
    pairs = table[..., : 2 * 82].unflatten(-1, (82, 2)).to(torch.float64).sum(-1)
    exact = torch.nn.functional.pad(reference.to(torch.float64).cumsum(-1), (1, 0))
    assert (pairs - exact).abs().max() <= 1e-8
    assert torch.equal(table[..., 2 * 82 :], reference)
