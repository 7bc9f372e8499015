"""EfficientNet-lite up to its stride-8 features, as torch modules; knows no weight file.

Layers after the TensorFlow model (github.com/tensorflow/tpu, efficientnet/lite). It has no
squeeze-and-excitation, so a feature sees its receptive field and nothing else of the tile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from streamer.backbones.receptive_field import Window, same_window
from streamer.backbones.trunk import Normalisation, Trunk

_EXPANSION = 6
_BN_EPS = 1e-3
_STEM_CHANNELS = 32
_FIRST_CHANNELS = 16
_STRIDE4_CHANNELS = 24

# Our layer in a block -> (convolution, batch norm) in the published state dict.
_PUBLISHED = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


@dataclass(frozen=True, slots=True)
class LiteShape:
    """What the variants differ in: blocks per stage, channels of the stride-8 stage."""

    repeats: int
    width: int


LITE0 = LiteShape(repeats=2, width=40)
LITE1 = LiteShape(repeats=3, width=40)
LITE2 = LiteShape(repeats=3, width=48)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """One convolution: square kernel, stride, channels; one group per channel or one group."""

    size: int
    stride: int
    channels_in: int
    channels_out: int
    depthwise: bool = False
    relu6: bool = True


class ConvNorm(nn.Module):
    """Convolution with SAME padding, batch norm and, unless linear, ReLU6."""

    def __init__(self, kernel: _Kernel) -> None:
        super().__init__()
        self.window = same_window(kernel.size, kernel.stride)
        self.relu6 = kernel.relu6
        groups = kernel.channels_in if kernel.depthwise else 1
        self.conv = nn.Conv2d(
            kernel.channels_in,
            kernel.channels_out,
            kernel.size,
            kernel.stride,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(kernel.channels_out, eps=_BN_EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, in, h, w) -> (n, out, h/stride, w/stride); h, w multiples of the stride."""
        before = self.window.before
        after = self.window.size - self.window.stride - before
        y = self.norm(self.conv(functional.pad(x, (before, after, before, after))))
        return functional.relu6(y) if self.relu6 else y


class Block(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; added to its input where it fits."""

    def __init__(self, kernel: _Kernel, expansion: int) -> None:
        super().__init__()
        narrow, wide = kernel.channels_in, kernel.channels_in * expansion
        self.adds_input = kernel.stride == 1 and narrow == kernel.channels_out
        self.expand = ConvNorm(_Kernel(1, 1, narrow, wide)) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(_Kernel(kernel.size, kernel.stride, wide, wide, depthwise=True))
        self.project = ConvNorm(_Kernel(1, 1, wide, kernel.channels_out, relu6=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, in, h, w) -> (n, out, h/stride, w/stride)."""
        y: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.adds_input else y


class LiteTrunk(Trunk):
    """Up to the expanded activation of the first block behind the stride-8 stage."""

    value_range: tuple[float, float] | None = (0.0, 6.0)

    def __init__(self, shape: LiteShape) -> None:
        super().__init__()
        self.channels = shape.width * _EXPANSION
        # The published networks expect (x - 127) / 128 for x in 0..255.
        self.normalisation = Normalisation([127 / 255] * 3, [128 / 255] * 3)
        self.stem = ConvNorm(_Kernel(3, 2, 3, _STEM_CHANNELS))
        self.blocks = nn.Sequential(
            Block(_Kernel(3, 1, _STEM_CHANNELS, _FIRST_CHANNELS), expansion=1),
            *_stage(3, _FIRST_CHANNELS, _STRIDE4_CHANNELS, shape.repeats),
            *_stage(5, _STRIDE4_CHANNELS, shape.width, shape.repeats),
        )
        self.expand: nn.Module = ConvNorm(_Kernel(1, 1, shape.width, self.channels))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, channels, h/8, w/8) in 0..6."""
        features: torch.Tensor = self.expand(self.blocks(self.stem(self.normalisation(pixels))))
        return features

    def windows(self) -> tuple[Window, ...]:
        """Windows of all convolutions, first layer first."""
        return tuple(layer.window for layer in self.modules() if isinstance(layer, ConvNorm))

    def published_name(self, key: str) -> str:
        """Our "blocks.1.expand.conv.weight" is "_blocks.1._expand_conv.weight" there."""
        layer, kind, leaf = key.rsplit(".", 2)
        if layer == "stem":
            return f"{'_conv_stem' if kind == 'conv' else '_bn0'}.{leaf}"
        match = re.fullmatch(r"blocks\.(\d+)\.(\w+)", layer)
        index, part = (match[1], match[2]) if match else (str(len(self.blocks)), layer)
        return f"_blocks.{index}.{_PUBLISHED[part][kind == 'norm']}.{leaf}"


def _stage(size: int, channels_in: int, channels_out: int, repeats: int) -> list[Block]:
    first = Block(_Kernel(size, 2, channels_in, channels_out), _EXPANSION)
    rest = [
        Block(_Kernel(size, 1, channels_out, channels_out), _EXPANSION) for _ in range(1, repeats)
    ]
    return [first, *rest]
