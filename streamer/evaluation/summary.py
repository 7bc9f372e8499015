"""Figures of classes to those of sets and of runs, and runs against each other; knows no map."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.class_figures import METRICS, evaluate_class
from streamer.evaluation.paired_bootstrap import Paired, draw_weights, quantile_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.evaluation.class_figures import ClassResult, Figures, Protocol
    from streamer.evaluation.judging import ScoredImage


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: so many draws of the images of each class, from this seed."""

    seed: int = 0
    resamples: int = 200

    def weights(self, set_name: str, images: Sequence[ScoredImage]) -> NDArray[np.float64]:
        """(resamples, images), the same for every run over these images."""
        generator = np.random.default_rng([self.seed, *set_name.encode()])
        return draw_weights([image.class_name for image in images], self.resamples, generator)


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time that maps of so many megapixels took; `cpu`: what the process computed meanwhile.

    On a machine with other work the time that passed says little, the computed one more.
    """

    backbone: float = 0.0
    scoring: float = 0.0
    megapixels: float = 0.0
    backbone_cpu: float = 0.0
    scoring_cpu: float = 0.0

    def plus(self, other: Seconds) -> Seconds:
        """Both together."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Seconds(*(one + more for one, more in pairs))

    @property
    def per_megapixel(self) -> dict[str, float]:
        """Seconds per megapixel by part; NaN without a pixel."""
        parts = {name: value for name, value in asdict(self).items() if name != "megapixels"}
        size = self.megapixels or float("nan")
        return {name: value / size for name, value in parts.items()}


@dataclass(frozen=True, slots=True, eq=False)
class SetResult:
    """A run on a set: its classes with defects by name, and the mean over them."""

    classes: dict[str, ClassResult]
    mean: Figures


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """A run on all sets; `seconds` by (set, class)."""

    name: str
    sets: dict[str, SetResult]
    mean: Figures
    seconds: dict[tuple[str, str], Seconds]

    @property
    def total_seconds(self) -> Seconds:
        """Of all classes."""
        total = Seconds()
        for one in self.seconds.values():
            total = total.plus(one)
        return total

    @classmethod
    def over(
        cls, name: str, sets: dict[str, SetResult], seconds: dict[tuple[str, str], Seconds]
    ) -> RunResult:
        """With the unweighted mean over the sets."""
        return cls(name, sets, mean_figures([one.mean for one in sets.values()]), seconds)


def evaluate_set(
    images: Sequence[ScoredImage], weights: NDArray[np.float64], protocols: Mapping[str, Protocol]
) -> SetResult:
    """A run on the images of a set; `weights` (resamples, images), `protocols` by class.

    Classes without a defect are no classes of their own: their images are the clean ones of each
    class that has defects. A class whose maps are masked altogether has no figures.
    """
    classes = {}
    for name, members in _pools(images):
        chosen = [images[number] for number in members]
        if any(not np.isnan(image.scores).all() for image in chosen):
            classes[name] = evaluate_class(chosen, weights[:, members], protocols[name])
    return SetResult(classes, mean_figures([one.figures for one in classes.values()]))


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """The unweighted mean of each metric over those that define it on all images."""
    means: Figures = {}
    for metric in METRICS:
        defined = [f[metric] for f in figures if metric in f and not np.isnan(f[metric][0])]
        if defined:
            means[metric] = np.mean(defined, axis=0)
    return means


def pair_figures(base: Figures, form: Figures) -> dict[str, Paired]:
    """A run against another on the same draws, by metric that both define."""
    return {
        metric: Paired(
            float(base[metric][0]),
            float(form[metric][0]),
            form[metric][1:] - base[metric][1:],
        )
        for metric in base
        if metric in form and not np.isnan(base[metric][0] + form[metric][0])
    }


def estimates(figures: Figures) -> dict[str, dict[str, float]]:
    """Value and 95 % interval by metric."""
    found = {}
    for metric, values in figures.items():
        low, high = quantile_interval(values[1:])
        found[metric] = {"value": float(values[0]), "low": low, "high": high}
    return found


def _pools(images: Sequence[ScoredImage]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    names = np.array([image.class_name for image in images])
    has_defect = np.array([image.has_defect for image in images], bool)
    defective = list(dict.fromkeys(names[has_defect]))
    clean = ~np.isin(names, defective)
    for name in defective:
        yield str(name), np.flatnonzero((names == name) | clean)
