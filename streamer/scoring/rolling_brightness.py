"""How bright the web of a lane was over its last segments; knows no texture and no tile.

Each segment leaves the medians of its columns, its noise and how far its cells were from what was
normal when they were judged. Their medians follow light that drifts; a step is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.scoring.brightness import (
    BrightnessProfile,
    LightStrip,
    calibrate_brightness,
    column_medians,
    fill_nearest,
    noise_of,
    residues_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.calibration import CalibrationTarget
    from streamer.message import ScoreArray

DISTANCE_TYPE = np.dtype("<f2")  # three digits are enough


@dataclass(frozen=True, slots=True, eq=False)
class ColumnLight:
    """`median` (columns,) float32 log brightness from cell `first_column` on; NaN: not seen.

    `noise` is the robust standard deviation of the cells about it.
    """

    median: NDArray[np.float32]
    first_column: int
    noise: float

    @property
    def end_column(self) -> int:
        """One past the last column."""
        return self.first_column + self.median.size


@dataclass(frozen=True, slots=True, eq=False)
class SegmentLight:
    """What a segment leaves: `columns`, None if nothing could be learnt, and `distances`.

    `distances` are maps (rows, columns) of its web, float16: how far the log brightness was from
    what was normal, NaN where there is no web or an alarm.
    """

    columns: ColumnLight | None
    distances: tuple[ScoreArray, ...]

    @classmethod
    def of(cls, columns: ColumnLight | None, distances: Sequence[ScoreArray]) -> SegmentLight:
        """With `distances` of any float type, rounded to half precision."""
        return cls(columns, tuple(one.astype(DISTANCE_TYPE) for one in distances))


def learn_columns(strips: Sequence[LightStrip]) -> ColumnLight | None:
    """What strips of one lane show, NaN where they may not be learnt; None: they show nothing."""
    first = min((strip.first_column for strip in strips), default=0)
    median = column_medians(strips, first)
    if not np.isfinite(median).any():
        return None
    return ColumnLight(median, first, noise_of(residues_of(strips, median, first)))


def combine_columns(
    parts: Sequence[ColumnLight], previous: BrightnessProfile | None = None
) -> ColumnLight:
    """Lower medians over `parts`, one or more, column by column, and of their noise.

    A column that none of them saw keeps what `previous` knows, or borrows from the nearest one.
    """
    held = [*parts] if previous is None else [*parts, _columns_of(previous)]
    first, end = min(one.first_column for one in held), max(one.end_column for one in held)
    stacked = np.stack([_within(one, first, end) for one in parts])
    median = _lower_median(stacked)
    if previous is not None:
        median = np.where(np.isnan(median), _within(held[-1], first, end), median)
    filled = fill_nearest(median)
    noise = float(_lower_median(np.array([[one.noise] for one in parts]))[0])
    return ColumnLight(median if filled is None else filled, first, noise)


def brightness_profile(
    columns: ColumnLight,
    distances: Sequence[ScoreArray],
    previous: BrightnessProfile | None,
    target: CalibrationTarget,
) -> BrightnessProfile:
    """What is normal, calibrated on `distances`; on none of them as `previous` was."""
    noise = columns.noise
    scores = [one.astype(np.float32) / np.float32(noise) for one in distances]
    calibration = calibrate_brightness(scores, noise, target)
    if previous is not None and not any(np.isfinite(one).any() for one in scores):
        # A level of nothing would never alarm.
        noise, calibration = previous.noise, previous.calibration
    return BrightnessProfile(
        torch.from_numpy(columns.median), columns.first_column, noise, calibration
    )


def _columns_of(profile: BrightnessProfile) -> ColumnLight:
    return ColumnLight(profile.median.numpy(), profile.first_column, profile.noise)


def _within(one: ColumnLight, first: int, end: int) -> NDArray[np.float32]:
    around = (one.first_column - first, end - one.end_column)
    return np.pad(one.median, around, constant_values=np.nan)


def _lower_median(stacked: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, columns) to (columns,), of those that are not NaN; NaN where all are."""
    ordered = np.sort(stacked, axis=0)  # NaN last
    known = np.isfinite(stacked).sum(axis=0)
    middle = np.maximum(known - 1, 0) // 2
    median: NDArray[np.float32] = np.take_along_axis(ordered, middle[None], axis=0)[0]
    return median
