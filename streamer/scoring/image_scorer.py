"""Whole images of any size to a score map, in bounded memory; knows no file and no process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.message import require
from streamer.scoring.features import SCALE_SAMPLES, Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import complete_profile, learn_reference, require_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.message import PixelArray, ScoreArray
    from streamer.ports import Backbone, BackboneSpec
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.method import Method
    from streamer.scoring.profile import TextureProfile

SMALLEST_FEATURES = 3
CORE_PIXELS = 1024  # side of what is embedded at once, without its halo


@dataclass(frozen=True, slots=True, eq=False)
class ImageVerdict:
    """Raw scores (rows, columns) on the grid of the stride, and the profile that they rest on."""

    scores: ScoreArray
    profile: TextureProfile
    stride: int
    patch_size: int


def fitting_patch_size(pixels: PixelArray, stride: int, wanted: int) -> int:
    """The largest odd patch size up to `wanted` that fits into the features of an image.

    Raises:
        ValueError: the image has less than 3 features at a side.
    """
    features: int = min(-(-size // stride) for size in pixels.shape[:2])
    least = (SMALLEST_FEATURES - 1) * stride + 1
    require(
        features >= SMALLEST_FEATURES,
        f"image must be at least {least} pixels at each side",
        pixels.shape[:2],
    )
    return min(wanted, features - 1 + features % 2)


def score_image(
    pixels: PixelArray, backbone: Backbone, lesson: Lesson, saved: TextureProfile | None = None
) -> ImageVerdict:
    """Score an image (lines, columns[, 3]) with `saved`, or with what is typical of itself.

    The features are computed piece by piece, each with the receptive field as its halo, so that
    the map is the one of the whole image; only their quantised form is held as a whole.

    Raises:
        ValueError: the image is smaller than a window, or `saved` fits neither backbone nor method.
        RuntimeError: the engine returned NaN or infinity.
    """
    method, stride = lesson.method, backbone.spec.stride
    if saved is not None:
        require_fit(saved, method, backbone.spec)
    scale = saved.scale if saved is not None else fixed_scale(backbone.spec)
    extended = _extend(pixels, stride)
    if scale is None:
        scale = _scale_of_image(extended, backbone)
    quantised = _quantised_image(extended, backbone, method, scale)
    if saved is not None:
        return ImageVerdict(
            method.score(quantised, saved.reference), saved, stride, method.patch_size
        )
    reference = learn_reference([quantised], method)
    scores = method.score(quantised, reference)
    profile = complete_profile(scale, reference, [scores], lesson)
    return ImageVerdict(scores, profile, stride, method.patch_size)


def _extend(pixels: PixelArray, stride: int) -> PixelArray:
    """Repeat the last line and column up to a multiple of the stride, as tiling does."""
    missing = [(0, -size % stride) for size in pixels.shape[:2]]
    if not any(end for _, end in missing):
        return pixels
    return np.pad(pixels, [*missing, (0, 0)][: pixels.ndim], mode="edge")


@dataclass(frozen=True, slots=True)
class _Span:
    """Along one axis: pixels with halo, the core in their features, its place in the image's.

    `is_first` and `is_last`: the pixels begin and end where the image does.
    """

    pixels: slice
    core: slice
    place: slice
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Features of a rectangle of the image, and where they belong, (rows, columns)."""

    features: torch.Tensor
    place: tuple[slice, slice]


def _embedded_parts(pixels: PixelArray, backbone: Backbone) -> Iterator[_Part]:
    for down in _spans(pixels.shape[0], backbone.spec):
        for across in _spans(pixels.shape[1], backbone.spec):
            edges = Edges(down.is_first, down.is_last, across.is_first, across.is_last)
            features = embed_web(backbone, pixels[down.pixels, across.pixels], edges)
            yield _Part(features[:, down.core, across.core], (down.place, across.place))


def _spans(size: int, spec: BackboneSpec) -> Iterator[_Span]:
    stride = spec.stride
    halo, core = (-(-length // stride) * stride for length in (spec.radius, CORE_PIXELS))
    for first in range(0, size, core):
        end = min(first + core, size)
        start, stop = max(first - halo, 0), min(end + halo, size)
        inner = slice((first - start) // stride, (end - start) // stride)
        place = slice(first // stride, end // stride)
        yield _Span(slice(start, stop), inner, place, start == 0, stop == size)


def _quantised_image(
    pixels: PixelArray, backbone: Backbone, method: Method, scale: ChannelScale
) -> torch.Tensor:
    rows, columns = (size // backbone.spec.stride for size in pixels.shape[:2])
    shape = (backbone.spec.channels, rows, columns)
    quantised = method.quantise(torch.empty(backbone.spec.channels, 0, 0), scale).new_empty(shape)
    for part in _embedded_parts(pixels, backbone):
        quantised[:, *part.place] = method.quantise(part.features, scale)
    return quantised


def _scale_of_image(pixels: PixelArray, backbone: Backbone) -> ChannelScale:
    """From a regular sample, in a pass of its own: the float features never exist as a whole."""
    step = max(1, round((pixels.size / backbone.spec.stride**2 / SCALE_SAMPLES) ** 0.5))
    parts = _embedded_parts(pixels, backbone)
    return learn_scale([part.features[:, ::step, ::step].clone() for part in parts])
