"""Other layers of EfficientNet-lite as features; knows no weight file.

The plain features are those of `LiteTrunk`; here are what they are made from, and finer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from streamer.backbones.efficientnet_lite import Block, ConvNorm, LiteTrunk
from streamer.backbones.receptive_field import Window

if TYPE_CHECKING:
    from streamer.backbones.efficientnet_lite import LiteShape


class LiteBlockTrunk(LiteTrunk):
    """The linear outputs of the last block of the stride-8 stage, before they are expanded."""

    value_range = None
    form = "block outputs"

    def __init__(self, shape: LiteShape) -> None:
        super().__init__(shape)
        self.channels = shape.width
        self.expand = nn.Identity()


class LiteStride4Trunk(LiteTrunk):
    """The expanded activation of the first block behind the stride-4 stage."""

    form = "stride 4"

    def __init__(self, shape: LiteShape) -> None:
        super().__init__(shape)
        shallow, widening, _ = _levels(self.blocks, shape)
        self.blocks, self.expand = shallow, widening.expand
        self.channels = _width(widening)


class LiteFineTrunk(LiteTrunk):
    """The features of strides 4 and 8, both on the grid of stride 4.

    The stride-8 stage runs without its stride and with kernels spread by 2 behind it (a trous:
    Holschneider et al., 1989): every second feature is exactly that of the plain network, and
    those between are what it would say of the web moved by 4 pixels. Means of stride 4 on the
    grid of stride 8 were tried as well: they found less than stride 8 alone.
    """

    form = "strides 4 and 8 on the grid of stride 4"

    def __init__(self, shape: LiteShape) -> None:
        super().__init__(shape)
        self.shape = shape
        _, widening, deep = _levels(self.blocks, shape)
        self.channels += _width(widening)
        _spread(widening.depthwise, 1)
        for layer in deep.modules():
            if isinstance(layer, ConvNorm):
                _spread(layer, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, channels, h/4, w/4) in 0..6, stride 4 first."""
        shallow, widening, deep = _levels(self.blocks, self.shape)
        wide = widening.expand(shallow(self.stem(self.normalisation(pixels))))
        narrow = widening.project(widening.depthwise(wide))
        return torch.cat([wide, self.expand(deep(narrow))], dim=1)


def _spread(layer: ConvNorm, dilation: int) -> None:
    """Let a layer look at every position, with the distances of its taps times `dilation`."""
    own = layer.window
    layer.window = Window((own.size - 1) * dilation + 1, 1, own.before * dilation)
    layer.conv.stride, layer.conv.dilation = (1, 1), (dilation, dilation)


def _levels(blocks: nn.Sequential, shape: LiteShape) -> tuple[nn.Sequential, Block, nn.Sequential]:
    """Blocks up to the end of stride 4, the one that leads to stride 8, and what follows it."""
    every, first = list(blocks), 1 + shape.repeats
    leading = every[first]
    if not isinstance(leading, Block):
        msg = f"blocks[{first}] must be a Block, got {type(leading).__name__}"
        raise TypeError(msg)
    return nn.Sequential(*every[:first]), leading, nn.Sequential(*every[first + 1 :])


def _width(block: Block) -> int:
    return int(block.depthwise.conv.in_channels)
