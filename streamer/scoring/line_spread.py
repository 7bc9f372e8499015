"""How much the means along lines spread on normal web, and how far one is out; knows no web."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import require
from streamer.scoring.line_contrast import line_means

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.line_contrast import Fixed

LEAST_NOISE = 0.002  # of the brightness, in the mean of a line: a web without any noise
TO_SIGMA = 1.4826  # of a median absolute deviation of normal noise
MOST_ALIKE = 0.95  # correlation: what is hardly known must not decide alone


@dataclass(frozen=True, slots=True)
class LineSpread:
    """Robust standard deviations of one kind of line in each channel, and their correlation.

    Threads that are brighter are rougher, too; what is brighter and smoother is a scratch, at less
    of either. One channel has no correlation: 0.
    """

    noises: tuple[float, ...]
    correlation: float = 0.0

    def __post_init__(self) -> None:
        fits = 1 <= len(self.noises) <= 2 and min(self.noises) > 0
        require(fits, "noises of a line must be one or two numbers > 0", self.noises)
        fits = abs(self.correlation) <= MOST_ALIKE
        require(fits, f"correlation of a line must be within {MOST_ALIKE}", self.correlation)

    @property
    def grey_noise(self) -> float:
        """The least noise of the grey: of what is left when the roughness is known."""
        return self.noises[0] * float(np.sqrt(1 - self.correlation**2))

    def squared_distance(self, means: Sequence[ScoreArray]) -> ScoreArray:
        """Mahalanobis, of the means of all channels, each (rows, strips), float32 >= 0."""
        grey = means[0] * np.float32(1 / self.noises[0])
        squares = np.square(grey, out=grey)
        if len(self.noises) == 1:
            return squares
        # What of the roughness the grey does not say.
        left = float(np.sqrt(1 - self.correlation**2))
        rough = means[1] * np.float32(1 / (self.noises[1] * left))
        rough -= means[0] * np.float32(self.correlation / (self.noises[0] * left))
        squares += np.square(rough, out=rough)
        return squares


def learn_spread(means: Sequence[ScoreArray]) -> LineSpread:
    """From the means of each channel on mostly normal web, all of one shape.

    The correlation is that of Gnanadesikan and Kettenring (1972, Biometrics 28, eq. 15), drawn to
    0 where LEAST_NOISE is more than the noise.
    """
    noises = tuple(max(_deviation(one), LEAST_NOISE) for one in means)
    if len(noises) == 1:
        return LineSpread(noises)
    grey, rough = (one / np.float32(noise) for one, noise in zip(means, noises, strict=True))
    alike = (_deviation(grey + rough) ** 2 - _deviation(grey - rough) ** 2) / 4
    return LineSpread(noises, float(np.clip(alike, -MOST_ALIKE, MOST_ALIKE)))


def _deviation(values: ScoreArray) -> float:
    return float(TO_SIGMA * np.median(np.abs(values)))


def channel_means(beyond: Iterable[Fixed], strips: int) -> Iterator[tuple[ScoreArray, ...]]:
    """For each of `line_contrast.LINES` the means of all channels, each (rows, strips)."""
    return zip(*(line_means(channel, strips) for channel in beyond), strict=True)


def largest_distance(beyond: Fixed, strips: int, spreads: Sequence[LineSpread]) -> ScoreArray:
    """(channels, rows, strips) to (rows, strips): the largest of all lines through each strip."""
    largest = np.zeros(beyond.shape[1:], np.float32)
    for means, spread in zip(channel_means(beyond, strips), spreads, strict=True):
        np.maximum(largest, spread.squared_distance(means), out=largest)
    return np.sqrt(largest, out=largest)
