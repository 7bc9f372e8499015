"""What a median accumulator holds as bytes and back, and whether it can be so; opens no file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from kernels import checks
from kernels.memory import MedianMemory
from kernels.strips import Strip

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
HEADER_SIZE = 8  # bytes that say how long the JSON header of safetensors is
_KEY = "median_accumulator"


@dataclass(frozen=True, slots=True, eq=False)
class SavedState:
    """`segments` (segments, *histogram_shape), segment s of the roll at s modulo their number.

    `seen` (segments, rows_per_segment) bool: the rows of windows that were seen, kept or not;
    `tail` the last lines, T - 1 at most.

    Raises:
        ValueError: what does not fit `memory` or cannot be.
    """

    memory: MedianMemory
    segments: Tensor
    seen: Tensor
    tail: Strip

    def __post_init__(self) -> None:
        memory = self.memory
        shape = (memory.segments, *memory.histogram_shape)
        _check("segments", self.segments, shape, memory.segment_type)
        rows = (memory.segments, memory.rows_per_segment)
        _check("seen", self.seen, rows, torch.bool)
        lines = self.tail.kept.shape[0]
        longest = min(memory.patch_size - 1, self.tail.end_line)
        checks.require(lines <= longest, f"tail must be of at most {longest} lines", lines)
        _check("tail", self.tail.levels, (memory.channels, lines, memory.columns), torch.uint8)
        _check("tail_kept", self.tail.kept, (lines, memory.columns), torch.bool)
        if lines:
            checks.check_levels(self.tail.levels, "tail", memory.levels_count)
        self._check_counts()

    def _check_counts(self) -> None:
        least = int(self.segments.amin())
        checks.require(least >= 0, "segments must hold counts", least)
        counted = self.segments.sum(-1, dtype=torch.int64)
        same = bool((counted == counted[:, :, :1, :1]).all())
        checks.require(same, "segments must hold every window at every level", "others")
        room = self.seen.sum(-1).view(-1, 1) * _widths(self.memory)
        fits = bool((counted[:, :, 0, 0] <= room).all())
        checks.require(fits, "segments must hold no more windows than were seen", "more")

    @classmethod
    def empty(cls, memory: MedianMemory) -> SavedState:
        """Of an accumulator that has learnt nothing."""
        seen = torch.zeros(memory.segments, memory.rows_per_segment, dtype=torch.bool)
        shape = (memory.segments, *memory.histogram_shape)
        segments = torch.zeros(shape, dtype=memory.segment_type)
        return cls(memory, segments, seen, Strip.nothing(memory))

    def digest(self) -> str:
        """Of all that is held, as hexadecimal SHA-256: equal for equal histories."""
        content = hashlib.sha256(json.dumps(self._description(), sort_keys=True).encode())
        for name, tensor in sorted(self._tensors().items()):
            content.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
            content.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        return content.hexdigest()

    def to_bytes(self) -> bytes:
        """As safetensors; the same state gives the same bytes."""
        # One metadata key only: safetensors does not fix the order of several.
        description = json.dumps({**self._description(), "digest": self.digest()}, sort_keys=True)
        return safetensors.torch.save(self._tensors(), metadata={_KEY: description})

    @classmethod
    def from_bytes(cls, content: bytes) -> SavedState:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: something else, of another format, or damaged.
        """
        description = _read_description(content)
        try:
            tensors = safetensors.torch.load(content)
            memory = MedianMemory(**description["memory"])
            end, kept = description["next_line"], tensors["tail_kept"]
            checks.require(isinstance(end, int), "next_line must be an integer", repr(end))
            tail = Strip(tensors["tail"], kept, end - kept.shape[0])
            state = cls(memory, tensors["segments"], tensors["seen"], tail)
        except (KeyError, TypeError, IndexError, SafetensorError) as error:
            msg = f"state must be complete, got {error!r}"
            raise ValueError(msg) from None
        expected = description.get("digest")
        checks.require(
            state.digest() == expected, f"state must have the digest {expected}", state.digest()
        )
        return state

    def _description(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "memory": asdict(self.memory),
            "next_line": self.tail.end_line,
        }

    def _tensors(self) -> dict[str, Tensor]:
        return {
            "segments": self.segments,
            "seen": self.seen,
            "tail": self.tail.levels,
            "tail_kept": self.tail.kept,
        }


def _check(name: str, tensor: Tensor, shape: tuple[int, ...], kind: torch.dtype) -> None:
    given = (tuple(tensor.shape), tensor.dtype)
    checks.require(given == (shape, kind), f"{name} must be {kind} of shape {shape}", given)


def _widths(memory: MedianMemory) -> Tensor:
    return torch.tensor([last - first for first, last in memory.ranges])


def _read_description(content: bytes) -> dict[str, Any]:
    """The metadata of a safetensors container, checked to be of our kind and format."""
    end = HEADER_SIZE + int.from_bytes(content[:HEADER_SIZE], "little")
    try:
        description = json.loads(json.loads(content[HEADER_SIZE:end])["__metadata__"][_KEY])
        given = description["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        msg = "state must be the bytes of a MedianAccumulator, got something else"
        raise ValueError(msg) from None
    checks.require(given == FORMAT, f"state must have format {FORMAT}", given)
    return dict(description)
