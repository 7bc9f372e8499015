"""From pixels to features and from features to 0..1 per channel; knows no score."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import PixelArray
    from streamer.ports import Backbone, BackboneSpec

CLIP_SHARE = 0.999  # one hot position must not rescale a channel
MIRRORED_CELLS = 2  # what one cell leaves is seen on plain fabrics; a third changes nothing
SCALE_SAMPLES = 65536  # positions per channel that a percentile is taken from


@dataclass(frozen=True, slots=True, eq=False)
class ChannelScale:
    """Brings features to 0..1 per channel: clip((f - offset) * factor); both (C,) float32."""

    offset: torch.Tensor
    factor: torch.Tensor

    def apply(self, values: torch.Tensor, channel: int) -> torch.Tensor:
        """Scale the values of one channel, whatever their shape."""
        offset, factor = self.offset[channel], self.factor[channel]
        return values.sub(offset.to(values.device)).mul_(factor.to(values.device)).clamp_(0, 1)


def scaled(features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
    """(C, H, W) float32 to 0..1, one channel a time: no second temporary of the whole map."""
    result = torch.empty_like(features)
    for channel, values in enumerate(features):
        result[channel] = scale.apply(values, channel)
    return result


def to_levels(features: torch.Tensor, scale: ChannelScale, count: int) -> torch.Tensor:
    """(C, H, W) float32 to uint8 levels, floor(z * (count - 1) + 0.5), one channel a time."""
    levels = torch.empty(features.shape, dtype=torch.uint8, device=features.device)
    for channel, values in enumerate(features):
        shares = scale.apply(values, channel)
        levels[channel] = shares.mul_(count - 1).add_(0.5).floor_().to(torch.uint8)
    return levels


@dataclass(frozen=True, slots=True)
class Edges:
    """Which sides of some pixels are the web's own edge, with no neighbour beyond."""

    top: bool = True
    bottom: bool = True
    left: bool = True
    right: bool = True


def embed_web(backbone: Backbone, pixels: PixelArray, edges: Edges) -> torch.Tensor:
    """Features (C, H, W) of a piece of web, mirrored a little beyond the web's own edges.

    A backbone pads with zeros, which no web looks like: without the mirror the edges of a plain
    fabric scored twice as high as its texture and nearly doubled the alarm level; with it they
    score like the rest. What is mirrored depends on the web alone, not on how it is cut.

    Raises:
        RuntimeError: the engine returned NaN or infinity; it must never look like a low score.
    """
    margin, stride = MIRRORED_CELLS, backbone.spec.stride
    top, bottom, left, right = (margin * own for own in astuple(edges))
    around = [(top * stride, bottom * stride), (left * stride, right * stride), (0, 0)]
    mirrored = (
        np.pad(pixels, around[: pixels.ndim], mode="symmetric") if any(astuple(edges)) else pixels
    )
    features = _embed_finite(backbone, mirrored)
    rows, columns = features.shape[1:]
    return features[:, top : rows - bottom, left : columns - right]


def _embed_finite(backbone: Backbone, pixels: PixelArray) -> torch.Tensor:
    with torch.inference_mode():
        features = backbone.embed(pixels)
        finite = torch.isfinite(torch.stack(features.aminmax())).all()
    if not finite:
        msg = (
            f"features must be finite, got NaN or infinity from {backbone.spec.engine}; "
            "check the engine with `linescan doctor`"
        )
        raise RuntimeError(msg)
    return features


def fixed_scale(spec: BackboneSpec) -> ChannelScale | None:
    """The scale that a bounded activation fixes for all webs, or None."""
    if spec.value_range is None:
        return None
    low, high = spec.value_range
    factor = torch.full((spec.channels,), 1 / (high - low))
    return ChannelScale(torch.full((spec.channels,), float(low)), factor)


def learn_scale(maps: Sequence[torch.Tensor]) -> ChannelScale:
    """From each channel's 0.1 % to its 99.9 % quantile over `maps`, each (C, H, W) float32.

    A constant channel becomes 0 everywhere. Of more than 65,536 positions every n-th is used.
    """
    values = torch.cat([features.flatten(1) for features in maps], dim=1)
    values = values[:, :: -(-values.shape[1] // SCALE_SAMPLES)].float()
    count = values.shape[1]
    rank = min(int(CLIP_SHARE * count), count - 1)
    low = values.kthvalue(count - rank, dim=1).values
    span = values.kthvalue(rank + 1, dim=1).values - low
    return ChannelScale(low, torch.where(span > 0, 1 / span, 0.0))
