"""Chooses between the compiled kernels and torch, and calls the former; computes no scores."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from kernels.checks import highest_level
from kernels.median import columns_by_band, cross_web_stride
from kernels.paths import PATH_VARIABLE as PATH_VARIABLE
from kernels.paths import REFERENCE as REFERENCE
from kernels.paths import chosen_path as chosen_path
from kernels.paths import usable_paths as usable_paths
from kernels.reference import renormalise
from kernels.windows import BLUR_TAPS, gaussian

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.ranks import Precision, Ties
    from kernels.reference import Weights
    from kernels.windows import Windows

LARGEST_PATCH = 11
MOST_RANKED = 65535  # Values of a channel that 16-bit ranks tell apart.
# Counting costs much the same however many windows a band has; measured: it wins from here on.
FEWEST_COUNTED = 2000


def runs(windows: Windows) -> bool:
    """Whether a compiled kernel takes windows of this size; warns once if only they are in the way.

    Raises:
        ValueError: as `chosen_path`.
    """
    if chosen_path() == REFERENCE:
        return False
    if windows.patch_size > LARGEST_PATCH:
        _warn_of_large_patches()
    return windows.patch_size <= LARGEST_PATCH


def score_levels(levels: Tensor, reference: Tensor, levels_count: int, windows: Windows) -> Tensor:
    """As `kernels.fast.score_levels`, to the bit, on CPU tensors."""
    from kernels import _native

    scores = torch.empty(levels.shape[1:], dtype=torch.float32)
    _native.score_fast(
        levels.contiguous(),
        reference.contiguous(),
        scores,
        levels_count,
        windows.patch_size,
        windows.stride,
        windows.band_width or 0,
        windows.first_column,
        chosen_path(),
        torch.get_num_threads(),
    )
    return scores


def blur_map(scores: Tensor, sigma: float | None) -> Tensor:
    """As `kernels.fast.blur_map`, to the bit, in place on a CPU tensor."""
    from kernels import _native

    if sigma is not None:
        _native.blur_map(scores, torch.empty_like(scores), torch.tensor(gaussian(BLUR_TAPS, sigma)))
    return scores


def score_ranks(
    features: Tensor,
    reference: Tensor,
    windows: Windows,
    weights: Weights,
    rule: tuple[Ties, Precision],
) -> Tensor:
    """As `kernels.reference.score` on CPU tensors, `reference` (bands, K, C, T*T).

    To the bit, but for ties "mean" and for bands, whose sums run in another order. `rule` says how
    equal values rank, and "u8" that features and reference are rounded to bytes: the scores are
    then in units of 1 / 255.
    """
    from kernels import _native

    scores = torch.empty(features.shape[1:], dtype=torch.float32)
    blur_taps = [] if weights.sigma_s is None else gaussian(BLUR_TAPS, weights.sigma_s)
    ties, precision = rule
    if precision == "u8":
        # In numpy: see kernels.checks on the threads of torch.
        rounded = np.floor(reference.numpy().clip(0, 1) * np.float32(255) + np.float32(0.5))
        reference = torch.from_numpy(rounded)
    _native.score_exact(
        features.contiguous(),
        reference.contiguous(),
        torch.tensor(gaussian(windows.patch_size, weights.sigma_p)),
        torch.tensor(blur_taps),
        scores,
        ties,
        precision == "u8",
        windows.patch_size,
        windows.stride,
        windows.band_width or 0,
        windows.first_column,
        chosen_path(),
        torch.get_num_threads(),
    )
    return renormalise(scores, windows, weights.sigma_p)


def median_levels(levels: Tensor, windows: Windows) -> Tensor:
    """As `kernels.median.median_windows` of bytes below 64, on CPU tensors."""
    from kernels import _native

    columns = _band_columns(levels.shape[2], windows)
    reference = torch.empty(len(columns), levels.shape[0], windows.area, dtype=torch.uint8)
    _native.median_levels(
        levels.contiguous(),
        columns,
        reference,
        highest_level(levels) + 1,
        windows.patch_size,
        windows.stride,
        cross_web_stride(windows),
        chosen_path(),
        torch.get_num_threads(),
    )
    return reference


def counts_floats(features: Tensor, windows: Windows) -> bool:
    """Whether medians of floats are found faster by counting than by sorting every window."""
    _, height, width = features.shape
    rows = len(range(0, height - windows.patch_size + 1, windows.stride))
    columns = len(range(0, width - windows.patch_size + 1, cross_web_stride(windows)))
    bands = len(columns_by_band(width, windows))
    few = rows * columns < FEWEST_COUNTED * bands
    return not few and height * width <= MOST_RANKED and runs(windows)


def median_floats(features: Tensor, windows: Windows) -> Tensor:
    """As `kernels.median.median_windows` of float32, on CPU tensors; see `counts_floats`."""
    from kernels import _native

    columns = _band_columns(features.shape[2], windows)
    reference = torch.empty(len(columns), features.shape[0], windows.area, dtype=torch.float32)
    _native.median_floats(
        features.contiguous(),
        columns,
        reference,
        windows.patch_size,
        windows.stride,
        cross_web_stride(windows),
        chosen_path(),
        torch.get_num_threads(),
    )
    return reference


def _band_columns(width: int, windows: Windows) -> Tensor:
    """(bands, 2) int64: which columns of windows make the reference of each band."""
    complete = len(range(0, width - windows.patch_size + 1, cross_web_stride(windows)))
    chosen = [columns.indices(complete)[:2] for columns in columns_by_band(width, windows)]
    return torch.tensor(chosen, dtype=torch.int64)


@functools.cache
def _warn_of_large_patches() -> None:
    warnings.warn(
        f"patch_size is above {LARGEST_PATCH}: the slow torch reference runs instead of the "
        "compiled kernel",
        RuntimeWarning,
        stacklevel=2,
    )
