"""A backbone that sees the web in coarser pixels; knows no engine and no layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamer.backbones.exported import sha256

if TYPE_CHECKING:
    import torch

    from streamer.message import PixelArray
    from streamer.ports import Backbone, BackboneSpec


class ReducedBackbone:
    """Averages squares of `factor` x `factor` pixels before the backbone within.

    A quarter of the work for a factor of 2, and defects of a pixel or two fade by as much. Squares
    lie on the grid of the web, so that a cut of the web moves none.
    """

    def __init__(self, within: Backbone, factor: int) -> None:
        self._within, self._factor = within, factor
        own = within.spec
        self._spec = replace(
            own,
            name=f"{own.name}, pixels of {factor} x {factor}",
            stride=own.stride * factor,
            radius=own.radius * factor,
            digest=sha256(f"{own.digest} reduced by {factor}".encode()),
        )

    @property
    def spec(self) -> BackboneSpec:
        """That of the backbone within, in pixels of the web."""
        return self._spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """(lines, columns[, 3]) uint8 or uint16 -> float32 (channels, lines/s, columns/s).

        Raises:
            ValueError: lines or columns are no multiples of the stride, or as the backbone within.
            RuntimeError: as the backbone within.
        """
        stride = self._spec.stride
        if any(size % stride for size in pixels.shape[:2]):
            msg = f"pixels must be multiples of {stride} lines and columns, got {pixels.shape[:2]}"
            raise ValueError(msg)
        lines, columns = (size // self._factor for size in pixels.shape[:2])
        contiguous = np.ascontiguousarray(pixels)
        mean = cv2.resize(contiguous, (columns, lines), interpolation=cv2.INTER_AREA)
        return self._within.embed(np.asarray(mean, pixels.dtype))

    def close(self) -> None:
        """Close the backbone within; may be called twice."""
        self._within.close()
