"""Counts of scores rounded to 1/256 of themselves, which add up and fit into bytes; pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.calibration.blocks import Values

MAGIC = b"LSRC\x01\x00"
HEAD = struct.Struct("<6sII")  # magic, how many numbers, how many histograms
SIZE = struct.Struct("<I")  # how many different values
HALF = 1 << 15  # of the last place that is kept: the upper 16 of the 32 bits of a float


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """`keys` (n,) uint16 in ascending order, and how often each was seen, (n,) uint32.

    A key is the upper half of the bits of a float32 (sign, exponent, 7 places), rounded to nearest.
    """

    keys: NDArray[np.uint16]
    counts: NDArray[np.uint32]

    def __post_init__(self) -> None:
        fit = self.keys.shape == self.counts.shape
        require(fit, "counts must be as many as keys", self.counts.shape)
        rising = bool((np.diff(self.keys.astype(np.int64)) > 0).all())
        require(rising, "keys must be ascending", self.keys)

    @classmethod
    def of(cls, values: Values) -> Histogram:
        """Of finite `values` (n,)."""
        # 0.0 is added so that -0.0 and 0.0 are one value.
        bits = (values.astype("<f4") + np.float32(0)).view("<u4").astype(np.uint64)
        keys, counts = np.unique((bits + HALF) >> 16, return_counts=True)
        return cls(keys.astype(np.uint16), counts.astype(np.uint32))

    def add(self, other: Histogram) -> Histogram:
        """Both together."""
        keys, places = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        sums = np.zeros(keys.size, np.uint64)
        np.add.at(sums, places, np.concatenate([self.counts, other.counts]))
        return Histogram(keys, sums.astype(np.uint32))

    def values(self) -> Values:
        """The rounded values, each as often as it was seen, ascending."""
        rounded = (self.keys.astype("<u4") << np.uint32(16)).view("<f4").astype(np.float64)
        order = np.argsort(rounded, kind="stable")
        expanded: Values = np.repeat(rounded[order], self.counts[order])
        return expanded

    def median(self) -> float:
        """Of the rounded values; NaN if there is none."""
        values = self.values()
        return float(np.median(values)) if values.size else float("nan")


def pack_histograms(numbers: NDArray[np.int64], histograms: Sequence[Histogram]) -> bytes:
    """`numbers` (n,) and histograms, little-endian; the same content gives the same bytes."""
    parts = [HEAD.pack(MAGIC, numbers.size, len(histograms)), numbers.astype("<i8").tobytes()]
    for histogram in histograms:
        parts += [SIZE.pack(histogram.keys.size), histogram.keys.astype("<u2").tobytes()]
        parts.append(histogram.counts.astype("<u4").tobytes())
    return b"".join(parts)


def unpack_histograms(content: bytes) -> tuple[NDArray[np.int64], tuple[Histogram, ...]]:
    """What `pack_histograms` wrote.

    Raises:
        ValueError: it is something else, or damaged.
    """
    require(content[: len(MAGIC)] == MAGIC, f"state must begin with {MAGIC!r}", content[:6])
    try:
        _, number_count, histogram_count = HEAD.unpack_from(content)
        numbers = np.frombuffer(content, "<i8", number_count, HEAD.size).astype(np.int64)
        place = HEAD.size + numbers.nbytes
        histograms = []
        for _ in range(histogram_count):
            histogram, place = _read(content, place)
            histograms.append(histogram)
    except (struct.error, ValueError) as error:
        msg = f"state must be complete, got {len(content)} bytes ({error})"
        raise ValueError(msg) from None
    require(place == len(content), f"state must be {place} bytes", len(content))
    return numbers, tuple(histograms)


def _read(content: bytes, place: int) -> tuple[Histogram, int]:
    (size,) = SIZE.unpack_from(content, place)
    keys = np.frombuffer(content, "<u2", size, place + SIZE.size)
    end = place + SIZE.size + keys.nbytes
    counts = np.frombuffer(content, "<u4", size, end)
    return Histogram(keys.astype(np.uint16), counts.astype(np.uint32)), end + counts.nbytes
