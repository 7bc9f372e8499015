"""Ways to score a still that might find smaller defects, on the product's parts; judges none."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from scipy import ndimage
from window_errors import window_errors

import kernels
from kernels.windows import blur
from streamer.evaluation.upsampling import upsample
from streamer.scoring.fca import FcaFast
from streamer.scoring.image_scorer import score_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streamer.correction.still import Still
    from streamer.message import PixelArray
    from streamer.ports import Backbone, BackboneSpec
    from streamer.scoring.lesson import Lesson

    Scores = NDArray[np.float32]
    Variant = Callable[["Subject"], "Scored"]
    Merge = Callable[[torch.Tensor], torch.Tensor]

BASE = "balanced"
BACKGROUND_CELLS = 15  # side of the neighbourhood whose median is the background of a cell
TYPICAL_SHARE = 0.99  # of the cells of a map, taken as typical web
SOFTENING = 0.1  # of the mean noise: a channel that is silent on a web must not rule


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A map (rows, columns) on the grid of `stride` pixels, NaN where masked."""

    scores: Scores
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A still and how the product would score it."""

    still: Still
    backbone: Backbone
    lesson: Lesson


class RememberingBackbone:
    """A backbone that computes the features of the same pixels once; see `ports.Backbone`.

    `saved_s` adds up the CPU seconds that remembered features would have taken again.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._known: dict[tuple[tuple[int, ...], bytes], tuple[torch.Tensor, float]] = {}
        self.saved_s = 0.0

    @property
    def spec(self) -> BackboneSpec:
        """Of the backbone within."""
        return self._backbone.spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """Features of the backbone within; a copy, as callers may write into it."""
        key = pixels.shape, np.ascontiguousarray(pixels).tobytes()
        if key in self._known:
            features, seconds = self._known[key]
            self.saved_s += seconds
            return features.clone()
        started = time.process_time()
        features = self._backbone.embed(pixels).clone()
        self._known[key] = features, time.process_time() - started
        return features.clone()

    def forget(self) -> None:
        """Make room: the next image has other pixels."""
        self._known.clear()

    def close(self) -> None:
        """Close the backbone within."""
        self._backbone.close()


