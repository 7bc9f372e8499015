"""Refuses wrong input with a sentence that says what is expected; computes no scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from kernels.windows import Windows

SMALLEST_PATCH = 3
STRIDES = range(1, 5)
LEVEL_COUNTS = range(4, 33)
HALVES = (torch.float16, torch.bfloat16)
FLOATS = (torch.float32, *HALVES)
LARGEST_COLUMN = 1 << 53  # So that no sum of two columns wraps in 64 bits.


def require(holds: bool, rule: str, value: object) -> None:
    """Raise ValueError "<rule>, got <value>" unless `holds`; `rule` is "<name> must be <what>"."""
    if not holds:
        msg = f"{rule}, got {value}"
        raise ValueError(msg)


def check_windows(windows: Windows) -> None:
    """Patch size odd and 3 at least, stride 1..4 and no larger than it, bands on the web."""
    side, stride = windows.patch_size, windows.stride
    check_patch(side)
    require(stride in STRIDES, "window_stride must be 1, 2, 3 or 4", stride)
    require(stride <= side, f"window_stride must be <= patch_size {side} (else gaps open)", stride)
    check_bands(windows)


def check_patch(side: int) -> None:
    """Odd, 3 at least."""
    require(side >= SMALLEST_PATCH and side % 2 == 1, "patch_size must be odd and >= 3", side)


def check_bands(windows: Windows) -> None:
    """Band width positive or None, first column not negative and no more than 2 ** 53."""
    width = windows.band_width
    require(width is None or width >= 1, "band_width must be >= 1 or None", width)
    first = windows.first_column
    require(first >= 0, "first_column must be >= 0", first)
    require(first <= LARGEST_COLUMN, "first_column must be <= 2 ** 53", first)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """`value` is one of `choices`."""
    require(value in choices, f"{name} must be one of {', '.join(choices)}", repr(value))


def check_sigma(name: str, sigma: float | None, optional: bool = True) -> None:
    """Positive (infinite is a flat box); None where `optional`."""
    rule = f"{name} must be > 0" + (" or None" if optional else "")
    require(sigma is None and optional or sigma is not None and sigma > 0, rule, sigma)


def to_float32(values: Tensor) -> Tensor:
    """Half precision, every number of which float32 holds, as float32; others as they are."""
    return values.to(torch.float32) if values.dtype in HALVES else values


def check_map(
    maps: Tensor, name: str, patch_size: int, types: tuple[torch.dtype, ...] = (torch.float32,)
) -> None:
    """A (C, H, W) map of an accepted type, no smaller than a window, all of it finite."""
    require(maps.dim() == 3, f"{name} must be (C, H, W)", f"shape {tuple(maps.shape)}")
    accepted = " or ".join(str(kind) for kind in types)
    require(maps.dtype in types, f"{name} must be {accepted}", maps.dtype)
    channels, height, width = maps.shape
    require(channels >= 1, f"{name} must be of at least one channel", channels)
    require(
        min(height, width) >= patch_size,
        f"{name} must be at least {patch_size} x {patch_size} (patch_size)",
        f"{height} x {width}",
    )
    check_finite(maps, name, ("channel", "row", "column"))


def check_finite(values: Tensor, name: str, axes: Sequence[str]) -> None:
    """No NaN, no infinity; the message names the first one's place along `axes`."""
    if not values.is_floating_point():
        return
    if all(math.isfinite(extreme) for extreme in _extremes(values)):
        return
    place = torch.isfinite(values).logical_not_().nonzero()[0].tolist()
    where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, place, strict=True))
    require(False, f"{name} must be finite", f"{values[tuple(place)].item()} at {where}")


def _extremes(values: Tensor) -> tuple[float, float]:
    """Smallest and largest: they tell without a copy of the map, for NaN passes through both.

    By numpy where it can: torch would share this out to threads of its own, which go on spinning
    for a while and take the cores from those of the compiled kernels.
    """
    if values.device.type == "cpu" and values.dtype == torch.float32 and values.numel():
        array = values.detach().numpy()
        return float(array.min()), float(array.max())
    low, high = torch.aminmax(values)
    return float(low), float(high)


def highest_level(levels: Tensor) -> int:
    """Largest number of a uint8 map that is not empty."""
    return int(levels.numpy().max() if levels.device.type == "cpu" else levels.max())


def _is_ascending(reference: Tensor) -> bool:
    if reference.device.type == "cpu":
        array = reference.detach().numpy()
        return bool((array[..., 1:] >= array[..., :-1]).all())
    return bool((reference[..., 1:] >= reference[..., :-1]).all())


def check_levels(levels: Tensor, name: str, levels_count: int) -> None:
    """Every level lies below `levels_count`."""
    highest = highest_level(levels)
    require(highest < levels_count, f"{name} must be below levels_count {levels_count}", highest)


def check_reference(reference: Tensor, maps: Tensor, windows: Windows) -> None:
    """A (bands, K, C, T*T) reference fits the map: sizes, type, device, bands, ascending order."""
    channels, _, width = maps.shape
    expected = (channels, windows.area)
    require(
        tuple(reference.shape[-2:]) == expected and reference.numel() > 0,
        f"reference must be (..., {channels}, {windows.area}) as (..., C, patch_size ** 2)",
        f"shape {tuple(reference.shape)}",
    )
    require(reference.dtype == maps.dtype, f"reference must be {maps.dtype}", reference.dtype)
    require(
        reference.device == maps.device, f"reference must be on {maps.device}", reference.device
    )
    check_finite(reference, "reference", ("band", "reference", "channel", "rank"))
    require(
        _is_ascending(reference),
        "reference must be ascending along its last axis",
        "descending values",
    )
    _check_coverage(reference, windows, width)


def _check_coverage(reference: Tensor, windows: Windows, width: int) -> None:
    if windows.band_width is None:
        return
    last = (windows.first_column + width - 1) // windows.band_width
    require(
        reference.shape[0] > last,
        f"reference must hold {last + 1} bands (band_width {windows.band_width}, columns up to "
        f"{windows.first_column + width - 1})",
        reference.shape[0],
    )
