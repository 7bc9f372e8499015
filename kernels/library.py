"""Registers the operators with torch: schema, implementations, shape rule; checks no input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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


class _Median(NamedTuple):
    """The options of `median_reference`, in the order of its schema."""

    patch_size: int
    stride: int
    band_width: int | None
    first_column: int

    @property
    def windows(self) -> Windows:
        return Windows(self.patch_size, self.stride, self.band_width, self.first_column)


class _Fca(NamedTuple):
    """The options of `fca_score`, in the order of its schema."""

    patch_size: int
    sigma_p: float
    sigma_s: float | None
    ties: Ties
    precision: Precision
    window_stride: int
    band_width: int | None
    first_column: int

    @property
    def windows(self) -> Windows:
        return Windows(self.patch_size, self.window_stride, self.band_width, self.first_column)

    @property
    def weights(self) -> exact.Weights:
        return exact.Weights(self.sigma_p, self.sigma_s)


class _Fast(NamedTuple):
    """The options of `fca_score_fast`, in the order of its schema."""

    levels_count: int
    patch_size: int
    window_stride: int
    sigma_blur: float | None
    band_width: int | None
    first_column: int

    @property
    def windows(self) -> Windows:
        return Windows(self.patch_size, self.window_stride, self.band_width, self.first_column)


@custom_op(f"{NAMESPACE}::median_reference", mutates_args=(), schema=_MEDIAN)
def median_reference(features: Tensor, *options: Any) -> Tensor:
    """(C, H, W) -> (bands, C, T*T)."""
    return median_windows(features, _Median(*options).windows)


@median_reference.register_kernel("cpu")
def _(features: Tensor, *options: Any) -> Tensor:
    windows = _Median(*options).windows
    if few_levels(features) and compiled.runs(windows):
        return compiled.median_levels(features, windows)
    if features.dtype == torch.float32 and compiled.counts_floats(features, windows):
        return compiled.median_floats(features, windows)
    return median_windows(features, windows)


@median_reference.register_fake
def _(features: Tensor, *options: Any) -> Tensor:
    windows = _Median(*options).windows
    width, last = windows.band_width, windows.first_column + features.shape[2] - 1
    bands = 1 if width is None else last // width + 1
    return features.new_empty(bands, features.shape[0], windows.area)


@custom_op(f"{NAMESPACE}::fca_score", mutates_args=(), schema=_FCA)
def fca_score(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    """(C, H, W) and (bands, K, C, T*T) -> (H, W)."""
    return _scoring(_Fca(*options))(features, reference)


@fca_score.register_kernel("cpu")
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    return _cpu_scoring(_Fca(*options))(features, reference)


@fca_score.register_kernel("cuda")
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    rule = _Fca(*options)
    if _runs_on_device(rule, features):
        return _score_on_device(features[None], reference[None], rule)[0]
    return _scoring(rule)(features, reference)


@fca_score.register_fake
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    return features.new_empty(features.shape[1:])


@custom_op(f"{NAMESPACE}::fca_score_batch", mutates_args=(), schema=_FCA)
def fca_score_batch(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    """(B, C, H, W) and (B, bands, K, C, T*T) -> (B, H, W), item by item."""
    return _score_items(features, reference, _scoring(_Fca(*options)))


@fca_score_batch.register_kernel("cpu")
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    return _score_items(features, reference, _cpu_scoring(_Fca(*options)))


@fca_score_batch.register_kernel("cuda")
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    rule = _Fca(*options)
    if features.shape[0] > 0 and _runs_on_device(rule, features):
        return _score_on_device(features, reference, rule)
    return _score_items(features, reference, _scoring(rule))


@fca_score_batch.register_fake
def _(features: Tensor, reference: Tensor, *options: Any) -> Tensor:
    batch, _, height, width = features.shape
    return features.new_empty(batch, height, width)


@custom_op(f"{NAMESPACE}::fca_score_fast", mutates_args=(), schema=_FAST)
def fca_score_fast(levels: Tensor, reference: Tensor, *options: Any) -> Tensor:
    """(C, H, W) and (bands, C, T*T) -> (H, W)."""
    return _score_fast(levels, reference, _Fast(*options))


@fca_score_fast.register_kernel("cpu")
def _(levels: Tensor, reference: Tensor, *options: Any) -> Tensor:
    rule = _Fast(*options)
    if not compiled.runs(rule.windows):
        return _score_fast(levels, reference, rule)
    scores = compiled.score_levels(levels, reference, rule.levels_count, rule.windows)
    return compiled.blur_map(scores, rule.sigma_blur)


@fca_score_fast.register_kernel("cuda")
def _(levels: Tensor, reference: Tensor, *options: Any) -> Tensor:
    rule = _Fast(*options)
    if not cuda.runs(Variant(rule.patch_size), levels.device):
        return _score_fast(levels, reference, rule)
    count, sigma = rule.levels_count, rule.sigma_blur
    return cuda.score_levels(levels, reference, count, rule.windows, sigma)


@fca_score_fast.register_fake
def _(levels: Tensor, reference: Tensor, *options: Any) -> Tensor:
    return levels.new_empty(levels.shape[1:], dtype=torch.float32)


def _score_fast(levels: Tensor, reference: Tensor, rule: _Fast) -> Tensor:
    """In torch, on any device."""
    scores = fast.score_levels(levels, reference, rule.levels_count, rule.windows)
    return fast.blur_map(scores, rule.sigma_blur)


def _runs_on_device(rule: _Fca, features: Tensor) -> bool:
    return cuda.runs(fca_variant(rule.windows, rule.ties, features.shape[-1]), features.device)


def _score_on_device(features: Tensor, reference: Tensor, rule: _Fca) -> Tensor:
    """(B, C, H, W) and (B, bands, K, C, T*T) -> (B, H, W)."""
    options = (rule.ties, rule.precision)
    return cuda.score(features, reference, rule.windows, rule.weights, options)


def _scoring(rule: _Fca) -> Scoring:
    """In torch, on any device."""

    def score(features: Tensor, reference: Tensor) -> Tensor:
        return exact.score(features, reference, rule.windows, rule.weights, rule.ties)

    def score_u8(features: Tensor, reference: Tensor) -> Tensor:
        return score(_to_u8(features), _to_u8(reference)).div_(_U8)

    return score if rule.precision == "exact" else score_u8


def _cpu_scoring(rule: _Fca) -> Scoring:
    """In compiled code where there is some."""
    if not compiled.runs(rule.windows):
        return _scoring(rule)

    def score(features: Tensor, reference: Tensor) -> Tensor:
        how = (rule.ties, rule.precision)
        scores = compiled.score_ranks(features, reference, rule.windows, rule.weights, how)
        return scores if rule.precision == "exact" else scores.div_(_U8)

    return score


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
