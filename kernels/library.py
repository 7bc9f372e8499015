"""Registers the operators with torch: schema, implementations, shape rule; checks no input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.library import custom_op

from kernels import compiled, cuda, fast
from kernels import reference as exact
from kernels.cuda_launch import Variant, fca_variant
from kernels.median import few_levels, median_windows
from kernels.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from kernels.ranks import Precision, Ties

    Scoring = Callable[[Tensor, Tensor], Tensor]

NAMESPACE = "linescan"
_U8 = 255
_SLICES = 32
_BANDS = "int? band_width, int first_column"
_FCA = (
    "(Tensor features, Tensor reference, int patch_size, float sigma_p, float? sigma_s, str ties, "
    f"str precision, int window_stride, {_BANDS}) -> Tensor"
)
_FAST = (
    "(Tensor levels, Tensor reference, int levels_count, int patch_size, int window_stride, "
    f"float? sigma_blur, {_BANDS}) -> Tensor"
)
_MEDIAN = f"(Tensor features, int patch_size, int stride, {_BANDS}) -> Tensor"


@custom_op(f"{NAMESPACE}::channel_range", mutates_args=(), schema="(Tensor features) -> Tensor")
def channel_range(features: Tensor) -> Tensor:
    """(C, H, W) -> (C, 2)."""
    return exact.channel_range(features)


@channel_range.register_fake
def _(features: Tensor) -> Tensor:
    return features.new_empty(features.shape[0], 2)


@custom_op(f"{NAMESPACE}::median_reference", mutates_args=(), schema=_MEDIAN)
def median_reference(
    features: Tensor, patch_size: int, stride: int, band_width: int | None, first_column: int
) -> Tensor:
    """(C, H, W) -> (bands, C, T*T)."""
    return median_windows(features, Windows(patch_size, stride, band_width, first_column))


@median_reference.register_kernel("cpu")
def _(
    features: Tensor, patch_size: int, stride: int, band_width: int | None, first_column: int
) -> Tensor:
    windows = Windows(patch_size, stride, band_width, first_column)
    if few_levels(features) and compiled.runs(windows):
        return compiled.median_levels(features, windows)
    if features.dtype == torch.float32 and compiled.counts_floats(features, windows):
        return compiled.median_floats(features, windows)
    return median_windows(features, windows)


@median_reference.register_fake
def _(
    features: Tensor, patch_size: int, stride: int, band_width: int | None, first_column: int
) -> Tensor:
    last = 0 if band_width is None else (first_column + features.shape[2] - 1) // band_width
    return features.new_empty(last + 1, features.shape[0], patch_size**2)


@custom_op(f"{NAMESPACE}::fca_score", mutates_args=(), schema=_FCA)
def fca_score(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    """(C, H, W) and (bands, K, C, T*T) -> (H, W)."""
    windows = Windows(patch_size, window_stride, band_width, first_column)
    score = _scoring(windows, exact.Weights(sigma_p, sigma_s), ties, precision)
    return score(features, reference)


@fca_score.register_kernel("cpu")
def _(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    weights = exact.Weights(sigma_p, sigma_s)
    return _cpu_scoring(windows, weights, ties, precision)(features, reference)


@fca_score.register_kernel("cuda")
def _(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    weights = exact.Weights(sigma_p, sigma_s)
    if cuda.runs(fca_variant(windows, ties, features.shape[2]), features.device):
        options = (ties, precision)
        return cuda.score(features[None], reference[None], windows, weights, options)[0]
    return _scoring(windows, weights, ties, precision)(features, reference)


@fca_score.register_fake
def _(features: Tensor, reference: Tensor, *options: object) -> Tensor:
    return features.new_empty(features.shape[1:])


@custom_op(f"{NAMESPACE}::fca_score_batch", mutates_args=(), schema=_FCA)
def fca_score_batch(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    """(B, C, H, W) and (B, bands, K, C, T*T) -> (B, H, W), item by item."""
    windows = Windows(patch_size, window_stride, band_width, first_column)
    score = _scoring(windows, exact.Weights(sigma_p, sigma_s), ties, precision)
    return _score_items(features, reference, score)


@fca_score_batch.register_kernel("cpu")
def _(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    weights = exact.Weights(sigma_p, sigma_s)
    return _score_items(features, reference, _cpu_scoring(windows, weights, ties, precision))


@fca_score_batch.register_kernel("cuda")
def _(
    features: Tensor,
    reference: Tensor,
    patch_size: int,
    sigma_p: float,
    sigma_s: float | None,
    ties: Ties,
    precision: Precision,
    window_stride: int,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    weights = exact.Weights(sigma_p, sigma_s)
    if features.shape[0] > 0 and cuda.runs(
        fca_variant(windows, ties, features.shape[3]), features.device
    ):
        return cuda.score(features, reference, windows, weights, (ties, precision))
    score = _scoring(windows, weights, ties, precision)
    return _score_items(features, reference, score)


@fca_score_batch.register_fake
def _(features: Tensor, reference: Tensor, *options: object) -> Tensor:
    batch, _, height, width = features.shape
    return features.new_empty(batch, height, width)


@custom_op(f"{NAMESPACE}::fca_score_fast", mutates_args=(), schema=_FAST)
def fca_score_fast(
    levels: Tensor,
    reference: Tensor,
    levels_count: int,
    patch_size: int,
    window_stride: int,
    sigma_blur: float | None,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    """(C, H, W) and (bands, C, T*T) -> (H, W)."""
    windows = Windows(patch_size, window_stride, band_width, first_column)
    scores = fast.score_levels(levels, reference, levels_count, windows)
    return fast.blur_map(scores, sigma_blur)


@fca_score_fast.register_kernel("cpu")
def _(
    levels: Tensor,
    reference: Tensor,
    levels_count: int,
    patch_size: int,
    window_stride: int,
    sigma_blur: float | None,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    if compiled.runs(windows):
        scores = compiled.score_levels(levels, reference, levels_count, windows)
        return compiled.blur_map(scores, sigma_blur)
    return fast.blur_map(fast.score_levels(levels, reference, levels_count, windows), sigma_blur)


@fca_score_fast.register_kernel("cuda")
def _(
    levels: Tensor,
    reference: Tensor,
    levels_count: int,
    patch_size: int,
    window_stride: int,
    sigma_blur: float | None,
    band_width: int | None,
    first_column: int,
) -> Tensor:
    windows = Windows(patch_size, window_stride, band_width, first_column)
    if cuda.runs(Variant(patch_size), levels.device):
        return cuda.score_levels(levels, reference, levels_count, windows, sigma_blur)
    return fast.blur_map(fast.score_levels(levels, reference, levels_count, windows), sigma_blur)


@fca_score_fast.register_fake
def _(levels: Tensor, reference: Tensor, *options: object) -> Tensor:
    return levels.new_empty(levels.shape[1:], dtype=torch.float32)


def _scoring(windows: Windows, weights: exact.Weights, ties: Ties, precision: Precision) -> Scoring:
    """In torch, on any device."""

    def score(features: Tensor, reference: Tensor) -> Tensor:
        return exact.score(features, reference, windows, weights, ties)

    def score_u8(features: Tensor, reference: Tensor) -> Tensor:
        return score(_to_u8(features), _to_u8(reference)).div_(_U8)

    return score if precision == "exact" else score_u8


def _cpu_scoring(
    windows: Windows, weights: exact.Weights, ties: Ties, precision: Precision
) -> Scoring:
    """In compiled code where there is some."""
    if not compiled.runs(windows):
        return _scoring(windows, weights, ties, precision)

    def score(features: Tensor, reference: Tensor) -> Tensor:
        return compiled.score_ranks(features, reference, windows, weights, (ties, "exact"))

    def score_u8(features: Tensor, reference: Tensor) -> Tensor:
        return compiled.score_ranks(features, reference, windows, weights, (ties, "u8")).div_(_U8)

    return score if precision == "exact" else score_u8


def _score_items(features: Tensor, reference: Tensor, score: Scoring) -> Tensor:
    """(B, C, H, W) -> (B, H, W), to the bit as one by one; B may be 0."""
    scores = features.new_empty(features.shape[0], *features.shape[2:])
    for item, one in enumerate(scores):
        one.copy_(score(features[item], reference[item]))
    return scores


def _to_u8(values: Tensor) -> Tensor:
    """floor(255 * clip(v, 0, 1) + 0.5), a few slices of axis 0 at a time to bound the memory."""
    parts = torch.split(values, _SLICES)
    return torch.cat([part.clamp(0, 1).mul_(_U8).add_(0.5).to(torch.uint8) for part in parts])
