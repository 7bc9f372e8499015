"""Compares evaluations of `linescan evaluate --out` with the first of them, set by set.

    python tools/accuracy_table.py BASE.json OTHER.json ...

Prints Markdown: figures of the base, then for each other run its differences by set and in the
mean over the sets that both have. Exit code 2: a file cannot be read or is no evaluation.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIGURES = {
    "auroc": "AUROC",
    "ap": "AP",
    "pro30": "PRO(0.3)",
    "region_hits": "region hits",
    "image_mean_auroc": "AUROC per image",
    "image_mean_pro30": "PRO(0.3) per image",
}
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run: its name, figures by set, CPU seconds per Mpixel of features and scores."""

    name: str
    sets: Mapping[str, Mapping[str, float]]
    backbone_s: float
    scoring_s: float

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """The first run of a file of `linescan evaluate --out`.

        Raises:
            ValueError: it is none.
            OSError: it cannot be read.
        """
        try:
            run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["runs"][0]
            seconds = run["seconds_per_mpix"]
            sets = {name: _values(one["mean"]) for name, one in run["sets"].items()}
            return cls(path.stem, sets, seconds["backbone_cpu"], seconds["scoring_cpu"])
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            msg = f"{path}: file must be of `linescan evaluate --out`, got {error!r}"
            raise ValueError(msg) from None

    def mean(self, figure: str, sets: Sequence[str]) -> float:
        """Over `sets`, which all have the figure."""
        return sum(self.sets[name][figure] for name in sets) / len(sets)


def _values(figures: Mapping[str, Any]) -> dict[str, float]:
    """Those that are defined."""
    return {name: one["value"] for name, one in figures.items() if one is not None}


def shared_sets(figure: str, *runs: Evaluation) -> list[str]:
    """Sets in which all runs have `figure`, in the order of the first."""
    return [name for name in runs[0].sets if all(figure in r.sets.get(name, {}) for r in runs)]


def base_table(base: Evaluation) -> list[str]:
    """Figures of one run by set, then their mean."""
    names = list(base.sets)
    lines = [_row([base.name, *names, "mean"]), _row(["---"] * (len(names) + 2))]
    for figure, title in FIGURES.items():
        known = shared_sets(figure, base)
        if known:
            cells = [_cell(base.sets[name].get(figure), "{:.4f}") for name in names]
            lines.append(_row([title, *cells, f"{base.mean(figure, known):.4f}"]))
    return lines


def difference_table(base: Evaluation, other: Evaluation) -> list[str]:
    """Differences of one run to the base by set, then their mean and the worst."""
    names = list(base.sets)
    seconds = f"{other.name} ({other.backbone_s:.3f} + {other.scoring_s:.3f} CPU s/Mpix)"
    lines = [_row([seconds, *names, "mean", "worst"]), _row(["---"] * (len(names) + 3))]
    for figure, title in FIGURES.items():
        known = shared_sets(figure, base, other)
        if known:
            gains = {name: other.sets[name][figure] - base.sets[name][figure] for name in known}
            cells = [_cell(gains.get(name), "{:+.4f}") for name in names]
            mean, worst = sum(gains.values()) / len(gains), min(gains.values())
            lines.append(_row([title, *cells, f"{mean:+.4f}", f"{worst:+.4f}"]))
    return lines


def _cell(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, compare and print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Compare evaluations with the first of them.")
    parser.add_argument("files", nargs="+", type=Path, help="of `linescan evaluate --out`")
    try:
        base, *others = map(Evaluation.read, parser.parse_args(arguments).files)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    tables = [base_table(base), *(difference_table(base, other) for other in others)]
    print("\n\n".join("\n".join(table) for table in tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
