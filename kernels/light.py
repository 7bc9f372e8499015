"""Corrects lines with a gain and an offset per sample, in integers; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.paths import REFERENCE, chosen_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Levels = NDArray[np.unsignedinteger]

GAIN_BITS = 13  # behind the point of a gain
PRODUCT_BITS = {8: 5, 16: GAIN_BITS}  # behind the point of level times gain
SHARE_BITS = 12  # behind the point of a fill's share: 16 bits of a level and 12 fit 32
_LINES_AT_A_TIME = 8
LARGEST_GAIN = ((1 << 16) - 1) / (1 << GAIN_BITS)  # just below 8


@dataclass(frozen=True, slots=True)
class LightTable:
    """What is done to each sample of a line: (samples,) each, see `of`.

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

    def at(self, samples: NDArray[np.int64]) -> LightTable:
        """The table of single samples of a line."""
        return LightTable(self.bits, self.gain[samples], self.offset[samples])


@dataclass(frozen=True, slots=True, eq=False)
class SampleFill:
    """Samples that hold no web and the two each that stand in for it; (fills,) each.

    All count from the start of a line. `filled` rises and shares nothing with `left` and `right`
    (int64); `right_share` (uint32) is in steps of 2 ** -12, at most 1.
    """

    filled: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    right_share: NDArray[np.uint32]

    @classmethod
    def none(cls) -> SampleFill:
        """All samples hold web."""
        places = np.zeros(0, np.int64)
        return cls(places, places, places, np.zeros(0, np.uint32))

    def within(self, first: int, end: int) -> SampleFill:
        """Of what is filled in [first, end) alone."""
        here = slice(*np.searchsorted(self.filled, (first, end)))
        return SampleFill(
            self.filled[here], self.left[here], self.right[here], self.right_share[here]
        )


class LineCorrection:
    """A table and fills, made ready for lines; the kernel's path is chosen as it is made.

    Each sample is corrected as by `flat_field`. Then filled ones become
    left * (1 - share) + right * share of corrected levels, rounded to the nearest one: those two
    may lie anywhere in the line, so that a part of it has the bits of the whole.
    """

    def __init__(self, table: LightTable, fill: SampleFill | None = None) -> None:
        """Keep both, as they are now.

        Raises:
            ValueError: arrays of unequal length, fills beyond the line or from filled samples.
        """
        self._table, self._fill = table, fill or SampleFill.none()
        _require_fills(self._fill, len(table.gain))
        self._kind = np.dtype(f"u{table.bits // 8}")
        path = chosen_path()
        self._correct = self._in_numpy if path == REFERENCE else self._compiled(path)

    def __call__(self, raw: Levels, first: int, corrected: Levels) -> None:
        """Correct (lines, all samples) from sample `first` on into `corrected`.

        `corrected` is (lines, part of the samples), of the same type and apart from `raw`. Both may
        be parts of something wider as long as the samples of a line lie side by side: so pixels are
        corrected on a way that they have to go anyway.

        Raises:
            ValueError: shapes or types do not fit, or the arrays overlap.
        """
        if raw.dtype != self._kind or corrected.dtype != self._kind:
            msg = f"raw and corrected must be {self._kind}, got {raw.dtype} and {corrected.dtype}"
            raise ValueError(msg)
        self._correct(raw, first, corrected)

    def _compiled(self, path: str) -> Callable[[Levels, int, Levels], None]:
        from kernels import _native

        table, fill = self._table, self._fill
        fills = fill.filled, fill.left, fill.right, fill.right_share
        kind = _native.ByteCorrection if table.bits == 8 else _native.WordCorrection
        return kind(table.gain, table.offset, *fills, path).correct

    def _in_numpy(self, raw: Levels, first: int, corrected: Levels) -> None:
        """The definition, a few lines at a time so that they stay in the cache."""
        end = first + corrected.shape[1]
        _check(raw, first, corrected, self._table)
        fill = self._fill.within(first, end)
        sides = [(self._table.at(places), places) for places in (fill.left, fill.right)]
        for line in range(0, len(raw), _LINES_AT_A_TIME):
            lines = slice(line, line + _LINES_AT_A_TIME)
            levels, into = raw[lines], corrected[lines]
            into[:] = _corrected(levels[:, first:end], self._table.part(first, end))
            left, right = (_corrected(levels[:, places], table) for table, places in sides)
            into[:, fill.filled - first] = _mixed(left, right, fill.right_share)


