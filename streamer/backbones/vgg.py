"""VGG-19 up to its second convolution, at full resolution; knows no weight file.

Simonyan and Zisserman, Very Deep Convolutional Networks (2015); both answers before their ReLU, as
Ardelean and Weyrich use them (WACV 2024). The names of the layers are torchvision's.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import IMAGENET_MEAN, IMAGENET_STD, Normalisation, Trunk

_WIDTH = 64
_PUBLISHED = {"first": "features.0", "second": "features.2"}


class VggTrunk(Trunk):
    """conv1_1 and conv1_2 before their activations, 64 channels each."""

    channels = 2 * _WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = Normalisation(IMAGENET_MEAN, IMAGENET_STD)
        self.first = nn.Conv2d(3, _WIDTH, 3, padding=1)
        self.second = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, 128, h, w)."""
        first = self.first(self.normalisation(pixels))
        return torch.cat([first, self.second(functional.relu(first))], dim=1)

    def windows(self) -> tuple[Window, ...]:
        """Two 3 x 3 filters."""
        return (Window(3, 1, before=1),) * 2

    def published_name(self, key: str) -> str:
        """Our "second.weight" is "features.2.weight" there."""
        layer, leaf = key.split(".")
        return f"{_PUBLISHED[layer]}.{leaf}"
