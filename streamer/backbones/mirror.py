"""Mirrored borders of any width around images of any size; knows no filter."""

from __future__ import annotations

import torch
from torch import nn


class Mirror(nn.Module):
    """Adds `width` mirrored positions on every side; the outermost one itself is not repeated.

    torch's own padding refuses a width that the image does not hold, as at the end of a roll;
    here the mirror image is mirrored again.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) -> (n, c, h + 2 width, w + 2 width)."""
        for axis in (2, 3):
            x = x.index_select(axis, self._sources(x.shape[axis], x.device))
        return x

    def _sources(self, size: int, device: torch.device) -> torch.Tensor:
        distance = torch.arange(size + 2 * self.width, device=device).sub(self.width).abs()
        # As a tensor, for the sake of the exporter; a single position mirrors onto itself.
        period = 2 * torch.arange(size, device=device)[-1:].clamp(min=1)
        distance = distance.remainder(period)
        return torch.minimum(distance, period - distance).clamp(max=size - 1)
