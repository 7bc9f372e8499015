"""What a lane remembers of a stretch of its web, small and fit to be sent; knows no profile."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.message import require
from streamer.scoring.bands import BandMedians, BandReference
from streamer.scoring.rolling_brightness import DISTANCE_TYPE, ColumnLight, SegmentLight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray

COMPRESSION = 1  # most of it are equal neighbours, which the fastest level finds
SCORE_TYPE = np.dtype("<f2")  # a score is worth three digits


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The band medians of segment `number`, None if nothing could be learnt, and its scores.

    And its `light`, if brightness is judged; it has a map of distances for each score map.

    `maps` are the score maps (rows, columns) of its tiles as they were judged, float16. `packed`
    is all of it as bytes, made once: states are sent again and again.
    """

    number: int
    medians: BandMedians | None
    maps: tuple[ScoreArray, ...]
    light: SegmentLight | None = None
    packed: dict[str, torch.Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", self._pack())

    @classmethod
    def of(
        cls,
        number: int,
        medians: BandMedians | None,
        maps: Sequence[ScoreArray],
        light: SegmentLight | None = None,
    ) -> Segment:
        """With `maps` of any float type, rounded to half precision."""
        return cls(number, medians, tuple(one.astype(SCORE_TYPE) for one in maps), light)

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
        return content if self.light is None else content | _pack_light(self.light)

    @classmethod
    def unpack(cls, number: int, content: dict[str, torch.Tensor]) -> Segment:
        """The segment that `packed` stands for.

        Raises:
            KeyError: something is missing.
            ValueError: the sizes do not fit, or the bytes are damaged.
        """
        sizes = [(int(rows), int(columns)) for rows, columns in content["map_shapes"]]
        maps = _unpack_maps(content["maps"], sizes, SCORE_TYPE)
        return cls(number, _unpack_medians(content), maps, _unpack_light(content, sizes))


def _unpack_maps(
    squeezed: torch.Tensor, sizes: Sequence[tuple[int, int]], kind: np.dtype[np.floating]
) -> tuple[ScoreArray, ...]:
    flat = np.frombuffer(_expand(squeezed, 2 * sum(r * c for r, c in sizes)), kind)
    ends = np.cumsum([rows * columns for rows, columns in sizes])
    parts = np.split(flat, ends[:-1]) if sizes else []
    return tuple(part.reshape(size) for part, size in zip(parts, sizes, strict=True))


def _pack_light(light: SegmentLight) -> dict[str, torch.Tensor]:
    content = {"light_maps": _squeeze(b"".join(one.tobytes() for one in light.distances))}
    if light.columns is not None:
        content |= {
            "light": torch.from_numpy(light.columns.median),
            "light_first": torch.tensor(light.columns.first_column),
            "light_noise": torch.tensor(light.columns.noise, dtype=torch.float64),
        }
    return content


def _unpack_light(
    content: dict[str, torch.Tensor], sizes: Sequence[tuple[int, int]]
) -> SegmentLight | None:
    if "light_maps" not in content:
        return None
    columns = None
    if "light" in content:
        first, noise = int(content["light_first"]), float(content["light_noise"])
        columns = ColumnLight(content["light"].numpy(), first, noise)
    return SegmentLight(columns, _unpack_maps(content["light_maps"], sizes, DISTANCE_TYPE))


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
