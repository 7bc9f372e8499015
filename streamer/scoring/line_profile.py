"""Which contrast is normal along a web, and how much a line may differ; knows no feature or tile.

Every strip of columns is compared with its own past, so what is always there is normal. Lines
along the web and across it share one alarm level.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from streamer.calibration import Calibration, calibrate
from streamer.message import require
from streamer.scoring.line_contrast import CHANNELS, LINES, fixed_point
from streamer.scoring.line_spread import (
    LineSpread,
    channel_means,
    largest_distance,
    learn_spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.calibration import CalibrationTarget
    from streamer.message import ScoreArray
    from streamer.scoring.line_contrast import Fixed

LEAST_LEVEL = 5.0  # noises: a web whose every line is alike
NOISE_STRIPS = 64  # the noise is taken from so many strips, evenly chosen: more say no more
_UNKNOWN = Calibration(0.0, LEAST_LEVEL, 0, 1.0)
_UNSPREAD = (LineSpread((1.0,) * CHANNELS),) * len(LINES)
_UNTURNED = (LineSpread((1.0,)),) * len(LINES)


@dataclass(frozen=True, slots=True, eq=False)
class LineStrip:
    """Log contrast (CHANNELS, rows, strips) of some web and of what lies about it; NaN: masked.

    `turned` is that of the same web across it, (cells, rows * strips of a cell). `rows` and `cells`
    are those to learn from, as slices of its cells. Cell 0 is cell `first_column` of the web.
    `strips` are those of a cell.
    """

    contrast: ScoreArray
    turned: ScoreArray
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
    def turned_place(self) -> tuple[slice, slice]:
        """The same of `turned`: cells, and strips down the web."""
        return self.cells, slice(self.rows.start * self.strips, self.rows.stop * self.strips)

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

    `turned` (cells,) float32 is that of lines across the web, from the cell of that strip on.
    `spreads` and `turned_spreads` say how the mean along each of `line_contrast.LINES` spreads
    about them. `calibration` is in units of these. A cell has `strips` strips. `lines` is what was
    summed: slope and length.
    """

    median: torch.Tensor
    turned: torch.Tensor
    first_strip: int
    strips: int
    spreads: tuple[LineSpread, ...]
    turned_spreads: tuple[LineSpread, ...]
    calibration: Calibration
    lines: tuple[tuple[float, int], ...] = LINES

    def __post_init__(self) -> None:
        shape = tuple(self.median.shape)
        fits = len(shape) == 2 and shape[0] == CHANNELS and shape[1] > 0
        require(fits, f"median of lines must be ({CHANNELS}, strips)", shape)
        require(self.strips > 0, "strips of a cell must be > 0", self.strips)
        cells, size = shape[1] // self.strips, tuple(self.turned.shape)
        require(size == (cells,), f"median of turned lines must be ({cells},)", size)
        for median in (self.median, self.turned):
            finite = bool(torch.isfinite(median).all())
            require(finite, "median of lines must be finite", median)
        advice = "(learn the profile again with `linescan calibrate`)"
        require(self.lines == LINES, f"lines must be {LINES} {advice}", self.lines)
        for spreads, channels in ((self.spreads, CHANNELS), (self.turned_spreads, 1)):
            known = [len(one.noises) for one in spreads]
            rule = f"spreads of lines must be {len(LINES)} of {channels} noises"
            require(known == [channels] * len(LINES), rule, known)

    @classmethod
    def of(
        cls, description: Mapping[str, Any], median: torch.Tensor, turned: torch.Tensor
    ) -> LineProfile:
        """What `description` and the medians say.

        Raises:
            KeyError, TypeError: it is no description.
            ValueError: it is none of this program, or its content is damaged.
        """
        restored = {
            "calibration": Calibration(**description["calibration"]),
            "spreads": _spreads_of(description["spreads"]),
            "turned_spreads": _spreads_of(description["turned_spreads"]),
            "lines": tuple((slope, length) for slope, length in description["lines"]),
        }
        return cls(median, turned, **{**description, **restored})

    @property
    def description(self) -> dict[str, object]:
        """Everything but the medians, for JSON."""
        return {
            "first_strip": self.first_strip,
            "strips": self.strips,
            "spreads": [asdict(one) for one in self.spreads],
            "turned_spreads": [asdict(one) for one in self.turned_spreads],
            "calibration": asdict(self.calibration),
            "lines": self.lines,
        }

    @property
    def alarm_percent(self) -> float:
        """How many percent darker than its surround the faintest line is that raises an alarm.

        One strip wide, as rough as ever, down the web without slope, as long as the longest.
        """
        length = max(length for _, length in self.lines)
        noise = self.spreads[self.lines.index((0.0, length))].grey_noise
        return 100 * (1 - float(np.exp(-noise * self.calibration.alarm_level)))

    def deviation(self, seen: LineStrip) -> ScoreArray:
        """(rows, cells) float32 in units of the spread, >= 0: the largest of all lines of a cell.

        Beyond what was learnt the nearest strip counts. Masked strips (NaN) count as normal.
        """
        along = largest_distance(self.beyond(seen), self.strips, self.spreads)
        across = largest_distance(self.turned_beyond(seen), self.strips, self.turned_spreads).T
        places = range(self.strips)
        cells: ScoreArray = np.maximum.reduce(
            [along[:, place :: self.strips] for place in places]
            + [across[place :: self.strips] for place in places]
        )
        return cells

    def normalise(self, seen: LineStrip) -> ScoreArray:
        """`deviation` in units of its alarm level: 0 is typical web, 1 the alarm."""
        return self.calibration.normalise(self.deviation(seen))

    def beyond(self, seen: LineStrip) -> Fixed:
        """(CHANNELS, rows, strips): the contrast beyond the median, for lines down the web."""
        places = np.arange(seen.contrast.shape[2]) + seen.first_strip - self.first_strip
        known = self.median.numpy()
        return fixed_point(seen.contrast, known[:, None, places.clip(0, known.shape[1] - 1)])

    def turned_beyond(self, seen: LineStrip) -> Fixed:
        """(1, cells, strips down the web): the same for lines across it."""
        places = np.arange(len(seen.turned)) + seen.first_column - self.first_strip // self.strips
        known = self.turned.numpy()
        return fixed_point(seen.turned, known[places.clip(0, len(known) - 1), None])[None]


