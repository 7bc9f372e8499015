"""Receptive fields from the windows of layers; knows no network and no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Window:
    """What one output position of a layer sees along an axis.

    Output i sees the inputs stride * i - before to stride * i + size - 1 - before.
    """

    size: int
    stride: int
    before: int

    @property
    def after(self) -> int:
        """Inputs seen past stride * i."""
        return self.size - 1 - self.before


def same_window(size: int, stride: int) -> Window:
    """TensorFlow's SAME padding for axes that are a multiple of the stride.

    The odd pixel of padding goes to the end, so the window of a strided layer is not centred.
    """
    return Window(size, stride, before=(size - stride) // 2)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Feature i sees the pixels stride * i - before to stride * i + after."""

    stride: int
    before: int
    after: int

    @property
    def radius(self) -> int:
        """How many pixels a feature sees beyond its own cell of stride pixels, on either side."""
        return max(self.before, self.after - (self.stride - 1), 0)


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """Receptive field of layers that follow each other, first layer first."""
    stride, before, after = 1, 0, 0
    for window in windows:
        before += stride * window.before
        after += stride * window.after
        stride *= window.stride
    return ReceptiveField(stride, before, after)
