"""Any trunk of full resolution, averaged onto a coarser grid; knows no particular trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import Trunk

if TYPE_CHECKING:
    import torch

    from streamer.backbones.pooling import Pooling


class PooledTrunk(Trunk):
    """Means of the features, or of their magnitudes, over the cells of the coarser grid."""

    def __init__(self, inner: Trunk, pooling: Pooling) -> None:
        super().__init__()
        self.inner, self.pooling = inner, pooling
        self.channels, self.normalisation = inner.channels, inner.normalisation
        kind = "magnitude" if pooling.of_magnitude else "mean"
        self.form = f"{inner.form} {kind} over {pooling.size}"
        # A mean stays in the range of what it is taken from.
        low = -1.0 if inner.value_range is None else inner.value_range[0]
        self.value_range = inner.value_range if low >= 0 or not pooling.of_magnitude else None

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, channels, h/size, w/size)."""
        features = self.inner(pixels)
        if self.pooling.of_magnitude:
            features = features.abs()
        return functional.avg_pool2d(features, self.pooling.size)

    def windows(self) -> tuple[Window, ...]:
        """Those of the inner trunk, and the cell."""
        size = self.pooling.size
        return (*self.inner.windows(), Window(size, size, before=0))

    def published_name(self, key: str) -> str:
        """As the inner trunk's."""
        return self.inner.published_name(key.removeprefix("inner."))
