from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels.fast
from kernels import fca_score, fca_score_fast, median_reference
from kernels.compiled import PATH_VARIABLE
from kernels.fast import score_levels
from kernels.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True, params=["reference", "portable"])
def implementation(request: pytest.FixtureRequest, need_path) -> Iterator[None]:
    """Both torch and a compiled kernel (test_compiled.py holds all of these to torch)."""
    if request.param != "reference":
        need_path(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PATH_VARIABLE, request.param)
        yield


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9]),
    stride=st.integers(1, 4),
    levels_count=st.sampled_from([4, 16, 32]),
    bands=st.sampled_from([(None, 0), (3, 0), (2, 5)]),
    size=st.tuples(st.integers(1, 2), st.integers(0, 5), st.integers(0, 6)),
    seed=st.integers(0, 2**31),
)
def test_scores_equal_plain_loops(
    oracle, side: int, stride: int, levels_count: int, bands, size, seed: int
) -> None:
    random = np.random.default_rng(seed)
    stride = min(stride, side)
    channels, height, width = size[0], side + size[1], side + size[2]
    present = random.integers(1, levels_count + 1)  # Often levels that no window holds.
    levels = random.integers(0, present, (channels, height, width)).astype(np.uint8)
    band_width, first_column = bands
    count = 1 if band_width is None else (first_column + width - 1) // band_width + 1
    reference = random.integers(0, levels_count, (count, channels, side**2)).astype(np.uint8)
    reference.sort(axis=-1)
    setting = oracle.Setting(side, stride=stride, band_width=band_width, first_column=first_column)
    got = fca_score_fast(
        torch.from_numpy(levels),
        torch.from_numpy(reference if band_width else reference[0]),
        levels_count,
        side,
        stride,
        None,
        band_width,
        first_column,
    )
    expected = oracle.fast(levels, reference, levels_count, setting)
    assert got.dtype == torch.float32
    np.testing.assert_array_equal(got, expected.astype(np.float32))


@pytest.mark.parametrize(("side", "levels_count"), [(9, 32), (13, 16), (17, 4)])
def test_sums_over_255_do_not_wrap(oracle, make_levels, side: int, levels_count: int) -> None:
    levels = make_levels((1, side, side + 1), levels_count).numpy()
    reference = np.full((1, 1, side**2), levels_count - 1, np.uint8)
    got = score_levels(
        torch.from_numpy(levels), torch.from_numpy(reference), levels_count, Windows(side)
    )
    expected = oracle.fast(levels, reference, levels_count, oracle.Setting(side))
    np.testing.assert_array_equal(got, expected.astype(np.float32))


def test_the_finished_map_is_blurred(oracle, make_levels, make_reference) -> None:
    levels, reference = make_levels((2, 11, 13), 16), make_reference((2, 81), 16)
    sharp = fca_score_fast(levels, reference, sigma_blur=None)
    expected = oracle.blur(sharp.double().numpy(), 1.0)
    np.testing.assert_allclose(fca_score_fast(levels, reference), expected, atol=1e-6)


@pytest.mark.parametrize("side", [3, 9])
def test_it_is_the_exact_form_with_a_flat_box_and_no_blur(
    make_levels, make_reference, side: int
) -> None:
    levels, reference = make_levels((3, 14, 12), 16), make_reference((3, side**2), 16)
    fast = fca_score_fast(levels, reference, 16, side, 2, None)
    exact = fca_score(
        levels.float() / 15,
        reference.float() / 15,
        side,
        float("inf"),
        None,
        window_stride=2,
    )
    torch.testing.assert_close(fast, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_strips_with_halo_equal_the_whole_to_the_bit(
    make_levels, make_reference, stride: int
) -> None:
    levels, reference = make_levels((3, 72, 23), 16), make_reference((3, 81), 16)
    whole = fca_score_fast(levels, reference, window_stride=stride)
    halo = 12  # T - 1 and 2 for the blur of the map, a multiple of every stride.
    for first, last in ((0, 24), (24, 36), (36, 72)):
        top, bottom = max(0, first - halo), min(72, last + halo)
        strip = fca_score_fast(levels[:, top:bottom], reference, window_stride=stride)
        assert torch.equal(strip[first - top : last - top], whole[first:last])


def test_lanes_with_halo_and_bands_equal_the_web_to_the_bit(make_levels, make_reference) -> None:
    levels, bands = make_levels((3, 20, 64), 16), make_reference((8, 3, 81), 16)
    web = fca_score_fast(levels, bands, band_width=8)
    for first, last in ((0, 32), (32, 64)):
        left, right = max(0, first - 10), min(64, last + 10)
        lane = fca_score_fast(levels[:, :, left:right], bands, band_width=8, first_column=left)
        assert torch.equal(lane[:, first - left : last - left], web[:, first:last])


def test_the_number_of_channels_at_a_time_does_not_change_a_bit(
    make_levels, make_reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels, reference = make_levels((7, 15, 18), 16), make_reference((7, 81), 16)
    whole = fca_score_fast(levels, reference)
    for size in (1, 20_000):
        monkeypatch.setattr(kernels.fast, "_CHUNK", size)
        assert torch.equal(fca_score_fast(levels, reference), whole)


def test_stride_one_turns_with_the_image(make_levels, make_reference) -> None:
    levels, reference = make_levels((3, 14, 17), 16), make_reference((3, 25), 16)
    upright = fca_score_fast(levels, reference, 16, 5, 1, None)
    for turn in (
        lambda maps: maps.flip(-1),
        lambda maps: maps.flip(-2),
        lambda maps: maps.transpose(-1, -2),
    ):
        turned = fca_score_fast(turn(levels), reference, 16, 5, 1, None)
        assert torch.equal(turned, turn(upright))


def test_a_planted_patch_stands_out() -> None:
    generator = torch.Generator().manual_seed(3)
    levels = torch.randint(0, 6, (8, 40, 40), generator=generator).to(torch.uint8)
    reference = median_reference(levels, 9)
    levels[:, 18:24, 10:16] = 15
    scores = fca_score_fast(levels, reference)
    assert scores.argmax().item() in {
        row * 40 + column for row in range(18, 24) for column in range(10, 16)
    }
    assert float(scores.max()) > 3 * float(scores.median())
