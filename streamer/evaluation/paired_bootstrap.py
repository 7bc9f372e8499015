"""Differences between two methods on the same images, with intervals; knows no metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """A figure of the base and of a form; `resampled` are differences on redrawn images."""

    base: float
    form: float
    resampled: NDArray[np.float64]

    @property
    def difference(self) -> float:
        """Form less base."""
        return self.form - self.base

    @property
    def interval(self) -> tuple[float, float]:
        """95 % percentile interval of the difference; NaN where no redrawn figure is defined."""
        return quantile_interval(self.resampled)

    def as_dict(self) -> dict[str, float]:
        """All figures by name."""
        low, high = self.interval
        difference = self.difference
        return {"base": self.base, "form": self.form, "difference": difference, "low": low,
                "high": high}  # fmt: skip


def quantile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """95 % percentile interval of figures on redrawn images; NaN where none is defined."""
    defined = resampled[~np.isnan(resampled)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, QUANTILES)
    return float(low), float(high)


def draw_weights(
    classes: Sequence[str], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """How often each image is drawn, (resamples, images): with replacement within its class."""
    weights = np.zeros((resamples, len(classes)))
    names = np.array(classes)
    for name in dict.fromkeys(classes):
        members = np.flatnonzero(names == name)
        shares = np.full(members.size, 1 / members.size)
        weights[:, members] = generator.multinomial(members.size, shares, size=resamples)
    return weights


def pair_means(
    base: NDArray[np.float64], form: NDArray[np.float64], weights: NDArray[np.float64]
) -> Paired:
    """Means over images (images,), NaN where a figure is undefined, on the weights of each draw."""
    defined = ~np.isnan(base) & ~np.isnan(form)
    if not defined.any():
        return Paired(float("nan"), float("nan"), np.full(len(weights), np.nan))
    differences = (form - base)[defined]
    drawn = weights[:, defined]
    counts = drawn.sum(axis=1)
    sums = drawn @ differences
    resampled = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return Paired(float(base[defined].mean()), float(form[defined].mean()), resampled)


def average(pairs: Sequence[Paired]) -> Paired:
    """The unweighted mean over classes or sets, drawn independently; undefined ones left out.

    Raises:
        ValueError: no figure is defined.
    """
    defined = [pair for pair in pairs if not np.isnan(pair.base)]
    if not defined:
        msg = f"pairs must hold a defined figure, got {len(pairs)} undefined"
        raise ValueError(msg)
    resampled = np.mean([pair.resampled for pair in defined], axis=0)
    return Paired(
        float(np.mean([pair.base for pair in defined])),
        float(np.mean([pair.form for pair in defined])),
        resampled,
    )
