"""How the tail of block maxima goes on beyond what was seen; pure; knows no map and no rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from streamer.message import require

if TYPE_CHECKING:
    from streamer.calibration.blocks import Values

TailKind: TypeAlias = Literal["exponential", "gpd"]

TAIL_SHARES: dict[str, float] = {"exponential": 0.1, "gpd": 0.2}  # of the maxima, in the tail
TAIL_BLOCKS = 30  # a larger share, up to one half, where that would be fewer blocks
STEEPEST, HEAVIEST = -0.5, 0.5  # shapes beyond are noise of a small sample
STRAIGHT = 1e-6  # a shape so small is none


@dataclass(frozen=True, slots=True)
class TailFit:
    """P(m > x) = share * (1 + shape * (x - start) / scale) ** (-1 / shape) for x >= start.

    Shape 0 is its limit, share * exp(-(x - start) / scale). `blocks` maxima lie above `start`.
    """

    start: float
    scale: float
    shape: float
    share: float
    blocks: int

    def level(self, chance: float) -> float:
        """The score that a maximum exceeds with probability `chance`; at least `start`."""
        depth = max(float(np.log(self.share / chance)), 0.0)
        bent = np.expm1(self.shape * depth) / self.shape if abs(self.shape) > STRAIGHT else depth
        return self.start + self.scale * float(bent)

    def chance(self, level: float) -> float:
        """Probability that a maximum exceeds `level` (>= `start`)."""
        require(level >= self.start, f"level must be >= {self.start}", level)
        if self.scale == 0:
            return self.share if level == self.start else 0.0
        depth = (level - self.start) / self.scale
        if abs(self.shape) <= STRAIGHT:
            return self.share * float(np.exp(-depth))
        return self.share * float(max(1 + self.shape * depth, 0.0) ** (-1 / self.shape))


def fit_tail(maxima: Values, kind: TailKind) -> TailFit:
    """The tail of `maxima` (n,), n > 0.

    `exponential`: the mean excess over the start of the top 10 % (maximum likelihood), widened by
    one standard error: the conservative choice, since scores of real webs have lighter tails.
    `gpd`: a generalised Pareto distribution on the top 20 % by probability-weighted moments
    (Hosking and Wallis 1987, Technometrics 29, eq. 9, plotting positions (i - 0.35) / n): bold,
    since it follows a bend of the tail that few maxima show.
    """
    share = tail_share(maxima.size, kind)
    start = float(np.quantile(maxima, 1 - share))
    excess = np.sort(maxima[maxima > start] - start)
    if excess.size == 0:
        return TailFit(start, 0.0, 0.0, share, 0)
    if kind == "gpd":
        shape, scale = _weighted_moments(excess)
        return TailFit(start, scale, shape, share, excess.size)
    widened = float(excess.mean()) * (1 + 1 / float(np.sqrt(excess.size)))
    return TailFit(start, widened, 0.0, share, excess.size)


def tail_share(blocks: int, kind: TailKind) -> float:
    """Share of `blocks` maxima that the tail is fitted to."""
    return min(0.5, max(TAIL_SHARES[kind], TAIL_BLOCKS / blocks))


def _weighted_moments(excess: Values) -> tuple[float, float]:
    """Shape and scale from ascending `excess`; the shape within bounds, the mean always kept."""
    mean = float(excess.mean())
    positions = (np.arange(1, excess.size + 1) - 0.35) / excess.size
    weighted = float(((1 - positions) * excess).mean())
    gap = mean - 2 * weighted
    shape = 2 - mean / gap if gap > 0 else STEEPEST
    shape = float(np.clip(shape, STEEPEST, HEAVIEST))
    return shape, mean * (1 - shape)
