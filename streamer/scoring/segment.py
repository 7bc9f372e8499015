"""What a lane remembers of a stretch of its web, small and fit to be sent; knows no profile."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.message import require
from streamer.scoring.bands import BandMedians, BandReference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray

COMPRESSION = 1  # most of it are equal neighbours, which the fastest level finds
SCORE_TYPE = np.dtype("<f2")  # a score is worth three digits


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The band medians of segment `number`, None if nothing could be learnt, and its scores.

    `maps` are the score maps (rows, columns) of its tiles as they were judged, float16. `packed`
    is all of it as bytes, made once: states are sent again and again.
    """

    number: int
    medians: BandMedians | None
    maps: tuple[ScoreArray, ...]
    packed: dict[str, torch.Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", self._pack())

    @classmethod
    def of(cls, number: int, medians: BandMedians | None, maps: Sequence[ScoreArray]) -> Segment:
        """With `maps` of any float type, rounded to half precision."""
        return cls(number, medians, tuple(one.astype(SCORE_TYPE) for one in maps))

    @property
    def scores(self) -> tuple[ScoreArray, ...]:
        """The maps as float32."""
        return tuple(one.astype(np.float32) for one in self.maps)

    def _pack(self) -> dict[str, torch.Tensor]:
        shapes = torch.tensor([one.shape for one in self.maps], dtype=torch.int64).view(-1, 2)
        content = {"map_shapes": shapes, "maps": _squeeze(b"".join(m.tobytes() for m in self.maps))}
        if self.medians is not None:
            reference = self.medians.known.reference
            content |= {
                "first": torch.tensor(self.medians.known.first),
                "windows": self.medians.windows,
                "shape": torch.tensor(reference.shape),
                # Ascending small steps, most of them 0.
                "steps": _squeeze(np.diff(reference.numpy(), prepend=np.uint8(0)).tobytes()),
            }
        return content

    @classmethod
    def unpack(cls, number: int, content: dict[str, torch.Tensor]) -> Segment:
        """The segment that `packed` stands for.

        Raises:
            KeyError: something is missing.
            ValueError: the sizes do not fit, or the bytes are damaged.
        """
        sizes = [(int(rows), int(columns)) for rows, columns in content["map_shapes"]]
        flat = np.frombuffer(_expand(content["maps"], 2 * sum(r * c for r, c in sizes)), SCORE_TYPE)
        ends = np.cumsum([rows * columns for rows, columns in sizes])
        parts = np.split(flat, ends[:-1]) if sizes else []
        maps = tuple(part.reshape(size) for part, size in zip(parts, sizes, strict=True))
        return cls(number, _unpack_medians(content), maps)


def _unpack_medians(content: dict[str, torch.Tensor]) -> BandMedians | None:
    if "steps" not in content:
        return None
    shape = tuple(int(size) for size in content["shape"])
    steps = np.frombuffer(_expand(content["steps"], int(np.prod(shape))), np.uint8)
    reference = np.cumsum(steps.reshape(shape), axis=-1, dtype=np.uint8)
    known = BandReference(torch.from_numpy(reference), int(content["first"]))
    return BandMedians(known, content["windows"])


def _squeeze(content: bytes) -> torch.Tensor:
    squeezed = zlib.compress(content, COMPRESSION)
    return torch.frombuffer(bytearray(squeezed), dtype=torch.uint8)


def _expand(squeezed: torch.Tensor, size: int) -> bytes:
    """The bytes behind `squeezed`, `size` of them and never more."""
    try:
        expander = zlib.decompressobj()
        content = expander.decompress(squeezed.numpy().tobytes(), max(size, 1))
    except zlib.error as error:
        msg = f"segment must be readable, got {error}"
        raise ValueError(msg) from None
    require(len(content) == size, f"segment must hold {size} bytes", len(content))
    return content
