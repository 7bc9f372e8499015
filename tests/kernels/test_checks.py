from __future__ import annotations

import pytest
import torch

from kernels import checks
from kernels.windows import Windows


def test_require_writes_the_rule_and_the_value() -> None:
    checks.require(True, "size must be > 0", 1)
    with pytest.raises(ValueError, match="^size must be > 0, got -1$"):
        checks.require(False, "size must be > 0", -1)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_good_windows_pass(stride: int) -> None:
    checks.check_windows(Windows(5, stride, band_width=1, first_column=7))


def test_sigma_may_be_infinite_and_where_optional_none() -> None:
    checks.check_sigma("sigma", float("inf"), optional=False)
    checks.check_sigma("sigma", None)
    with pytest.raises(ValueError, match="^sigma must be > 0, got None$"):
        checks.check_sigma("sigma", None, optional=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_bad_value_is_named(value: float) -> None:
    values = torch.zeros(3, 4)
    values[1, 3] = values[2, 0] = value
    with pytest.raises(ValueError, match=f"x must be finite, got {value} at row 1, column 3"):
        checks.check_finite(values, "x", ("row", "column"))


def test_the_largest_finite_values_pass() -> None:
    checks.check_finite(torch.full((2, 2), torch.finfo(torch.float32).max), "x", ("a", "b"))
    checks.check_finite(torch.full((2, 2), 255, dtype=torch.uint8), "x", ("a", "b"))


def test_references_of_more_bands_than_needed_pass() -> None:
    maps, reference = torch.zeros(2, 5, 6), torch.zeros(9, 1, 2, 9)
    checks.check_reference(reference, maps, Windows(3, band_width=2, first_column=4))
    with pytest.raises(ValueError, match="must hold 10 bands"):
        checks.check_reference(reference, maps, Windows(3, band_width=1, first_column=4))


def test_a_reference_elsewhere_is_refused() -> None:
    maps, reference = torch.zeros(2, 5, 6), torch.zeros(1, 1, 2, 9, device="meta")
    with pytest.raises(ValueError, match="reference must be on cpu, got meta"):
        checks.check_reference(reference, maps, Windows(3))


def test_reference_without_an_alternative_is_refused() -> None:
    maps, reference = torch.zeros(2, 5, 6), torch.zeros(1, 0, 2, 9)
    with pytest.raises(ValueError, match=r"got shape \(1, 0, 2, 9\)"):
        checks.check_reference(reference, maps, Windows(3))
