"""Block maxima with a known tail, with neighbours, drift and defects; knows no calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, stats

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

# Normal maxima lie four deviations above nothing: FCA scores are never negative.
TAILS: dict[str, Any] = {
    "exponential": stats.expon(),
    "normal": stats.norm(4.0, 1.0),
    "gumbel": stats.gumbel_r(4.0, 1.0),
    "gpd -0.2": stats.genpareto(-0.2),
    "gpd +0.1": stats.genpareto(0.1),
    "gpd +0.2": stats.genpareto(0.2),
}
TILE_ROWS = 7  # of blocks: a tile of 512 lines at a stride of 8 and blocks of 9 cells
DEFECT_REACH = 3.0  # the strongest defect, in alarm levels; the weakest is one


@dataclass(frozen=True, slots=True)
class FieldCase:
    """What is drawn.

    `smoothing` (blocks) is the deviation of the Gaussian that joins neighbours, 0: independent.
    `defects` is the share of blocks that are foreign, from the true alarm level upwards. `drift` is
    the deviation of the logarithm of the level of the web, from tile to tile with a correlation of
    0.95.
    """

    tail: str
    blocks: int
    smoothing: float = 0.0
    defects: float = 0.0
    drift: float = 0.0

    def true_level(self, chance: float) -> float:
        """The score that a maximum of a web that does not drift exceeds with `chance`."""
        return float(TAILS[self.tail].isf(chance))

    def true_chance(self, level: float) -> float:
        """Probability that it exceeds `level`."""
        return float(TAILS[self.tail].sf(level))


def draw_tiles(
    case: FieldCase, columns: int, chance: float, rng: np.random.Generator
) -> list[Values]:
    """Tiles of block maxima, each (7, `columns`), in web order."""
    rows = -(-case.blocks // (columns * TILE_ROWS)) * TILE_ROWS
    maxima = TAILS[case.tail].isf(_uniform((rows, columns), case.smoothing, rng))
    tiles = np.split(maxima, rows // TILE_ROWS)
    levels = np.exp(case.drift * _slow_noise(len(tiles), rng))
    tiles = [tile * level for tile, level in zip(tiles, levels.tolist(), strict=True)]
    return [_spoil(tile, case, chance, rng) for tile in tiles]


def _uniform(shape: tuple[int, int], smoothing: float, rng: np.random.Generator) -> Values:
    """Probabilities of exceedance, uniform each, that rise together with their neighbours."""
    noise = rng.normal(size=shape)
    if smoothing:
        point = np.zeros(shape)
        point[shape[0] // 2, shape[1] // 2] = 1.0
        kernel = ndimage.gaussian_filter(point, smoothing, mode="wrap")
        smooth = ndimage.gaussian_filter(noise, smoothing, mode="wrap")
        noise = smooth / np.sqrt((kernel**2).sum())
    uniform: Values = stats.norm.sf(noise)
    return uniform


def _slow_noise(count: int, rng: np.random.Generator, memory: float = 0.95) -> Values:
    """Normal of deviation 1, each correlated with the one before."""
    values = rng.normal(size=count)
    for index in range(1, count):
        values[index] = memory * values[index - 1] + np.sqrt(1 - memory**2) * values[index]
    return values


def _spoil(tile: Values, case: FieldCase, chance: float, rng: np.random.Generator) -> Values:
    foreign = rng.random(tile.shape) < case.defects
    strength = case.true_level(chance) * rng.uniform(1.0, DEFECT_REACH, tile.shape)
    return np.where(foreign, strength, tile)
