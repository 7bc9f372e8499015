"""The alarm level from scores of normal web and a target rate; pure; knows no score and no file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamer.calibration.blocks import block_maxima, defect_limit, finite, quantile_tail
from streamer.calibration.dependence import dependence
from streamer.calibration.interval import tail_posterior
from streamer.calibration.lanes import LaneMaxima, PoolTarget, pool_lanes
from streamer.calibration.support import Support, support_of
from streamer.calibration.tail import fit_tail
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.calibration.blocks import Values
    from streamer.calibration.interval import Interval
    from streamer.calibration.lanes import PooledLane
    from streamer.calibration.target import CalibrationTarget
    from streamer.message import ScoreArray

FEW_BLOCKS = 60  # below it single cells must do
SMALLEST_MARGIN = 1e-3  # least distance of alarm level and background, as share of the background
FROM_CELLS, BY_HAND = "cells", "none"  # what stands in for a tail of block maxima


class LaneLevel(NamedTuple):
    """Typical score and alarm level of one lane, raw scores, and the blocks seen in it."""

    lane: int
    background: float
    alarm_level: float
    blocks: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What typical texture scores and where the alarm starts, in raw scores.

    Attributes:
        blocks: blocks that the level rests on: 0 says that it rests on nothing (every cell was
            masked) or was set by hand.
        tail: exponential or gpd; cells: too few blocks for a tail; none: nothing, or by hand.
        cut_off: blocks that were taken for defects and not learnt from.
        metres: web of the full width that was seen; `dependence` blocks count as one.
        level_interval: alarm levels that may be the true one for the target rate (95 %).
        rate_interval: false alarms per 100 m that `alarm_level` may raise (95 %), if what was cut
            off is defects. Neither is known from fewer than 60 blocks.
        rate_if_normal: the upper end of the rate if what was cut off is normal web.
        lane_levels: levels of single lanes, where they were asked for.
    """

    background: float
    alarm_level: float
    blocks: int
    false_alarms_per_100m: float
    tail: str = BY_HAND
    cut_off: int = 0
    metres: float = 0.0
    dependence: float = 1.0
    level_interval: Interval | None = None
    rate_interval: Interval | None = None
    rate_if_normal: float | None = None
    lane_levels: tuple[LaneLevel, ...] = ()

    def __post_init__(self) -> None:
        given = (self.background, self.alarm_level)
        require(bool(np.isfinite(given).all()), "background and alarm_level must be finite", given)
        require(self.alarm_level > self.background, "alarm_level must be > background", given)
        self._restore_tuples()

    @property
    def support(self) -> Support:
        """What the metres seen say about the wanted rate."""
        return support_of(self.metres, self.false_alarms_per_100m, self.dependence)

    def normalise(self, scores: ScoreArray) -> ScoreArray:
        """Raw scores to units of the alarm level: 0 is typical texture, 1 the alarm."""
        span = self.alarm_level - self.background
        return ((scores - self.background) / span).astype(np.float32)

    def with_alarm_level(self, alarm_level: float) -> Calibration:
        """The same background with a level set by hand (raw score): what was learnt is void.

        Raises:
            ValueError: the level is not above what typical web scores.
        """
        typical = f"what typical web scores = {self.background:.3g}; null has it calibrated"
        rule = f"calibration.alarm_level must be > background ({typical})"
        require(not alarm_level <= self.background, rule, alarm_level)
        return Calibration(self.background, alarm_level, 0, self.false_alarms_per_100m)

    def for_lane(self, lane: int) -> Calibration:
        """The same with the level of `lane`, if it has one."""
        for own in self.lane_levels:
            if own.lane == lane:
                return replace(self, background=own.background, alarm_level=own.alarm_level)
        return self

    def _restore_tuples(self) -> None:
        """JSON has lists only."""
        for name in ("level_interval", "rate_interval"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        lanes = tuple(LaneLevel(*lane) for lane in self.lane_levels)
        object.__setattr__(self, "lane_levels", lanes)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Scores of mostly normal web.

    `cells` (n,) are finite; `groups` the block maxima of each map in web order, as grids (block
    rows, block columns) with NaN where there is none, or (n,) where the neighbours are not known.
    `lanes` are those of the groups, if known.
    """

    cells: Values
    groups: tuple[Values, ...]
    lanes: tuple[int, ...] = ()

    @classmethod
    def of(cls, maps: Sequence[ScoreArray], block: int, lanes: Sequence[int] = ()) -> Sample:
        """From score maps (rows, columns); NaN is ignored."""
        require(len(lanes) in (0, len(maps)), f"lanes must be {len(maps)}", len(lanes))
        scores = [np.asarray(m, np.float64) for m in maps]
        cells = np.concatenate([np.zeros(0), *(finite(s) for s in scores)])
        return cls(cells, tuple(block_maxima(s, block) for s in scores), tuple(lanes))


def calibrate(
    maps: Sequence[ScoreArray], target: CalibrationTarget, lanes: Sequence[int] = ()
) -> Calibration:
    """Fit the alarm level to score maps (rows, columns) of mostly normal web; NaN is ignored.

    The scores are cut into blocks of the size of their correlation length; a block above the level
    is one alarm (neighbours join into one, which errs on the safe side). Blocks that look like
    defects are cut off (`blocks.defect_limit`). A tail is fitted to the maxima of the others
    (`tail.fit_tail`); the level is where it reaches the target's chance per block.

    Fewer than 150 blocks (gpd) or 300 (exponential) use a larger share of them, at most the upper
    half. Fewer than 60 could not outvote one defect (it touches many blocks of a small image): the
    tail then runs through the 50 % and 80 % quantiles of the single cells, an excursion being taken
    as `block` cells large. That level is wide: on clean crops of 40 x 32 cells of three real
    fabrics the largest score lay at 0.3 of the way to it in the median, and at 0.4 to 0.6 in one
    crop of ten.

    A tail that ends hides defects just beyond its end: with 10 % of such blocks (5 %: less) the
    level was 2 to 8 times the true one. On exponential and normal maxima it was 1.0 to 1.2 times.

    `lanes` names the lane of each map: each then gets a level of its own (`lanes.pool_lanes`).
    """
    return calibrate_sample(Sample.of(maps, target.block, lanes), target)


def calibrate_sample(sample: Sample, target: CalibrationTarget) -> Calibration:
    """`calibrate` from cells and block maxima."""
    if sample.cells.size == 0:
        return Calibration(0.0, 1.0, 0, target.false_alarms_per_100m)
    background = float(np.median(sample.cells))
    maxima = np.concatenate([finite(group) for group in sample.groups])
    if maxima.size < FEW_BLOCKS:
        level = _above(background, _cell_level(sample.cells, target))
        metres = target.metres(sample.cells.size)
        rate = target.false_alarms_per_100m
        return Calibration(background, level, maxima.size, rate, FROM_CELLS, metres=metres)
    calibration = _from_tail(sample, background, maxima, target)
    return replace(calibration, lane_levels=_lane_levels(sample, calibration, target))


def _from_tail(
    sample: Sample, background: float, maxima: Values, target: CalibrationTarget
) -> Calibration:
    limit = defect_limit(maxima)
    kept = maxima[maxima <= limit]
    fit = fit_tail(kept, target.tail)
    normal = [np.where(group <= limit, group, np.nan) for group in sample.groups]
    joint = dependence(normal, fit.start)
    level = _above(background, fit.level(target.chance))
    calibration = Calibration(
        background,
        level,
        maxima.size,
        target.false_alarms_per_100m,
        target.tail,
        cut_off=maxima.size - kept.size,
        metres=target.metres(sample.cells.size),
        dependence=joint,
    )
    return _with_intervals(calibration, maxima, limit, target)


def _with_intervals(
    calibration: Calibration, maxima: Values, limit: float, target: CalibrationTarget
) -> Calibration:
    kept = maxima[maxima <= limit]
    end = limit if calibration.cut_off else float("inf")
    posterior = tail_posterior(kept, target.tail, calibration.dependence, end)
    everything = posterior
    if calibration.cut_off:
        everything = tail_posterior(maxima, target.tail, calibration.dependence)
    if posterior is None or everything is None:
        return calibration
    scale, level = target.blocks_per_100m, calibration.alarm_level
    low, high = posterior.chance_interval(level)
    return replace(
        calibration,
        level_interval=posterior.level_interval(target.chance),
        # Defects that were not cut off stretch the tail: then fewer alarms come than it says.
        rate_interval=(0.0 if calibration.cut_off else low * scale, high * scale),
        rate_if_normal=max(high, everything.chance_interval(level)[1]) * scale,
    )


def _lane_levels(
    sample: Sample, whole: Calibration, target: CalibrationTarget
) -> tuple[LaneLevel, ...]:
    """One per lane that has a block, if there are several."""
    maxima = {lane: np.zeros(0) for lane in sorted(set(sample.lanes))}
    for lane, group in zip(sample.lanes, sample.groups, strict=bool(sample.lanes)):
        maxima[lane] = np.concatenate([maxima[lane], finite(group)])
    lanes = [LaneMaxima(lane, own) for lane, own in maxima.items() if own.size]
    if len(lanes) < 2:
        return ()
    wanted = PoolTarget(target.tail, target.chance, whole.dependence)
    return tuple(_lane_level(own, whole.background) for own in pool_lanes(lanes, wanted))


def _lane_level(own: PooledLane, background: float) -> LaneLevel:
    shifted = background + own.offset
    return LaneLevel(own.lane, shifted, _above(shifted, own.level), own.blocks)


def _above(background: float, level: float) -> float:
    return max(level, background) + max(SMALLEST_MARGIN * abs(background), 1e-6)


def _cell_level(cells: Values, target: CalibrationTarget) -> float:
    middle, decay = quantile_tail(cells)
    return middle + decay * float(np.log(0.5 * target.block / target.chance))
