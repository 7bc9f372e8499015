"""The colours of the pixels themselves as features; knows no other feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.backbones.trunk import Normalisation, Trunk

if TYPE_CHECKING:
    import torch

    from streamer.backbones.receptive_field import Window


class ColourTrunk(Trunk):
    """Red, green and blue in 0..1, at full resolution (Ardelean and Weyrich, WACV 2024)."""

    channels = 3
    value_range = (0.0, 1.0)
    form = "colours"

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = Normalisation([0.0] * 3, [1.0] * 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> the same."""
        unchanged: torch.Tensor = self.normalisation(pixels)
        return unchanged

    def windows(self) -> tuple[Window, ...]:
        """None: a pixel sees itself."""
        return ()