@dataclass(frozen=True, slots=True)
class MergedFca(FcaFast):
    """The fast form with another way from the error maps of its channels to one map."""

    merge: Merge = partial(torch.mean, dim=0)

    def _score_one(self, quantised: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        one = partial(
            kernels.fca_score_fast,
            levels_count=self.levels,
            patch_size=self.patch_size,
            window_stride=self.window_stride,
            sigma_blur=None,
        )
        channels = [slice(number, number + 1) for number in range(quantised.shape[0])]
        maps = torch.stack([one(quantised[own], reference[own]) for own in channels])
        return blur(self.merge(maps), (0, 1), self.sigma_blur)


@dataclass(frozen=True, slots=True)
class OrderedFca(FcaFast):
    """The fast form with the mean of the `count` windows over a position with the highest errors.

    A negative `count`: those with the lowest.
    """

    count: int = 8

    def _score_one(self, quantised: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        errors = window_errors(quantised, reference, self.levels, self.patch_size)
        sign = -1 if self.count > 0 else 1
        ordered = (sign * errors).sort(dim=0).values  # NaN, of windows that are not there, last
        chosen = ordered[: abs(self.count)]
        return blur(sign * chosen.nanmean(dim=0), (0, 1), self.sigma_blur)


def _typical(maps: torch.Tensor) -> torch.Tensor:
    """(C, H, W) error maps to (C, n) with the strongest hundredth of each channel cut to its least.

    That keeps defects out. Medians would not do: most channels are silent on most of a web.
    """
    values = maps.flatten(1)
    rank = max(round(TYPICAL_SHARE * values.shape[1]), 1)
    return torch.minimum(values, values.kthvalue(rank, dim=1, keepdim=True).values)


def by_noise(maps: torch.Tensor, power: float) -> torch.Tensor:
    """(C, H, W) error maps to (H, W): channels weighted by a power of their noise, mean 1.

    Noise is what a channel scores on typical web in the mean.
    """
    noise = _typical(maps).mean(dim=1)
    weights = (noise + SOFTENING * noise.mean() + 1e-9).view(-1, 1, 1) ** -power
    return (maps * (weights / weights.mean())).mean(dim=0)


def standardised(maps: torch.Tensor) -> torch.Tensor:
    """(C, H, W) error maps less their mean on typical web, in units of their deviation there."""
    known = _typical(maps)
    middle, spread = known.mean(dim=1), known.std(dim=1)
    soft = (spread + SOFTENING * spread.mean() + 1e-9).view(-1, 1, 1)
    return (maps - middle.view(-1, 1, 1)) / soft


def top_channels(maps: torch.Tensor, share: float) -> torch.Tensor:
    """(C, H, W) to (H, W): the mean of the largest share of the channels at each position."""
    return maps.topk(max(round(share * maps.shape[0]), 1), dim=0).values.mean(dim=0)


def plain(subject: Subject) -> Scored:
    """As the product scores it."""
    verdict = score_image(subject.still, subject.backbone, subject.lesson)
    return Scored(np.asarray(verdict.scores, np.float32), verdict.stride)


def _fast(subject: Subject) -> FcaFast:
    method = subject.lesson.method
    if not isinstance(method, FcaFast):
        msg = f"scoring.method must be fca_fast, got {method.name}"
        raise ValueError(msg)  # noqa: TRY004 (a setting is wrong, not a type)
    return method


def _with_method(subject: Subject, method: FcaFast) -> Subject:
    return replace(subject, lesson=replace(subject.lesson, method=method))


def merged(subject: Subject, merge: Merge) -> Scored:
    """With another way from channels to one map."""
    known = _fast(subject)
    windows = known.patch_size, known.levels, known.window_stride, known.sigma_blur
    return plain(_with_method(subject, MergedFca(*windows, merge=merge)))


def ordered_windows(subject: Subject, count: int) -> Scored:
    """With the mean of some of the windows over a position."""
    known = _fast(subject)
    windows = known.patch_size, known.levels, known.window_stride, known.sigma_blur
    return plain(_with_method(subject, OrderedFca(*windows, count=count)))


def sizes(subject: Subject, sides: tuple[int, ...]) -> Scored:
    """The mean of the maps of several window sizes; larger ones than fit are left out."""
    known = _fast(subject)
    fitting = [side for side in sides if side <= known.patch_size or side == sides[0]]
    maps = [plain(_with_method(subject, replace(known, patch_size=side))) for side in fitting]
    return Scored(np.mean([one.scores for one in maps], axis=0), maps[0].stride)


def flips(subject: Subject, axes: tuple[tuple[int, ...], ...]) -> Scored:
    """The mean of the maps of the still and of its mirror images."""
    even = _whole_cells(subject)
    maps = [plain(even)]
    for one in axes:
        turned = replace(even, still=_turned(even.still, one))
        scored = plain(turned)
        maps.append(replace(scored, scores=np.flip(scored.scores, one)))
    return Scored(np.mean([one.scores for one in maps], axis=0), maps[0].stride)


def _whole_cells(subject: Subject) -> Subject:
    """The still extended as the scorer does, so that a mirror image falls on the same cells."""
    stride, still = subject.backbone.spec.stride, subject.still
    missing = [(0, -size % stride) for size in still.pixels.shape[:2]]
    pixels = np.pad(still.pixels, [*missing, (0, 0)][: still.pixels.ndim], mode="edge")
    off = None if still.off_web is None else np.pad(still.off_web, missing, mode="edge")
    return replace(subject, still=replace(still, pixels=pixels, off_web=off))


def _turned(still: Still, axes: tuple[int, ...]) -> Still:
    off = None if still.off_web is None else np.ascontiguousarray(np.flip(still.off_web, axes))
    return replace(still, pixels=np.ascontiguousarray(np.flip(still.pixels, axes)), off_web=off)


def enlarged(subject: Subject) -> Scored:
    """The map of the still at twice its size, on half the stride."""
    still = subject.still
    lines, columns = still.pixels.shape[:2]
    size = 2 * columns, 2 * lines
    pixels = np.asarray(cv2.resize(still.pixels, size, interpolation=cv2.INTER_LINEAR))
    off = still.off_web
    doubled = None if off is None else off.repeat(2, axis=0).repeat(2, axis=1)
    large = replace(still, pixels=pixels.astype(still.pixels.dtype), off_web=doubled)
    scored = plain(replace(subject, still=large))
    return Scored(scored.scores, scored.stride // 2)


def with_enlarged(subject: Subject) -> Scored:
    """The mean of the maps of the still and of itself at twice its size, on half the stride."""
    fine = enlarged(subject)
    coarse = to_stride(plain(subject), subject.still.pixels.shape[:2], fine.stride)
    both = np.asarray((fine.scores + coarse.scores) / 2, np.float32)
    return Scored(both, fine.stride)


def shifted(subject: Subject) -> Scored:
    """The mean of the maps of two grids half a cell apart both ways, on half the stride."""
    stride, still = subject.backbone.spec.stride, subject.still
    half, shape = stride // 2, still.pixels.shape[:2]
    before = [(half, 0), (half, 0)]
    pixels = np.pad(still.pixels, [*before, (0, 0)][: still.pixels.ndim], mode="symmetric")
    off = None if still.off_web is None else np.pad(still.off_web, before, mode="edge")
    moved = plain(replace(subject, still=replace(still, pixels=pixels, off_web=off)))
    full = upsample(moved.scores, (shape[0] + half, shape[1] + half), stride)[half:, half:]
    own = upsample(plain(subject).scores, shape, stride)
    return _block_means(np.asarray((full + own) / 2, np.float32), half)


def to_stride(scored: Scored, shape: tuple[int, ...], stride: int) -> Scored:
    """A map of an image of `shape`, on the grid of a smaller stride."""
    lines, columns = shape[:2]
    return _block_means(upsample(scored.scores, (lines, columns), scored.stride), stride)


def _block_means(pixels: Scores, stride: int) -> Scored:
    missing = [(0, -size % stride) for size in pixels.shape]
    even = np.pad(pixels, missing, mode="edge")
    rows, columns = even.shape[0] // stride, even.shape[1] // stride
    blocks = even.reshape(rows, stride, columns, stride).mean(axis=(1, 3))
    return Scored(blocks.astype(np.float32), stride)


def less_background(subject: Subject) -> Scored:
    """The map less the median of the cells around each: what is small stands out."""
    scored = plain(subject)
    masked = np.isnan(scored.scores)
    filled = np.where(masked, np.nanmedian(scored.scores), scored.scores)
    around = ndimage.median_filter(filled, BACKGROUND_CELLS, mode="reflect")
    return replace(scored, scores=np.where(masked, np.float32(np.nan), filled - around))


VARIANTS: dict[str, Variant] = {
    BASE: plain,
    "channels by 1/noise": lambda s: merged(s, partial(by_noise, power=1.0)),
    "channels by 1/sqrt(noise)": lambda s: merged(s, partial(by_noise, power=0.5)),
    "channels standardised": lambda s: merged(s, lambda m: standardised(m).mean(dim=0)),
    "top quarter of channels": lambda s: merged(s, partial(top_channels, share=0.25)),
    "top twentieth of channels": lambda s: merged(s, partial(top_channels, share=0.05)),
    "top quarter, standardised": lambda s: merged(s, lambda m: top_channels(standardised(m), 0.25)),
    "root mean square of channels": lambda s: merged(s, lambda m: m.square().mean(dim=0).sqrt()),
    "highest 8 of 25 windows": lambda s: ordered_windows(s, 8),
    "lowest 8 of 25 windows": lambda s: ordered_windows(s, -8),
    "flip across": lambda s: flips(s, ((1,),)),
    "flips across, along, both": lambda s: flips(s, ((1,), (0,), (0, 1))),
    "grid moved half a cell": shifted,
    "windows 5 and 9": lambda s: sizes(s, (5, 9)),
    "windows 5": lambda s: sizes(s, (5,)),
    "windows 3, 5 and 9": lambda s: sizes(s, (3, 5, 9)),
    "enlarged twice": enlarged,
    "plain and enlarged twice": with_enlarged,
    "less median of 15 x 15 cells": less_background,
}
