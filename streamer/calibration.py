"""The alarm level from scores of normal web and a target rate; pure; knows no score and no file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.message import ScoreArray
    from streamer.web import WebGeometry

    Blocks = NDArray[np.float64]

TAIL_SHARE = 0.2  # share of the block maxima that the tail is fitted to
TAIL_BLOCKS = 30  # a larger share, up to one half, where that would be fewer blocks
FEW_BLOCKS = 60  # below it single cells must do
CLIP_ROUNDS = 6
CLIP_CHANCE = 1.0  # a block is cut off where fewer normal ones than this are expected beyond it
SMALLEST_MARGIN = 1e-3  # least distance of alarm level and background, as share of the background


@dataclass(frozen=True, slots=True)
class CalibrationTarget:
    """How often normal web may raise an alarm.

    `stride` is pixels per score cell, `block` the correlation length of the score in cells (the
    patch size), `false_alarms_per_100m` counts alarms over the whole width of `geometry`.
    """

    geometry: WebGeometry
    stride: int
    block: int
    false_alarms_per_100m: float

    def __post_init__(self) -> None:
        require(self.stride > 0, "stride must be > 0", self.stride)
        require(self.block > 0, "block must be > 0", self.block)
        rate = self.false_alarms_per_100m
        require(rate > 0, "false_alarms_per_100m must be > 0", rate)

    @property
    def blocks_per_100m(self) -> float:
        """Independent blocks of score in 100 m of web."""
        rows = self.geometry.lines(100.0) / self.stride
        return max(rows * -(-self.geometry.columns // self.stride) / self.block**2, 1.0)

    @property
    def chance(self) -> float:
        """Probability that the maximum of one normal block exceeds the alarm level."""
        return min(self.false_alarms_per_100m / self.blocks_per_100m, 0.5)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What typical texture scores and where the alarm starts, in raw scores.

    `blocks` is the number of blocks that the level rests on: 0 says that it rests on nothing
    (every cell was masked) or was set by hand.
    """

    background: float
    alarm_level: float
    blocks: int
    false_alarms_per_100m: float

    def __post_init__(self) -> None:
        given = (self.background, self.alarm_level)
        require(bool(np.isfinite(given).all()), "background and alarm_level must be finite", given)
        require(self.alarm_level > self.background, "alarm_level must be > background", given)

    def normalise(self, scores: ScoreArray) -> ScoreArray:
        """Raw scores to units of the alarm level: 0 is typical texture, 1 the alarm."""
        span = self.alarm_level - self.background
        return ((scores - self.background) / span).astype(np.float32)

    def with_alarm_level(self, alarm_level: float) -> Calibration:
        """The same background with a level set by hand (raw score)."""
        return replace(self, alarm_level=alarm_level, blocks=0)


def calibrate(maps: Sequence[ScoreArray], target: CalibrationTarget) -> Calibration:
    """Fit the alarm level to score maps (rows, columns) of mostly normal web; NaN is ignored.

    The scores are cut into blocks of the size of their correlation length. The maxima of the
    blocks have, above their 80 % quantile u, an exponential tail P(m > x) = 0.2 exp(-(x - u) / b);
    b is the mean excess over u (the maximum-likelihood estimate), widened by one standard error,
    b / sqrt(tail blocks). The level is where the tail reaches the target's chance per block. On
    tails lighter than exponential the level errs to the side of fewer alarms.

    Defects in the web that is learnt from would stretch b. Blocks are therefore cut off first: a
    tail through the 50 % and 80 % quantiles, which a tenth of foreign blocks moves by half, says
    beyond which level no normal block is expected; again, until nothing more is cut. From 600
    exponential maxima with 0, 5 or 10 % of defects the level was 1.02 to 1.04 times the true one
    in the median (normal maxima: 1.6, 2.0 and 2.5 times: defects between the true tail and the
    exponential one stay in).

    Fewer than 150 blocks use a larger share of them, at most the upper half. Fewer than 60 could
    not outvote one defect (it touches many blocks of a small image): the tail then runs through the
    50 % and 80 % quantiles of the single cells, an excursion being taken as `block` cells large.
    That level is wide: on clean crops of 40 x 32 cells of three real fabrics the largest score
    lay at 0.3 of the way to it in the median, and at 0.4 to 0.6 in one crop of ten.
    """
    cells = [np.asarray(scores, np.float64) for scores in maps]
    finite = np.concatenate([np.zeros(0), *(c[np.isfinite(c)] for c in cells)])
    if finite.size == 0:
        return Calibration(0.0, 1.0, 0, target.false_alarms_per_100m)
    background = float(np.median(finite))
    maxima = np.concatenate([_block_maxima(c, target.block) for c in cells])
    few = maxima.size < FEW_BLOCKS
    level = _cell_level(finite, target) if few else _tail_level(maxima, target.chance)
    margin = max(SMALLEST_MARGIN * abs(background), 1e-6)
    alarm_level = max(level, background) + margin
    return Calibration(background, alarm_level, maxima.size, target.false_alarms_per_100m)


def _block_maxima(scores: Blocks, block: int) -> Blocks:
    """Maxima of the blocks; those with less than half of their cells only if there is no other."""
    rows, columns = (-(-size // block) * block for size in scores.shape)
    padded = np.full((rows, columns), np.nan)
    padded[: scores.shape[0], : scores.shape[1]] = scores
    split = padded.reshape(rows // block, block, columns // block, block)
    cells = split.transpose(0, 2, 1, 3).reshape(-1, block * block)
    counts = np.isfinite(cells).sum(axis=1)
    least = block * block / 2 if (counts >= block * block / 2).any() else 1
    kept: Blocks = np.nanmax(cells[counts >= least], axis=1) if counts.any() else np.zeros(0)
    return kept


def _cell_level(cells: Blocks, target: CalibrationTarget) -> float:
    middle, decay = _robust_tail(cells)
    return middle + decay * float(np.log(0.5 * target.block / target.chance))


def _tail_level(maxima: Blocks, chance: float) -> float:
    kept = _without_defects(maxima)
    share = min(0.5, max(TAIL_SHARE, TAIL_BLOCKS / kept.size))
    start = float(np.quantile(kept, 1 - share))
    excess = kept[kept > start] - start
    if excess.size == 0:
        return start
    decay = float(excess.mean()) * (1 + 1 / float(np.sqrt(excess.size)))
    return start + decay * max(float(np.log(share / chance)), 0.0)


def _robust_tail(values: Blocks) -> tuple[float, float]:
    """Median and decay of the exponential tail through the 50 % and 80 % quantiles."""
    middle, upper = (float(quantile) for quantile in np.quantile(values, [0.5, 0.8]))
    return middle, (upper - middle) / float(np.log(0.5 / 0.2))


def _without_defects(maxima: Blocks) -> Blocks:
    kept = maxima
    for _ in range(CLIP_ROUNDS):
        middle, decay = _robust_tail(kept)
        limit = middle + decay * np.log(0.5 * maxima.size / CLIP_CHANCE)
        below = kept[kept <= limit] if decay > 0 else kept
        if below.size == kept.size:
            break
        kept = below
    return kept
