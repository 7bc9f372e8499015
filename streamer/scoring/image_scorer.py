"""Whole images of any size to a score map, in bounded memory; knows no file and no process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.correction.background import even_background
from streamer.correction.mirror import mirror_web
from streamer.correction.still import Still
from streamer.correction.web_grid import masked_grid, web_box, web_rectangles
from streamer.message import require
from streamer.scoring.features import SCALE_SAMPLES, Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import complete_profile, learn_reference, require_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.correction.side_cells import Flags
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
    """Raw scores (rows, columns) on the grid of the stride, and the profile that they rest on.

    NaN: no web is there to be judged.
    """

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
    image: PixelArray | Still,
    backbone: Backbone,
    lesson: Lesson,
    saved: TextureProfile | None = None,
) -> ImageVerdict:
    """Score an image (lines, columns[, 3]) with `saved`, or with what is typical of itself.

    The features are computed piece by piece, each with the receptive field as its halo, so that
    the map is the one of the whole image; only their quantised form is held as a whole.

    A `Still` may say where it shows no web: cells that hold mostly such pixels are NaN, nothing is
    learnt from them, and features beside them see a mirror of the web in their place. A margin
    along the grid changes nothing: the web beside it scores as if it were the whole image.

    Raises:
        ValueError: the image or its web is smaller than a window, or `saved` fits neither backbone
            nor method.
        RuntimeError: the engine returned NaN or infinity.
    """
    if saved is not None:
        require_fit(saved, lesson.method, backbone.spec)
    still = image if isinstance(image, Still) else Still(image)
    if still.off_web is None or not still.off_web.any():
        web = _Web(still.pixels, evens_background=still.evens_background)
        return _score_web(web, backbone, lesson, saved)
    stride = backbone.spec.stride
    masked = masked_grid(still.off_web, stride)
    box = web_box(masked)
    inside = tuple(slice(side.start * stride, side.stop * stride) for side in box)
    pixels = mirror_web(still.pixels[inside], still.off_web[inside])
    web = _Web(pixels, masked[box], still.evens_background, box[1].start)
    verdict = _score_web(web, backbone, lesson, saved)
    scores = np.full(masked.shape, np.nan, np.float32)
    scores[box] = verdict.scores
    return replace(verdict, scores=scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Web:
    """Pixels to be scored, and which cells of their grid are to be left out; None: none.

    `first_column`: column of the image, in features, that they begin at.
    """

    pixels: PixelArray
    masked: Flags | None = None
    evens_background: bool = False
    first_column: int = 0


def _score_web(
    web: _Web, backbone: Backbone, lesson: Lesson, saved: TextureProfile | None
) -> ImageVerdict:
    method, stride = lesson.method, backbone.spec.stride
    extended = _Web(_extend(web.pixels, stride), web.masked)
    scale = saved.scale if saved is not None else fixed_scale(backbone.spec)
    if scale is None:
        scale = _scale_of_image(extended, backbone)
    quantised = _quantised_image(extended.pixels, backbone, method, scale)
    if saved is not None:
        scores = saved.score(method, quantised, web.first_column)
    else:
        reference = _learn(quantised, web, method)
        scores = method.score(quantised, reference)
    if web.masked is not None:
        scores = np.where(web.masked, np.float32(np.nan), scores)
    if saved is not None:
        return ImageVerdict(scores, saved, stride, method.patch_size)
    if web.evens_background:
        scores = even_background(scores)
    profile = complete_profile(scale, reference, [scores], lesson)
    return ImageVerdict(scores, profile, stride, method.patch_size)


def _learn(quantised: torch.Tensor, web: _Web, method: Method) -> torch.Tensor:
    """The reference from windows that hold web alone."""
    if web.masked is None:
        return learn_reference([quantised], method)
    size = method.patch_size
    rectangles = web_rectangles(web.masked, size)
    if not rectangles:
        msg = (
            f"web beside what is masked must hold a window of {size} x {size} features, "
            f"got {(~web.masked).sum()} in smaller pieces; mask less, or lower scoring.patch_size"
        )
        raise ValueError(msg)
    return learn_reference([quantised[:, rows, columns] for rows, columns in rectangles], method)


def _extend(pixels: PixelArray, stride: int) -> PixelArray:
    """Mirror the last lines and columns up to a multiple of the stride, as tiling does."""
    missing = [(0, -size % stride) for size in pixels.shape[:2]]
    if not any(end for _, end in missing):
        return pixels
    return np.pad(pixels, [*missing, (0, 0)][: pixels.ndim], mode="symmetric")


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


def _scale_of_image(web: _Web, backbone: Backbone) -> ChannelScale:
    """From a regular sample, in a pass of its own: the float features never exist as a whole."""
    step = max(1, round((web.pixels.size / backbone.spec.stride**2 / SCALE_SAMPLES) ** 0.5))
    samples = []
    for part in _embedded_parts(web.pixels, backbone):
        sample = part.features[:, ::step, ::step]
        if web.masked is not None:
            kept = ~web.masked[part.place][::step, ::step]
            sample = sample[:, torch.from_numpy(kept)][:, None]
        samples.append(sample.clone())
    return learn_scale(samples)
