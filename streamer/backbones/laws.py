"""Laws' texture filters as features; knows no other feature.

Laws, Textured Image Segmentation (1980); the nine maps and the local mean as Ardelean and Weyrich
use them (WACV 2024): the filters' answers, without magnitude and without averaging.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from streamer.backbones.mirror import Mirror
from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import Normalisation, Trunk

_VECTORS = {
    "L": (1.0, 4.0, 6.0, 4.0, 1.0),
    "E": (-1.0, -2.0, 0.0, 2.0, 1.0),
    "S": (-1.0, 0.0, 2.0, 0.0, -1.0),
    "R": (1.0, -4.0, 6.0, -4.0, 1.0),
}
_MAPS = (
    ("E", "E"),
    ("S", "S"),
    ("R", "R"),
    ("L", "E"),
    ("L", "S"),
    ("L", "R"),
    ("E", "S"),
    ("E", "R"),
    ("S", "R"),
)
_SIDE = 5
_SCALE = 0.1
_MEAN_TAPS, _MEAN_SIGMA = 15, 20.0


def laws_kernels() -> torch.Tensor:
    """(9, 1, 5, 5): column(a) x row(b) over 10, the mean of both orders where a and b differ."""
    pairs = ((torch.tensor(_VECTORS[a]), torch.tensor(_VECTORS[b])) for a, b in _MAPS)
    return torch.stack([_SCALE * (a.outer(b) + b.outer(a)) / 2 for a, b in pairs])[:, None]


def _mean_taps() -> torch.Tensor:
    offsets = torch.arange(_MEAN_TAPS) - _MEAN_TAPS // 2
    taps = torch.exp(-offsets.square() / (2 * _MEAN_SIGMA**2))
    return taps / taps.sum()


class LawsTrunk(Trunk):
    """Nine filters on grey minus its local mean, borders mirrored, at full resolution."""

    channels = len(_MAPS)
    fixed_kernels: torch.Tensor
    fixed_taps: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = Normalisation([0.0] * 3, [1.0] * 3)
        self.register_buffer("fixed_kernels", laws_kernels())
        self.register_buffer("fixed_taps", _mean_taps())
        self.around_mean, self.around_filter = Mirror(_MEAN_TAPS // 2), Mirror(_SIDE // 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, 9, h, w); maps EE SS RR LE LS LR ES ER SR."""
        grey = pixels.mean(dim=1, keepdim=True)
        return self.filter(grey - self._local_mean(grey))

    def filter(self, grey: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, 9, h, w), without a local mean."""
        return functional.conv2d(self.around_filter(grey), self.fixed_kernels)

    def windows(self) -> tuple[Window, ...]:
        """The local mean and a filter."""
        return tuple(Window(size, 1, before=size // 2) for size in (_MEAN_TAPS, _SIDE))

    def _local_mean(self, grey: torch.Tensor) -> torch.Tensor:
        down = functional.conv2d(self.around_mean(grey), self.fixed_taps.view(1, 1, -1, 1))
        return functional.conv2d(down, self.fixed_taps.view(1, 1, 1, -1))
