"""Chooses levels and blur on all sets but one and measures on that one; tunes nothing itself.

    python tools/held_out.py [--data DIR] [--sets SET ...] [--levels N ...] [--blurs SIGMA ...]
        [--figures FIGURE ...] [--loss LOSS] [--work DIR] [--limit N] [--json OUT]

The presets were chosen on the very sets that their figures are told of. Here each set is left out
in turn: what is best on the mean of the others (with --loss: and loses no more than that on any of
them against the published form) is measured on it. *Optimism* is the figure of the choice that saw
the set less that of the choice that did not. Maps and figures are kept in --work.
Intervals redraw the images (95 %) and choose anew on each draw. Exit code 2: wrong use, no images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.cli.evaluate_jobs import Workshop, make_maps
from streamer.cli.evaluate_runs import Choices, MapOptions, Run, choose_runs
from streamer.cli.evaluate_store import MapStore
from streamer.cli.evaluate_truth import Exam, MapShelf, judge_runs
from streamer.evaluation.class_figures import METRICS, Protocol
from streamer.evaluation.datasets import find_classes
from streamer.evaluation.paired_bootstrap import quantile_interval
from streamer.evaluation.summary import Resampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    SetFigures = dict[str, dict[str, Values]]  # by set, then by metric: (1 + draws,)

BOX_SETS = ("fabric_minhas", "rail400")
LABELLED = ("aitex", "crackforest", "fabric_minhas", "leather_custom", "magnetic_tile",
            "mvtec_aug", "rail400", "steel_sd900")  # fmt: skip
UNCORRECTED = ("edges.mode=off", "correction.light=off", "correction.background=off")
PUBLISHED = ("scoring.method=fca", "scoring.ties=first")
BASES = {"published": (*PUBLISHED, *UNCORRECTED), "published, corrected": PUBLISHED}
FIGURES = ("auroc", "image_mean_auroc", "pro30", "image_mean_pro30", "region_hits")


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """No set may lose more than `loss` against the figures of `base`, (1 + draws,) by set."""

    base: Mapping[str, Values]
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """One set: what is chosen with and without it, and its figures (1 + draws,) under both.

    On a draw both choices are made anew, so that the figures hold what choosing may do by chance.
    """

    set_name: str
    seeing: str
    blind: str
    seeing_figures: Values
    blind_figures: Values

    @property
    def optimism(self) -> Values:
        """What having seen the set adds, (1 + draws,)."""
        return self.seeing_figures - self.blind_figures


def leave_each_out(
    figures: Mapping[str, Mapping[str, Values]], bar: Bar | None = None
) -> list[LeftOut]:
    """Figures (1 + draws,) by candidate, then by set; each set is left out once.

    The best in the mean of the sets that are seen is chosen, with a `bar` of those that pass it on
    all of these sets, if any does.

    Raises:
        ValueError: fewer than two sets.
    """
    names = list(figures)
    sets = list(next(iter(figures.values())))
    if len(sets) < 2:
        msg = f"sets must be two or more to leave one out, got {len(sets)}"
        raise ValueError(msg)
    table = np.array([[figures[name][one] for one in sets] for name in names])
    gains = np.zeros_like(table) if bar is None else table - [bar.base[one] for one in sets]
    passed = gains >= (0.0 if bar is None else -bar.loss)
    seeing = _choose(table, passed)
    draws = np.arange(table.shape[2])
    left = []
    for number, set_name in enumerate(sets):
        blind = _choose(*(np.delete(one, number, axis=1) for one in (table, passed)))
        own, chosen = table[:, number], (names[int(seeing[0])], names[int(blind[0])])
        left.append(LeftOut(set_name, *chosen, own[seeing, draws], own[blind, draws]))
    return left


def _choose(table: Values, passed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(candidates, sets, 1 + draws) to the best candidate of each draw; figures are 0..1."""
    best: NDArray[np.intp] = (table.mean(axis=1) + 2 * passed.all(axis=1)).argmax(axis=0)
    return best


def candidates(levels: Sequence[int], blurs: Sequence[float]) -> dict[str, tuple[str, ...]]:
    """Settings by name, of all pairs of levels and blur."""
    return {
        f"{count} levels, blur {blur:g}": (f"scoring.levels={count}", f"scoring.sigma_blur={blur}")
        for count in levels
        for blur in blurs
    }


def measure(name: str, settings: Sequence[str], exam: Exam, store: MapStore) -> SetFigures:
    """The figures of a run on all sets, kept beside its maps."""
    (plain,) = choose_runs(Choices(None, ("backbone.threads=1", *settings)))
    run = Run(name, plain.settings, plain.config)
    workshop = Workshop(MapOptions(), store)
    finished = make_maps(run, exam.classes, workshop, lambda _, text: None)
    file = store.folder / f"figures-{finished.digest[:32]}-{_exam_key(exam)}.npz"
    if file.is_file():
        return _load_figures(file)
    judged = judge_runs({name: MapShelf(store, finished)}, exam)
    if judged.faults:
        raise ValueError("; ".join(judged.faults))
    figures = {one: dict(result.mean) for one, result in judged.runs[0].sets.items()}
    flat = {f"{one}/{metric}": f for one, by in figures.items() for metric, f in by.items()}
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, **flat)  # type: ignore[arg-type]
    partial.replace(file)
    return figures


def _exam_key(exam: Exam) -> str:
    """What the figures depend on beside the run: images, draws."""
    images = sum(len(one.samples) for one in exam.classes)
    sets = "-".join(sorted(exam.sets()))
    return f"{sets}-{images}-{exam.resampling.resamples}-{exam.resampling.seed}"


