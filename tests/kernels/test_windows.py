from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.windows import Windows, blur, counting_type, gaussian, mirror, running_sums

CPU = torch.device("cpu")


@given(length=st.integers(2, 30), pad=st.integers(0, 12))
def test_mirror_is_numpy_reflect(length: int, pad: int) -> None:
    pad = min(pad, length - 1)
    expected = np.pad(np.arange(length), pad, mode="reflect")
    np.testing.assert_array_equal(mirror(length, pad, CPU), expected)


@given(
    count=st.integers(1, 25), step=st.integers(1, 7), extra=st.integers(0, 20), seed=st.integers(0)
)
def test_running_sums_are_sums_of_steps(count: int, step: int, extra: int, seed: int) -> None:
    length = (count - 1) * step + 1 + extra
    values = torch.from_numpy(np.random.default_rng(seed).integers(0, 9, length))
    expected = [int(values[i : i + (count - 1) * step + 1 : step].sum()) for i in range(extra + 1)]
    assert running_sums(values, count, step).tolist() == expected


def test_running_sums_leave_their_input_alone() -> None:
    values = torch.arange(10)
    running_sums(values, 4)
    assert torch.equal(values, torch.arange(10))


def test_gaussian_sums_to_one_over_its_taps() -> None:
    taps = gaussian(9, 3.0)
    assert sum(taps) == pytest.approx(1)
    assert taps[4] / taps[1] == pytest.approx(math.exp(0.5))
    assert taps == pytest.approx(taps[::-1])


def test_an_infinite_sigma_is_a_flat_box() -> None:
    assert gaussian(5, math.inf) == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("shape", [(3, 3), (3, 8), (11, 6)])
def test_blur_equals_plain_loops(oracle, make_map, shape: tuple[int, int]) -> None:
    field = make_map((1, *shape))[0]
    expected = oracle.blur(field.double().numpy(), 1.3)
    np.testing.assert_allclose(blur(field, (0, 1), 1.3), expected, atol=1e-6)


def test_blur_keeps_a_constant_field() -> None:
    assert torch.allclose(blur(torch.full((4, 6), 0.3), (0, 1), 1.0), torch.tensor(0.3))


@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        (255, torch.uint8),
        (256, torch.int16),
        (32767, torch.int16),
        (32768, torch.int32),
    ],
)
def test_counting_type_is_the_narrowest_that_fits(limit: int, kind: torch.dtype) -> None:
    assert counting_type(limit) == kind
    assert torch.tensor(limit, dtype=kind).item() == limit


def test_bands_follow_the_centres_on_the_web() -> None:
    windows = Windows(3, stride=2, band_width=4, first_column=3)
    assert windows.bands(8, CPU).tolist() == [0, 1, 1, 2]
    assert Windows(3).bands(3, CPU).tolist() == [0, 0, 0]


def test_window_measures() -> None:
    windows = Windows(9, stride=4)
    assert (windows.radius, windows.area) == (4, 81)
    assert [windows.centres(n) for n in (9, 12, 13)] == [3, 3, 4]
