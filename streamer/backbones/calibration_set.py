"""What an int8 model is calibrated on; knows no quantiser."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import PixelArray


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Pixels (lines, columns[, 3]) of normal web, and where they come from."""

    name: str
    images: Sequence[PixelArray]

    def __post_init__(self) -> None:
        if not self.images:
            msg = f"calibration images must be at least one, got none from {self.name}"
            raise ValueError(msg)

    @property
    def digest(self) -> str:
        """SHA-256 over shapes, types and pixels."""
        digest = hashlib.sha256()
        for pixels in self.images:
            digest.update(f"{pixels.shape} {pixels.dtype}\n".encode())
            digest.update(np.ascontiguousarray(pixels).tobytes())
        return digest.hexdigest()