def flat_field(raw: Levels, table: LightTable, corrected: Levels | None = None) -> Levels:
    """Correct (lines, samples) uint8 or uint16 into `corrected`, which lies apart from `raw`.

    level * gain - offset, half a level added, cut to a whole one and held to the range of the type
    (flat-field correction, EMVA 1288 4.0 section 8). In integers alone, so that every instruction
    set and numpy have the same bits. Of 8 bits the product is first cut to 1/32 level; the result
    is that of real numbers rounded down at x + 0.5 from an x that is at most 0.07 levels off.

    For lines that come again and again make a `LineCorrection`; it says what the arrays must be.

    Raises:
        ValueError: shapes or types do not fit, or the arrays overlap.
    """
    into = np.empty(raw.shape, raw.dtype) if corrected is None else corrected
    if raw.ndim != 2 or into.ndim != 2 or raw.shape[1] != into.shape[1]:
        msg = f"raw and corrected must be (lines, samples), got {raw.shape} and {into.shape}"
        raise ValueError(msg)
    LineCorrection(table)(raw, 0, into)
    return into


def _require_fills(fill: SampleFill, samples: int) -> None:
    places = (fill.filled, fill.left, fill.right)
    count, among = len(fill.filled), f"within 0..{samples - 1}"
    inside = all(((each >= 0) & (each < samples)).all() for each in places)
    sources = np.concatenate((fill.left, fill.right))
    for holds, rule, got in (
        (
            all(len(each) == count for each in (*places, fill.right_share)),
            "left, right and right_share must be as many as filled",
            [len(fill.left), len(fill.right), len(fill.right_share)],
        ),
        (inside, f"fills must be {among}", [each.tolist() for each in places]),
        ((np.diff(fill.filled) > 0).all(), "filled must rise", fill.filled.tolist()),
        (
            not np.isin(sources, fill.filled).any(),
            "what a sample is filled from must not be filled itself",
            sources.tolist(),
        ),
        (
            (fill.right_share <= 1 << SHARE_BITS).all(),
            f"right_share must be <= {1 << SHARE_BITS}",
            fill.right_share.tolist(),
        ),
    ):
        if not holds:
            msg = f"{rule}, got {got}"
            raise ValueError(msg)


def _check(raw: Levels, first: int, corrected: Levels, table: LightTable) -> None:
    """What the compiled kernels check too."""
    samples = len(table.gain)
    within = 0 <= first <= samples and corrected.shape[1] <= samples - first
    for holds, rule, got in (
        (raw.shape[1] == samples, "raw must have the samples of a line", raw.shape[1]),
        (len(corrected) == len(raw), "corrected must have the lines of raw", len(corrected)),
        (within, f"corrected must lie within the line's {samples} samples", first),
        (_side_by_side(raw), "samples of raw must lie side by side", raw.strides),
        (_side_by_side(corrected), "samples of corrected must lie side by side", corrected.strides),
        (not np.may_share_memory(raw, corrected), "corrected must lie apart from raw", "overlap"),
    ):
        if not holds:
            msg = f"{rule}, got {got}"
            raise ValueError(msg)


def _side_by_side(lines: Levels) -> bool:
    return lines.size == 0 or lines.shape[1] == 1 or lines.strides[1] == lines.itemsize


def _corrected(levels: Levels, table: LightTable) -> NDArray[np.uint32]:
    """Levels of the table's samples, corrected."""
    point, highest = PRODUCT_BITS[table.bits], (1 << table.bits) - 1
    product: NDArray[np.uint32] = levels.astype(np.uint32) * table.gain.astype(np.uint32)
    product >>= np.uint32(GAIN_BITS - point)
    product += np.uint32(1 << point - 1)
    offset = table.offset.astype(np.uint32)
    np.maximum(product, offset, out=product)
    product -= offset
    product >>= np.uint32(point)
    return np.minimum(product, np.uint32(highest), out=product)


def _mixed(
    left: NDArray[np.uint32], right: NDArray[np.uint32], right_share: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    mixed = left * (np.uint32(1 << SHARE_BITS) - right_share)
    mixed += right * right_share
    mixed += np.uint32(1 << SHARE_BITS - 1)
    mixed >>= np.uint32(SHARE_BITS)
    return mixed
