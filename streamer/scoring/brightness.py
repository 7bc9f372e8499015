"""How bright each cell of the web is, and how bright is normal; knows no feature and no tile.

Features of a network see edges and threads, hardly a slow change of grey: stains and bars of
another density are found here. Light that falls off across the web is normal, since every column
of cells is compared with its own past.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from streamer.calibration import Calibration, calibrate
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.calibration import CalibrationTarget
    from streamer.message import PixelArray, ScoreArray

BOX_RADIUS = 2  # cells: a box of 5 x 5 found most stains and bars, and most is left to texture
BOX = 2 * BOX_RADIUS + 1
LEAST_NOISE = 1e-4  # of the brightness: a web without any noise
LEAST_ALARM = 0.02  # of the brightness: what lamp and camera wander on the most even web
TO_SIGMA = 1.4826  # of a median absolute deviation of normal noise


@dataclass(frozen=True, slots=True, eq=False)
class LightStrip:
    """Log brightness (rows, columns) of some web from cell column `first_column`; NaN: masked."""

    light: ScoreArray
    first_column: int

    @property
    def end_column(self) -> int:
        """One past the last column."""
        return self.first_column + int(self.light.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class BrightnessProfile:
    """What is normal: `median` (columns,) float32 log brightness from cell `first_column` of a web.

    `noise` is the robust standard deviation of the log brightness about it. `calibration` is in
    units of the noise. `box` is the side, in cells, of what was averaged.
    """

    median: torch.Tensor
    first_column: int
    noise: float
    calibration: Calibration
    box: int = BOX

    def __post_init__(self) -> None:
        shape = tuple(self.median.shape)
        require(len(shape) == 1 and shape[0] > 0, "median of brightness must be (columns,)", shape)
        finite = bool(torch.isfinite(self.median).all())
        require(finite, "median of brightness must be finite", self.median)
        require(self.noise > 0, "noise of brightness must be > 0", self.noise)
        advice = "(learn the profile again with `linescan calibrate`)"
        require(self.box == BOX, f"box of brightness must be {BOX} cells {advice}", self.box)

    @classmethod
    def of(cls, description: Mapping[str, Any], median: torch.Tensor) -> BrightnessProfile:
        """What `description` and `median` say.

        Raises:
            KeyError, TypeError: it is no description.
            ValueError: it is none of this program, or its content is damaged.
        """
        calibration = Calibration(**description["calibration"])
        return cls(median, **{**description, "calibration": calibration})

    @property
    def description(self) -> dict[str, object]:
        """Everything but the median, for JSON."""
        return {
            "first_column": self.first_column,
            "noise": self.noise,
            "calibration": asdict(self.calibration),
            "box": self.box,
        }

    @property
    def alarm_percent(self) -> float:
        """How many percent darker than normal raises an alarm."""
        return 100 * (1 - float(np.exp(-self.noise * self.calibration.alarm_level)))

    def deviation(self, light: ScoreArray, first_column: int) -> ScoreArray:
        """(rows, columns) float32 in units of the noise, >= 0; NaN where `light` is.

        `first_column` is the cell column of the web where `light` begins; beyond what was learnt
        the nearest column counts.
        """
        deviation: ScoreArray = self.distance(light, first_column) / np.float32(self.noise)
        return deviation

    def distance(self, light: ScoreArray, first_column: int) -> ScoreArray:
        """As `deviation`, in log brightness."""
        columns = np.arange(first_column, first_column + light.shape[1]) - self.first_column
        median = self.median.numpy()[columns.clip(0, self.median.numel() - 1)]
        distance: ScoreArray = np.abs(light - median)
        return distance

    def normalise(self, light: ScoreArray, first_column: int) -> ScoreArray:
        """`deviation` in units of its alarm level: 0 is typical web, 1 the alarm."""
        return self.calibration.normalise(self.deviation(light, first_column))


def log_brightness(pixels: PixelArray, stride: int) -> ScoreArray:
    """Log of the mean grey of BOX x BOX cells about each, (lines // stride, columns // stride).

    `pixels` are (lines, columns[, 3]) uint8 or uint16; a cell is `stride` x `stride` of them, grey
    the mean of the colours, 0..1 of full scale (one grey level is added, for the dark). Beyond the
    sides the cells are mirrored. Sums are of integers: a cell is the same to the bit however the
    web is cut, as long as BOX_RADIUS cells around it are there.
    """
    summed = _box_sum(_cell_sums(pixels, stride))
    colours = pixels.shape[2] if pixels.ndim == 3 else 1
    mean = summed / (colours * (stride * BOX) ** 2)
    full_scale = np.iinfo(pixels.dtype).max
    return np.log((mean + 1) / (full_scale + 1)).astype(np.float32)


def _cell_sums(pixels: PixelArray, stride: int) -> NDArray[np.int64]:
    rows, columns = (size // stride for size in pixels.shape[:2])
    web = pixels[: rows * stride, : columns * stride].reshape(rows, stride, -1)
    # Rows first: long runs of neighbours add up fast, and in half the bytes where they fit.
    narrow = np.uint16 if np.iinfo(pixels.dtype).max * stride < 1 << 16 else np.uint32
    lines = web.sum(axis=1, dtype=narrow)
    cells: NDArray[np.int64] = lines.reshape(rows, columns, -1).sum(axis=2, dtype=np.int64)
    return cells


def _box_sum(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, columns = cells.shape
    padded = np.pad(cells, BOX_RADIUS, mode="symmetric")
    down = sum(padded[shift : shift + rows] for shift in range(1, BOX))
    down = padded[:rows] + down
    across = sum(down[:, shift : shift + columns] for shift in range(1, BOX))
    total: NDArray[np.int64] = down[:, :columns] + across
    return total


def learn_brightness(
    strips: Sequence[LightStrip], target: CalibrationTarget
) -> BrightnessProfile | None:
    """What is normal in strips of mostly normal web; None: all of it is masked.

    The median of each column of cells; a column that was never seen borrows from the nearest one,
    the left on equality. Noise and alarm level come from the deviations of the same strips.
    """
    first = min((strip.first_column for strip in strips), default=0)
    median = fill_nearest(column_medians(strips, first))
    if median is None:
        return None
    residues = residues_of(strips, median, first)
    noise = noise_of(residues)
    scores = [np.abs(one / np.float32(noise)).astype(np.float32) for one in residues]
    calibration = calibrate_brightness(scores, noise, target)
    return BrightnessProfile(torch.from_numpy(median), first, noise, calibration)


def residues_of(
    strips: Sequence[LightStrip], median: NDArray[np.float32], first: int
) -> list[ScoreArray]:
    """What each of `strips` differs from `median`, which begins at cell column `first`."""
    return [
        strip.light - median[strip.first_column - first : strip.end_column - first]
        for strip in strips
    ]


def noise_of(residues: Sequence[ScoreArray]) -> float:
    """The robust standard deviation, LEAST_NOISE at least."""
    seen = np.concatenate([np.abs(one[np.isfinite(one)]) for one in residues])
    return max(float(TO_SIGMA * np.median(seen)), LEAST_NOISE)


def calibrate_brightness(
    scores: Sequence[ScoreArray], noise: float, target: CalibrationTarget
) -> Calibration:
    """From deviations in units of `noise`; the alarm is LEAST_ALARM away at least."""
    calibration = calibrate(scores, target)
    least = LEAST_ALARM / noise
    if calibration.alarm_level < least:
        calibration = replace(calibration, alarm_level=least)
    return calibration


def column_medians(strips: Sequence[LightStrip], first: int) -> NDArray[np.float32]:
    """(columns,) from cell column `first` to the last of `strips`; NaN: never seen."""
    end = max((strip.end_column for strip in strips), default=first)
    medians = np.full(end - first, np.nan, np.float32)
    for column in range(first, end):
        cells = [
            strip.light[:, column - strip.first_column]
            for strip in strips
            if strip.first_column <= column < strip.end_column
        ]
        values = np.concatenate(cells) if cells else np.zeros(0, np.float32)
        values = values[np.isfinite(values)]
        if values.size:
            medians[column - first] = np.median(values)
    return medians


def fill_nearest(medians: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """With that of the nearest column in place of NaN, the left on equality; None: all are NaN."""
    known = np.flatnonzero(np.isfinite(medians))
    return medians[_nearest(known, medians.size)] if known.size else None


def _nearest(known: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """For each place 0 .. `count` - 1 the nearest of the `known` ones, the lower on equality."""
    places = np.arange(count)
    after = np.searchsorted(known, places)
    before = known[np.maximum(after - 1, 0)]
    after = known[np.minimum(after, known.size - 1)]
    return np.where(np.abs(places - before) <= np.abs(after - places), before, after)


def brighter_or_darker(
    scores: ScoreArray, texture: Calibration, brightness: ScoreArray
) -> ScoreArray:
    """Raw texture scores (rows, columns), raised where the normalised `brightness` says more.

    Read with the levels of `texture` they are the larger of both; elsewhere they stay to the bit.
    """
    raised = texture.background + (texture.alarm_level - texture.background) * brightness
    return np.where(brightness > texture.normalise(scores), raised, scores).astype(np.float32)
