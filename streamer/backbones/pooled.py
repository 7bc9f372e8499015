"""Any trunk of full resolution, averaged onto a coarser grid; knows no particular trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import Trunk

if TYPE_CHECKING:
    import torch


class PooledTrunk(Trunk):
    """Means of the features over the cells of the coarser grid, `cell` x `cell` features each.

    Means of their magnitudes (texture energy: Laws, Textured Image Segmentation, 1980) found less:
    a patch statistic tells distributions apart, and the magnitude takes the sign away from it.
    """

    def __init__(self, inner: Trunk, cell: int) -> None:
        super().__init__()
        self.inner, self.cell = inner, cell
        self.channels, self.normalisation = inner.channels, inner.normalisation
        self.value_range = inner.value_range  # a mean stays in the range of what it is taken from
        self.form = f"{inner.form} mean over {cell}"

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, channels, h/cell, w/cell)."""
        return functional.avg_pool2d(self.inner(pixels), self.cell)

    def windows(self) -> tuple[Window, ...]:
        """Those of the inner trunk, and the cell."""
        return (*self.inner.windows(), Window(self.cell, self.cell, before=0))

    def published_name(self, key: str) -> str:
        """As the inner trunk's."""
        return self.inner.published_name(key.removeprefix("inner."))