def _load_figures(file: Path) -> SetFigures:
    found: SetFigures = {}
    with np.load(file) as stored:
        for key in stored.files:
            one, metric = key.split("/")
            found.setdefault(one, {})[metric] = stored[key]
    return found


def open_exam(options: argparse.Namespace) -> Exam:
    """The classes of the chosen sets.

    Raises:
        ValueError: a set is not there.
    """
    found = find_classes([options.data / name for name in options.sets])
    classes = tuple(one.limited(options.limit) for one in found)
    protocols = {
        (one.set_name, one.name): Protocol(boxes=one.boxes or one.set_name in BOX_SETS)
        for one in classes
    }
    return Exam(classes, protocols, Resampling(options.seed, options.resamples))


def cell(values: Values, form: str = "+.4f") -> str:
    """A figure (1 + draws,) with its 95 % interval."""
    low, high = quantile_interval(values[1:])
    return f"{values[0]:{form}} ({low:{form}} to {high:{form}})"


def table(
    figure: str, runs: Mapping[str, SetFigures], shipped: str, loss: float | None = None
) -> str:
    """Markdown: set by set the choices, what they are worth, and what the shipped one is.

    `loss`: what a set may lose against the published form; None: that decides nothing.
    """
    known = [one for one in next(iter(runs.values())) if figure in next(iter(runs.values()))[one]]
    grid = {
        name: {one: by[one][figure] for one in known}
        for name, by in runs.items()
        if name not in BASES
    }
    bases = {name: {one: runs[name][one][figure] for one in known} for name in BASES}
    bar = None if loss is None else Bar(bases["published"], loss)
    left = leave_each_out(grid, bar)
    head = ["set left out", "chosen with it", "without it", "optimism", "held-out figure",
            *(f"held-out less {name}" for name in BASES), "shipped less held-out"]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    rows += [_row(one, bases, grid[shipped]) for one in left]
    return "\n".join([f"### {figure}", "", *(f"| {' | '.join(r)} |" for r in (*rows, _mean_row(
        left, bases, grid[shipped])))])  # fmt: skip


def _row(
    one: LeftOut, bases: Mapping[str, Mapping[str, Values]], shipped: Mapping[str, Values]
) -> list[str]:
    gains = [cell(one.blind_figures - base[one.set_name]) for base in bases.values()]
    figures = cell(one.optimism), cell(one.blind_figures, ".4f"), *gains
    return [one.set_name, one.seeing, one.blind, *figures,
            cell(shipped[one.set_name] - one.blind_figures)]  # fmt: skip


def _mean_row(
    left: Sequence[LeftOut],
    bases: Mapping[str, Mapping[str, Values]],
    shipped: Mapping[str, Values],
) -> list[str]:
    blind = np.mean([one.blind_figures for one in left], axis=0)
    own = np.mean([shipped[one.set_name] for one in left], axis=0)
    gains = [
        cell(blind - np.mean([base[one.set_name] for one in left], axis=0))
        for base in bases.values()
    ]
    optimism = np.mean([one.optimism for one in left], axis=0)
    return ["mean", "", "", cell(optimism), cell(blind, ".4f"), *gains, cell(own - blind)]


def as_json(runs: Mapping[str, SetFigures]) -> dict[str, Any]:
    """Figures on all images by run, set and metric."""
    return {
        name: {
            one: {metric: float(by[metric][0]) for metric in METRICS if metric in by}
            for one, by in figures.items()
        }
        for name, figures in runs.items()
    }


def run(options: argparse.Namespace) -> int:
    """Measure all candidates, print the tables; returns the exit code."""
    grid = candidates(options.levels, options.blurs)
    shipped = f"{options.shipped[0]:g} levels, blur {options.shipped[1]:g}"
    store = MapStore(options.work)
    store.folder.mkdir(parents=True, exist_ok=True)
    try:
        if shipped not in grid:
            msg = f"--shipped must be of the grid {', '.join(grid)}, got {shipped}"
            raise ValueError(msg)
        exam = open_exam(options)
        runs = {}
        for name, settings in {**BASES, **grid}.items():
            runs[name] = measure(name, settings, exam, store)
            print(f"{name}: done", file=sys.stderr, flush=True)
        tables = [table(figure, runs, shipped, options.loss) for figure in options.figures]
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(runs), indent=1) + "\n", encoding="utf-8")
    print("\n\n".join(tables))
    return 0


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Leave each set out of the choice of settings.")
    default = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=list(LABELLED))
    parser.add_argument("--levels", nargs="+", type=int, default=[8, 12, 16])
    parser.add_argument("--blurs", nargs="+", type=float, default=[0.6, 0.8, 1.0, 1.3])
    parser.add_argument("--shipped", nargs=2, type=float, default=[12, 0.8],
                        metavar=("LEVELS", "BLUR"), help="what the product has")  # fmt: skip
    parser.add_argument("--figures", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--loss", type=float, help="what a set that is seen may lose against the "
                        "published form; without it the mean alone decides")  # fmt: skip
    parser.add_argument("--work", type=Path, default=Path("build/held_out"))
    parser.add_argument("--limit", type=int, help="images of each class, spread evenly")
    parser.add_argument("--seed", type=int, default=0, help="of the redrawn images")
    parser.add_argument("--resamples", type=int, default=200, help="draws for the intervals")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the figures of all runs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
