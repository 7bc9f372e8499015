"""Corrects lines with a gain and an offset per sample, in integers; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.paths import REFERENCE, chosen_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

GAIN_BITS = 13  # behind the point of a gain
PRODUCT_BITS = {8: 5, 16: GAIN_BITS}  # behind the point of level times gain
_LINES_AT_A_TIME = 8
LARGEST_GAIN = ((1 << 16) - 1) / (1 << GAIN_BITS)  # just below 8


@dataclass(frozen=True, slots=True)
class LightTable:
    """What `flat_field` does to each sample of a line: (samples,) each, see `of`.

    `gain` is uint16 in steps of 2 ** -13; `offset` is in steps of 2 ** -5 levels (uint16, for 8
    bits) or 2 ** -13 (uint32, for 16 bits).
    """

    bits: int
    gain: NDArray[np.uint16]
    offset: NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, gain: Reals, offset: Reals, bits: int) -> LightTable:
        """The table of corrected = level * gain - offset, both (samples,), `offset` in levels.

        Gains are rounded to their steps and held to [0, LARGEST_GAIN], offsets to what their type
        holds, which is black at any gain.

        Raises:
            ValueError: bits that no pixel has, or values that are negative or no numbers.
        """
        if bits not in PRODUCT_BITS:
            msg = f"bits must be 8 or 16, got {bits}"
            raise ValueError(msg)
        for name, values in (("gain", gain), ("offset", offset)):
            lowest = float(np.min(values, initial=0.0))
            if not lowest >= 0 or not np.isfinite(values).all():
                msg = f"{name} must be finite and >= 0, got {lowest}"
                raise ValueError(msg)
        wide = np.uint16 if bits == 8 else np.uint32
        steps = np.rint(np.asarray(offset, np.float64) * (1 << PRODUCT_BITS[bits]))
        return cls(
            bits,
            np.rint(np.minimum(gain, LARGEST_GAIN) * (1 << GAIN_BITS)).astype(np.uint16),
            np.minimum(steps, np.iinfo(wide).max).astype(wide),
        )

    def part(self, first: int, end: int) -> LightTable:
        """The table of some samples of a line, [first, end)."""
        return LightTable(self.bits, self.gain[first:end], self.offset[first:end])


def flat_field(
    raw: NDArray[np.unsignedinteger],
    table: LightTable,
    corrected: NDArray[np.unsignedinteger] | None = None,
) -> NDArray[np.unsignedinteger]:
    """Correct (lines, samples) uint8 or uint16 into `corrected`, which lies apart from `raw`.

    Both may be parts of something wider as long as the samples of a line lie side by side, and the
    `part` of a table goes with them: so pixels are corrected on a way that they have to go anyway.

    level * gain - offset, half a level added, cut to a whole one and held to the range of the type
    (flat-field correction, EMVA 1288 4.0 section 8). In integers alone, so that every instruction
    set and numpy have the same bits. Of 8 bits the product is first cut to 1/32 level; the result
    is that of real numbers rounded down at x + 0.5 from an x that is at most 0.07 levels off.

    Raises:
        ValueError: shapes or types do not fit, or the arrays overlap.
    """
    into = np.empty(raw.shape, raw.dtype) if corrected is None else corrected
    _check(raw, table, into)
    path = chosen_path()
    if path == REFERENCE:
        _reference(raw, table, into)
        return into
    from kernels import _native

    (_native.flat_bytes if table.bits == 8 else _native.flat_words)(
        raw, table.gain, table.offset, into, path
    )
    return into


def _check(
    raw: NDArray[np.unsignedinteger], table: LightTable, into: NDArray[np.unsignedinteger]
) -> None:
    wanted = np.dtype(f"u{table.bits // 8}")
    for name, lines in (("raw", raw), ("corrected", into)):
        if lines.dtype != wanted or lines.ndim != 2 or lines.shape[1:] != table.gain.shape:
            rule = f"{name} must be (lines, {len(table.gain)}) {wanted}"
            msg = f"{rule}, got {lines.shape} {lines.dtype}"
            raise ValueError(msg)
        if lines.strides[1] != wanted.itemsize and lines.shape[1] > 1 and len(lines) > 0:
            msg = f"samples of {name} must lie side by side, got strides {lines.strides}"
            raise ValueError(msg)
    if into.shape != raw.shape:
        msg = f"corrected must have the lines of raw, {len(raw)}, got {len(into)}"
        raise ValueError(msg)
    if np.may_share_memory(raw, into):
        msg = "corrected must lie apart from raw, got arrays that overlap"
        raise ValueError(msg)


def _reference(
    raw: NDArray[np.unsignedinteger], table: LightTable, into: NDArray[np.unsignedinteger]
) -> None:
    """The definition of `flat_field`, a few lines at a time so that they stay in the cache."""
    point, highest = PRODUCT_BITS[table.bits], (1 << table.bits) - 1
    gain, offset = table.gain.astype(np.uint32), table.offset.astype(np.uint32)
    for first in range(0, len(raw), _LINES_AT_A_TIME):
        lines = slice(first, first + _LINES_AT_A_TIME)
        product = raw[lines].astype(np.uint32) * gain
        product >>= np.uint32(GAIN_BITS - point)
        product += np.uint32(1 << point - 1)
        np.maximum(product, offset, out=product)
        product -= offset
        product >>= np.uint32(point)
        into[lines] = np.minimum(product, np.uint32(highest), out=product)
