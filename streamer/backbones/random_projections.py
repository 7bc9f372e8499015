"""Random projections of 5 x 5 pixels as features; knows no other feature.

Of the texture features of Ardelean and Weyrich (WACV 2024): Gaussian kernels, each of unit length.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from streamer.backbones.mirror import Mirror
from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import Normalisation, Trunk

KERNELS = 128
SIDE = 5
_SEED = 0


def random_kernels(count: int = KERNELS, seed: int = _SEED) -> torch.Tensor:
    """(count, 3, 5, 5) float32: independent standard normal weights over the norm of the 75."""
    # numpy promises the stream of this old generator for good; a profile rests on its numbers.
    drawn = np.random.RandomState(seed).standard_normal((count, 3, SIDE, SIDE))
    drawn /= np.sqrt(np.square(drawn).sum(axis=(1, 2, 3), keepdims=True))
    return torch.from_numpy(drawn.astype(np.float32))


class RandomTrunk(Trunk):
    """Correlations with fixed random kernels, borders mirrored, at full resolution."""

    fixed_kernels: torch.Tensor

    def __init__(self, kernels: torch.Tensor | None = None) -> None:
        super().__init__()
        chosen = random_kernels() if kernels is None else kernels
        self.channels = chosen.shape[0]
        self.normalisation = Normalisation([0.0] * 3, [1.0] * 3)
        self.register_buffer("fixed_kernels", chosen)
        self.mirror = Mirror(SIDE // 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, kernels, h, w)."""
        return functional.conv2d(self.mirror(pixels), self.fixed_kernels)

    def windows(self) -> tuple[Window, ...]:
        """One 5 x 5 filter."""
        return (Window(SIDE, 1, before=SIDE // 2),)
