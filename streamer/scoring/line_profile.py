"""Which contrast is normal along a web, and how much a line may differ; knows no feature or tile.

Every strip of columns is compared with its own past, so what is always there is normal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from streamer.calibration import Calibration, calibrate
from streamer.message import require
from streamer.scoring.line_contrast import CHANNELS, LINES, fixed_point, line_means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.calibration import CalibrationTarget
    from streamer.message import ScoreArray

LEAST_NOISE = 0.002  # of the brightness, in the mean of a line: a web without any noise
LEAST_LEVEL = 5.0  # noises: a web whose every line is alike
NOISE_STRIPS = 64  # the noise is taken from so many strips, evenly chosen: more say no more
_UNKNOWN = Calibration(0.0, LEAST_LEVEL, 0, 1.0)
TO_SIGMA = 1.4826  # of a median absolute deviation of normal noise


@dataclass(frozen=True, slots=True, eq=False)
class LineStrip:
    """Log contrast (CHANNELS, rows, strips) of some web and of what lies about it; NaN: masked.

    `rows` and `cells` are those to learn from, as slices of its cells. Cell 0 is cell
    `first_column` of the web. `strips` are those of a cell.
    """

    contrast: ScoreArray
    rows: slice
    cells: slice
    first_column: int
    strips: int

    @property
    def first_strip(self) -> int:
        """Of the web, that of column 0 of `contrast`."""
        return self.first_column * self.strips

    @property
    def core_place(self) -> tuple[slice, slice]:
        """Rows and strips of what to learn from."""
        columns = slice(self.cells.start * self.strips, self.cells.stop * self.strips)
        return self.rows, columns

    @property
    def core(self) -> ScoreArray:
        """What to learn from, (CHANNELS, rows, strips)."""
        return self.contrast[:, *self.core_place]

    @property
    def core_first_strip(self) -> int:
        """Of the web, that of column 0 of `core`."""
        start: int = self.cells.start
        return self.first_strip + start * self.strips


@dataclass(frozen=True, slots=True, eq=False)
class LineProfile:
    """What is normal: `median` (CHANNELS, strips) float32 from strip `first_strip` of a web.

    `noises` are the robust standard deviations, about it, of the mean along each of
    `line_contrast.LINES`, channel by channel. `calibration` is in units of the noise. A cell has
    `strips` strips. `lines` is what was summed: slope and length.
    """

    median: torch.Tensor
    first_strip: int
    strips: int
    noises: tuple[float, ...]
    calibration: Calibration
    lines: tuple[tuple[float, int], ...] = LINES

    def __post_init__(self) -> None:
        shape = tuple(self.median.shape)
        fits = len(shape) == 2 and shape[0] == CHANNELS and shape[1] > 0
        require(fits, f"median of lines must be ({CHANNELS}, strips)", shape)
        finite = bool(torch.isfinite(self.median).all())
        require(finite, "median of lines must be finite", self.median)
        require(self.strips > 0, "strips of a cell must be > 0", self.strips)
        advice = "(learn the profile again with `linescan calibrate`)"
        require(self.lines == LINES, f"lines must be {LINES} {advice}", self.lines)
        count = CHANNELS * len(LINES)
        fits = len(self.noises) == count and min(self.noises) > 0
        require(fits, f"noises of lines must be {count} numbers > 0", self.noises)

    @classmethod
    def of(cls, description: Mapping[str, Any], median: torch.Tensor) -> LineProfile:
        """What `description` and `median` say.

        Raises:
            KeyError, TypeError: it is no description.
            ValueError: it is none of this program, or its content is damaged.
        """
        restored = {
            "calibration": Calibration(**description["calibration"]),
            "noises": tuple(description["noises"]),
            "lines": tuple((slope, length) for slope, length in description["lines"]),
        }
        return cls(median, **{**description, **restored})

    @property
    def description(self) -> dict[str, object]:
        """Everything but the median, for JSON."""
        return {
            "first_strip": self.first_strip,
            "strips": self.strips,
            "noises": self.noises,
            "calibration": asdict(self.calibration),
            "lines": self.lines,
        }

    @property
    def alarm_percent(self) -> float:
        """How many percent darker than its surround the faintest line is that raises an alarm.

        One strip wide, without slope and as long as the longest of `lines`.
        """
        length = max(length for _, length in self.lines)
        noise = self.noises[self.lines.index((0.0, length))]
        return 100 * (1 - float(np.exp(-noise * self.calibration.alarm_level)))

    def deviation(self, contrast: ScoreArray, first_strip: int) -> ScoreArray:
        """(rows, cells) float32 in units of the noise, >= 0: the largest of all lines of a cell.

        `first_strip` is the strip of the web where `contrast` begins; beyond what was learnt the
        nearest strip counts. Masked strips (NaN) count as normal.
        """
        beyond = fixed_point(contrast, self.normal(contrast, first_strip))
        rows, strips = beyond.shape[1:]
        largest = np.zeros((rows, strips), np.float32)
        noises = iter(self.noises)
        for channel in beyond:
            for sums in line_means(channel, self.strips):
                np.maximum(largest, np.abs(sums) / np.float32(next(noises)), out=largest)
        cells: ScoreArray = np.maximum.reduce(
            [largest[:, strip :: self.strips] for strip in range(self.strips)]
        )
        return cells

    def normalise(self, contrast: ScoreArray, first_strip: int) -> ScoreArray:
        """`deviation` in units of its alarm level: 0 is typical web, 1 the alarm."""
        return self.calibration.normalise(self.deviation(contrast, first_strip))

    def normal(self, contrast: ScoreArray, first_strip: int) -> ScoreArray:
        """(CHANNELS, 1, strips): the median where `contrast` lies."""
        places = np.arange(first_strip, first_strip + contrast.shape[2]) - self.first_strip
        known = self.median.numpy()
        normal: ScoreArray = known[:, None, places.clip(0, known.shape[1] - 1)]
        return normal


def learn_lines(strips: Sequence[LineStrip], target: CalibrationTarget) -> LineProfile | None:
    """What is normal in strips of mostly normal web; None: all of it is masked.

    The median of each column of strips; a column that was never seen borrows from the nearest one,
    the left on equality. Noises and alarm level come from the lines through the same web.
    """
    first = min((strip.core_first_strip for strip in strips), default=0)
    median = _column_medians(strips, first)
    if median is None:
        return None
    ones = (1.0,) * CHANNELS * len(LINES)
    profile = LineProfile(torch.from_numpy(median), first, strips[0].strips, ones, _UNKNOWN)
    profile = replace(profile, noises=_noises(strips, profile))
    calibration = calibrate([_core_deviation(strip, profile) for strip in strips], target)
    if calibration.alarm_level < LEAST_LEVEL:
        calibration = replace(calibration, alarm_level=LEAST_LEVEL)
    return replace(profile, calibration=calibration)


def _noises(strips: Sequence[LineStrip], profile: LineProfile) -> tuple[float, ...]:
    """Of the means along each of LINES, channel by channel."""
    chosen = strips[:: -(-len(strips) // NOISE_STRIPS)]
    means = [_core_means(strip, profile) for strip in chosen]
    return tuple(
        max(float(TO_SIGMA * np.median(np.concatenate(of_line))), LEAST_NOISE)
        for of_line in zip(*means, strict=True)
    )


def _core_means(strip: LineStrip, profile: LineProfile) -> list[NDArray[np.float32]]:
    """Absolute, of all strips to learn from, flat; for each of LINES, channel by channel."""
    beyond = fixed_point(strip.contrast, profile.normal(strip.contrast, strip.first_strip))
    place = strip.core_place
    seen = np.isfinite(strip.core[0])
    return [
        np.abs(means[place])[seen]
        for channel in beyond
        for means in line_means(channel, strip.strips)
    ]


def _core_deviation(strip: LineStrip, profile: LineProfile) -> ScoreArray:
    """(rows, cells) to learn from; NaN: masked."""
    deviation = profile.deviation(strip.contrast, strip.first_strip)[strip.rows, strip.cells]
    masked = np.isnan(strip.core[0]).reshape(*deviation.shape, strip.strips).any(axis=2)
    return np.where(masked, np.float32(np.nan), deviation)


def _column_medians(strips: Sequence[LineStrip], first: int) -> ScoreArray | None:
    """(CHANNELS, columns) from strip `first` to the last of `strips`."""
    places: dict[int, list[ScoreArray]] = {}
    for strip in strips:
        places.setdefault(strip.core_first_strip - first, []).append(strip.core)
    end = max((place + cores[0].shape[2] for place, cores in places.items()), default=0)
    medians = np.full((CHANNELS, end), np.nan, np.float32)
    for place, cores in places.items():
        seen = np.concatenate(cores, axis=1)
        known = np.flatnonzero(np.isfinite(seen).any(axis=(0, 1)))
        medians[:, place + known] = np.nanmedian(seen[:, :, known], axis=1)
    known = np.flatnonzero(np.isfinite(medians[0]))
    return np.ascontiguousarray(medians[:, _nearest(known, end)]) if known.size else None


def _nearest(known: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """For each place 0 .. `count` - 1 the nearest of the `known` ones, the lower on equality."""
    between = (known[1:] + known[:-1]) / 2
    return known[np.searchsorted(between, np.arange(count))]
