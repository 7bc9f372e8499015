"""A calibration that goes along with the web, in bounded memory; pure; knows no profile.

The last metres of one lane as histograms of cells and block maxima, per stretch of web. Stretches
are counted from the first line of the roll, so that how the web is cut into tiles does not matter
as long as the rows of blocks are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.calibration.blocks import block_maxima, finite
from streamer.calibration.drift import at_level, running_levels
from streamer.calibration.histogram import Histogram, pack_histograms, unpack_histograms
from streamer.calibration.level import Calibration, Sample, calibrate_sample
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.calibration.blocks import Values
    from streamer.calibration.target import CalibrationTarget
    from streamer.message import ScoreArray

STRETCHES = 20  # of the window: forgetting goes by one of them at a time
LEVEL_STRETCHES = 3  # that the running level is the median of


@dataclass(frozen=True, slots=True)
class RunningWindow:
    """How far back one lane remembers: `rows` of score cells, in blocks of `block` rows."""

    rows: int
    block: int

    def __post_init__(self) -> None:
        require(self.block > 0, "block must be > 0", self.block)
        least = STRETCHES * self.block
        require(self.rows >= least, f"rows must be >= {least} (20 rows of blocks)", self.rows)

    @classmethod
    def of(cls, metres: float, target: CalibrationTarget) -> RunningWindow:
        """The last `metres`, at least 20 rows of blocks."""
        rows = target.geometry.lines(metres) // target.stride
        return cls(max(rows, STRETCHES * target.block), target.block)

    @property
    def stretch_rows(self) -> int:
        """Rows of one stretch, whole blocks."""
        return -(-self.rows // (STRETCHES * self.block)) * self.block


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was seen in one stretch: scores of cells and maxima of blocks."""

    cells: Histogram
    maxima: Histogram

    def add(self, other: Stretch) -> Stretch:
        """Both together."""
        return Stretch(self.cells.add(other.cells), self.maxima.add(other.maxima))


@dataclass(frozen=True, slots=True)
class RunningCalibration:
    """Scores of the last metres of a lane; immutable, `add` and `merge` return a new one.

    `stretches` by their number from the first line of the roll; at most 20 of them. Scores are
    rounded to 1/256 of themselves, so that a stretch needs 6 bytes per different value: 46 to 86
    KB for 100 m of simulated webs of 256 columns, and never more than 16 MB. The state depends on
    the scores and their place alone, never on their order. Do not gate what is added by the present
    alarm level: a tail without its end would lower the level again and again; defects are cut off
    when the level is made.
    """

    window: RunningWindow
    stretches: Mapping[int, Stretch] = field(default_factory=dict)

    def add(self, first_row: int, scores: ScoreArray) -> RunningCalibration:
        """With the core of a tile, (rows, columns) from `first_row` of the roll; NaN is no web.

        Stretches that lie further back than the window are forgotten, also where they come late.

        Raises:
            ValueError: `first_row` is negative.
        """
        require(first_row >= 0, "first_row must be >= 0", first_row)
        values = np.asarray(scores, np.float64)
        numbers = _block_numbers(first_row, values.shape[0], self.window)
        firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
        parts = np.split(values, firsts[1:])
        added = {
            int(numbers[first]): _stretch(part, self.window.block)
            for first, part in zip(firsts.tolist(), parts, strict=True)
        }
        return self._with(added)

    def merge(self, other: RunningCalibration) -> RunningCalibration:
        """What both have seen, in any order: of the same lane, or of lanes that share a level.

        Raises:
            ValueError: their windows differ.
        """
        require(self.window == other.window, f"window must be {self.window}", other.window)
        return self._with(other.stretches)

    def calibration(self, target: CalibrationTarget, normalised: bool = True) -> Calibration:
        """The alarm level from what is remembered, for the newest stretch of web.

        `normalised`: scores over the running level, the median of the last three stretches' medians
        (`drift`); the level is brought back to raw scores for the level of the newest. Where the
        running level is not positive, raw scores are used throughout.
        """
        order = sorted(self.stretches)
        levels = running_levels(
            np.array([self.stretches[n].cells.median() for n in order]), LEVEL_STRETCHES
        )
        usable = normalised and bool((levels > 0).all()) and bool(order)
        scales = levels if usable else np.ones(len(order))
        parts = [self.stretches[number] for number in order]
        sample = Sample(
            _joined([part.cells for part in parts], scales),
            tuple(p.maxima.values() / s for p, s in zip(parts, scales.tolist(), strict=True)),
        )
        made = calibrate_sample(sample, target)
        return at_level(made, float(levels[-1])) if usable and made.blocks else made

    def to_bytes(self) -> bytes:
        """The state; the same state gives the same bytes."""
        order = sorted(self.stretches)
        numbers = np.array([self.window.rows, self.window.block, *order], "<i8")
        parts = [self.stretches[number] for number in order]
        return pack_histograms(numbers, [h for part in parts for h in (part.cells, part.maxima)])

    @classmethod
    def from_bytes(cls, content: bytes) -> RunningCalibration:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is something else, or damaged.
        """
        numbers, histograms = unpack_histograms(content)
        require(
            len(histograms) == 2 * (numbers.size - 2),
            "state must hold two histograms per stretch",
            (len(histograms), numbers.size),
        )
        window = RunningWindow(int(numbers[0]), int(numbers[1]))
        pairs = zip(numbers[2:].tolist(), histograms[::2], histograms[1::2], strict=True)
        return cls(window, {number: Stretch(cells, maxima) for number, cells, maxima in pairs})

    def _with(self, added: Mapping[int, Stretch]) -> RunningCalibration:
        together = dict(self.stretches)
        for number, stretch in added.items():
            known = together.get(number)
            together[number] = stretch if known is None else known.add(stretch)
        oldest = max(together, default=0) - STRETCHES
        return replace(self, stretches={n: s for n, s in together.items() if n > oldest})


def _block_numbers(first_row: int, rows: int, window: RunningWindow) -> NDArray[np.int64]:
    """The stretch of each row: that of its block's first row; blocks start with the tile."""
    within = np.arange(rows, dtype=np.int64) // window.block * window.block
    numbers: NDArray[np.int64] = (first_row + within) // window.stretch_rows
    return numbers


def _stretch(scores: Values, block: int) -> Stretch:
    maxima = finite(block_maxima(scores, block)) if scores.size else np.zeros(0)
    return Stretch(Histogram.of(finite(scores)), Histogram.of(maxima))


def _joined(parts: Sequence[Histogram], scales: Values) -> Values:
    values = [p.values() / s for p, s in zip(parts, scales.tolist(), strict=True)]
    return np.concatenate([np.zeros(0), *values])
