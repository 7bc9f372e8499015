"""ResNet up to layer 2 (stride 8), as torch modules; knows no weight file.

He et al., Deep Residual Learning for Image Recognition (2016), with the stride in the 3x3
convolution; Zagoruyko and Komodakis, Wide Residual Networks (2016). The names of the layers are
torchvision's, so that its published weights fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import IMAGENET_MEAN, IMAGENET_STD, Normalisation, Trunk

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEM_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class ResNetShape:
    """Blocks of layers 1 and 2; `width` is the inner width of a bottleneck, None: two 3x3."""

    repeats: tuple[int, int]
    width: int | None


RESNET18 = ResNetShape(repeats=(2, 2), width=None)
RESNET50 = ResNetShape(repeats=(3, 4), width=64)
WIDE_RESNET50_2 = ResNetShape(repeats=(3, 4), width=128)


class Residual(nn.Module):
    """Convolutions with batch norm, added to their input, then ReLU."""

    def __init__(self, convolutions: Sequence[nn.Conv2d], downsample: nn.Module) -> None:
        super().__init__()
        self.count = len(convolutions)
        for index, convolution in enumerate(convolutions, start=1):
            self.add_module(f"conv{index}", convolution)
            self.add_module(f"bn{index}", nn.BatchNorm2d(convolution.out_channels))
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, in, h, w) -> (n, out, h/stride, w/stride)."""
        y = x
        for index in range(1, self.count + 1):
            y = self.get_submodule(f"bn{index}")(self.get_submodule(f"conv{index}")(y))
            if index < self.count:
                y = functional.relu(y)
        return functional.relu(y + self.downsample(x))

    def windows(self) -> tuple[Window, ...]:
        """Windows of the convolutions; the short cut sees no more than they do."""
        layers = (self.get_submodule(f"conv{index}") for index in range(1, self.count + 1))
        return tuple(_window(layer) for layer in layers)


class ResNetTrunk(Trunk):
    """Up to the last ReLU of layer 2."""

    def __init__(self, shape: ResNetShape) -> None:
        super().__init__()
        self.normalisation = Normalisation(IMAGENET_MEAN, IMAGENET_STD)
        self.conv1 = nn.Conv2d(3, _STEM_CHANNELS, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM_CHANNELS)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        growth = 1 if shape.width is None else 4
        out1, self.channels = 64 * growth, 128 * growth
        self.layer1 = _layer(shape, 0, (_STEM_CHANNELS, out1))
        self.layer2 = _layer(shape, 1, (out1, self.channels))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, channels, h/8, w/8), >= 0."""
        stem = functional.relu(self.bn1(self.conv1(self.normalisation(pixels))))
        features: torch.Tensor = self.layer2(self.layer1(self.maxpool(stem)))
        return features

    def windows(self) -> tuple[Window, ...]:
        """Windows of stem, pooling and the convolutions of the blocks."""
        blocks = [block for block in self.modules() if isinstance(block, Residual)]
        inner = (window for block in blocks for window in block.windows())
        return (_window(self.conv1), Window(3, 2, before=1), *inner)


def _layer(shape: ResNetShape, index: int, channels: tuple[int, int]) -> nn.Sequential:
    """Layer `index` (0: layer 1): its first block changes channels, and from layer 2 the stride."""
    channels_in, channels_out = channels
    stride = index + 1
    width = None if shape.width is None else shape.width * stride
    shortcut: nn.Module = nn.Identity()
    if stride > 1 or channels_in != channels_out:
        convolution = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
        shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels_out))
    blocks = [Residual(_convolutions(channels, width, stride), shortcut)]
    for _ in range(1, shape.repeats[index]):
        inner = _convolutions((channels_out, channels_out), width, stride=1)
        blocks.append(Residual(inner, nn.Identity()))
    return nn.Sequential(*blocks)


def _convolutions(channels: tuple[int, int], width: int | None, stride: int) -> list[nn.Conv2d]:
    channels_in, channels_out = channels
    if width is None:
        return [
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        ]
    return [
        nn.Conv2d(channels_in, width, 1, bias=False),
        nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
        nn.Conv2d(width, channels_out, 1, bias=False),
    ]


def _window(layer: nn.Module) -> Window:
    if not isinstance(layer, nn.Conv2d):
        msg = f"layer must be a convolution, got {type(layer).__name__}"
        raise TypeError(msg)
    return Window(layer.kernel_size[0], layer.stride[0], before=int(layer.padding[0]))