def _spreads_of(described: Iterable[Mapping[str, Any]]) -> tuple[LineSpread, ...]:
    return tuple(LineSpread(tuple(one["noises"]), one["correlation"]) for one in described)


def learn_lines(strips: Sequence[LineStrip], target: CalibrationTarget) -> LineProfile | None:
    """What is normal in strips of mostly normal web; None: all of it is masked.

    The median of each column of strips; a column that was never seen borrows from the nearest one,
    the left on equality. Spreads and alarm level come from the lines through the same web.
    """
    first = min((strip.core_first_strip for strip in strips), default=0)
    median = _column_medians([(one.core, one.core_first_strip - first) for one in strips])
    turned = _column_medians([_turned_core(one, first) for one in strips])
    if median is None or turned is None:
        return None
    medians = torch.from_numpy(median), torch.from_numpy(turned)[0]
    count = strips[0].strips
    profile = LineProfile(*medians, first, count, _UNSPREAD, _UNTURNED, _UNKNOWN)
    spreads, turned_spreads = _learn_spreads(strips, profile)
    profile = replace(profile, spreads=spreads, turned_spreads=turned_spreads)
    calibration = calibrate([_core_deviation(strip, profile) for strip in strips], target)
    if calibration.alarm_level < LEAST_LEVEL:
        calibration = replace(calibration, alarm_level=LEAST_LEVEL)
    return replace(profile, calibration=calibration)


def _turned_core(strip: LineStrip, first: int) -> tuple[ScoreArray, int]:
    """(1, strips down the web, cells) to learn from, and the first cell from strip `first` on."""
    place = (strip.core_first_strip - first) // strip.strips
    return strip.turned[strip.turned_place].T[None], place


def _learn_spreads(
    strips: Sequence[LineStrip], profile: LineProfile
) -> tuple[tuple[LineSpread, ...], tuple[LineSpread, ...]]:
    """Of lines down the web and across it, for each of LINES."""
    chosen = strips[:: -(-len(strips) // NOISE_STRIPS)]
    along = [_seen_means(profile.beyond(s), s.contrast[0], s.core_place, s.strips) for s in chosen]
    across = [
        _seen_means(profile.turned_beyond(s), s.turned, s.turned_place, s.strips) for s in chosen
    ]
    return _spreads(along), _spreads(across)


def _seen_means(
    beyond: Fixed, contrast: ScoreArray, place: tuple[slice, slice], strips: int
) -> list[ScoreArray]:
    """For each of LINES (channels, n): the means through all strips of `place` that are web."""
    seen = np.isfinite(contrast[place])
    return [np.stack([one[place][seen] for one in m]) for m in channel_means(beyond, strips)]


def _spreads(means: Sequence[Sequence[ScoreArray]]) -> tuple[LineSpread, ...]:
    return tuple(
        learn_spread(list(np.concatenate(of_line, axis=1))) for of_line in zip(*means, strict=True)
    )


def _core_deviation(strip: LineStrip, profile: LineProfile) -> ScoreArray:
    """(rows, cells) to learn from; NaN: masked."""
    deviation = profile.deviation(strip)[strip.rows, strip.cells]
    masked = np.isnan(strip.core[0]).reshape(*deviation.shape, strip.strips).any(axis=2)
    return np.where(masked, np.float32(np.nan), deviation)


def _column_medians(cores: Sequence[tuple[ScoreArray, int]]) -> ScoreArray | None:
    """Of cores (channels, rows, columns), each from its place on, to (channels, columns)."""
    places: dict[int, list[ScoreArray]] = {}
    for core, place in cores:
        places.setdefault(place, []).append(core)
    end = max((place + known[0].shape[2] for place, known in places.items()), default=0)
    if end == 0:
        return None
    medians = np.full((len(cores[0][0]), end), np.nan, np.float32)
    for place, beside in places.items():
        seen = np.concatenate(beside, axis=1)
        known = np.flatnonzero(np.isfinite(seen).any(axis=(0, 1)))
        medians[:, place + known] = np.nanmedian(seen[:, :, known], axis=1)
    known = np.flatnonzero(np.isfinite(medians[0]))
    return np.ascontiguousarray(medians[:, _nearest(known, end)]) if known.size else None


def _nearest(known: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """For each place 0 .. `count` - 1 the nearest of the `known` ones, the lower on equality."""
    between = (known[1:] + known[:-1]) / 2
    return known[np.searchsorted(between, np.arange(count))]
