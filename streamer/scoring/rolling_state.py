"""What a rolling lane knows at a fixed sequence number, and as bytes; learns and scores nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from streamer.scoring.bands import BandReference
from streamer.scoring.profile import HEADER_SIZE, TextureProfile
from streamer.scoring.segment import Segment

FORMAT = 1
_KEY = "rolling"


@dataclass(frozen=True, slots=True)
class Change:
    """A run of tiles that look foreign: where it began and how many lines it has."""

    first_line: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RollingState:
    """A lane before tile `since`; the tiles after it and the plan give everything that follows.

    `profile` is None while the lane learns its first one. `first` is the first reference of the
    present article, which began at web line `article_line`; `step` and `drift` are how far the
    present reference is from the one before it and from `first` (mean absolute difference, as share
    of the feature range). `learnt_from` is the first tile that the lane ever learnt from.
    """

    since: int = 0
    article_line: int = 0
    learnt_from: int | None = None
    change: Change = Change()
    step: float = 0.0
    drift: float = 0.0
    profile: TextureProfile | None = None
    first: BandReference | None = None
    segments: tuple[Segment, ...] = field(default=())

    def to_bytes(self) -> bytes:
        """As safetensors; equal for equal lanes."""
        figures = {
            "format": FORMAT,
            "since": self.since,
            "article_line": self.article_line,
            "learnt_from": self.learnt_from,
            "change": asdict(self.change),
            "step": self.step,
            "drift": self.drift,
            "segments": [one.number for one in self.segments],
        }
        tensors: dict[str, torch.Tensor] = {}
        for one in self.segments:
            tensors |= {f"{one.number}/{name}": part for name, part in one.packed.items()}
        if self.profile is not None:
            tensors["profile"] = torch.frombuffer(
                bytearray(self.profile.to_bytes()), dtype=torch.uint8
            )
        if self.first is not None:
            tensors["first"] = self.first.reference.contiguous()
            tensors["first_band"] = torch.tensor(self.first.first)
        return safetensors.torch.save(tensors, metadata={_KEY: json.dumps(figures, sort_keys=True)})

    @classmethod
    def from_bytes(cls, content: bytes) -> RollingState:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: something else, of another format, or damaged.
        """
        figures = _read_figures(content)
        try:
            tensors = safetensors.torch.load(content)
            packed = tensors.get("profile")
            profile = None if packed is None else TextureProfile.from_bytes(bytes(packed.numpy()))
            return cls(
                figures["since"],
                figures["article_line"],
                figures["learnt_from"],
                Change(**figures["change"]),
                figures["step"],
                figures["drift"],
                profile,
                _first_reference(tensors),
                tuple(_unpack(number, tensors) for number in figures["segments"]),
            )
        except (KeyError, TypeError, SafetensorError) as error:
            msg = f"state of a lane must be complete, got {error!r}"
            raise ValueError(msg) from None


def _first_reference(tensors: dict[str, torch.Tensor]) -> BandReference | None:
    if "first" not in tensors:
        return None
    return BandReference(tensors["first"], int(tensors["first_band"]))


def _unpack(number: int, tensors: dict[str, torch.Tensor]) -> Segment:
    start = f"{number}/"
    own = {name.removeprefix(start): one for name, one in tensors.items() if name.startswith(start)}
    return Segment.unpack(number, own)


def _read_figures(content: bytes) -> dict[str, Any]:
    end = HEADER_SIZE + int.from_bytes(content[:HEADER_SIZE], "little")
    try:
        metadata = json.loads(content[HEADER_SIZE:end])["__metadata__"]
        figures: dict[str, Any] = json.loads(metadata[_KEY])
        given = figures["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        msg = "state of a lane must be that of a rolling profile, got something else"
        raise ValueError(msg) from None
    if given != FORMAT:
        msg = f"state of a lane must have format {FORMAT}, got {given}"
        raise ValueError(msg)
    return figures
