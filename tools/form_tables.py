"""The comparison of the forms as tables in Markdown; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from streamer.evaluation.paired_bootstrap import average

if TYPE_CHECKING:
    from collections.abc import Sequence

    from form_evaluation import FormResult

    from streamer.evaluation.paired_bootstrap import Paired

TITLES = {"auroc": "AUROC", "ap": "AP", "f1": "max F1", "pro": "PRO(0.3)"}
DECIDED = (
    *("rank correlation", "lowest", "regions hit", "hit by the base", "regions"),
    *("decided alike", "false area", "false area of the base", "CPU s per Mpix"),
)
Results = Mapping[str, Mapping[str, "FormResult"]]  # by set, then by form


def tables(results: Results) -> str:
    """The published form first, in full; of the others the differences with their intervals."""
    forms = list(next(iter(results.values())))
    return "\n\n".join(
        [
            _section("Per image, mean of the sets", _metric_rows(results, forms, "per_image")),
            _section(
                "Pooled over a class, mean of the sets", _metric_rows(results, forms, "pooled")
            ),
            _section("Maps and decisions, over all sets", _decided_rows(results, forms)),
            _section("AUROC per image", _set_rows(results, forms, "auroc")),
            _section("PRO(0.3) per image", _set_rows(results, forms, "pro")),
        ]
    )


def _metric_rows(results: Results, forms: Sequence[str], kind: str) -> list[list[str]]:
    rows = [["form", *TITLES.values()]]
    for form in forms:
        of_sets = [getattr(by_form[form], kind) for by_form in results.values()]
        pairs = [[one[metric] for one in of_sets if metric in one] for metric in TITLES]
        rows.append([form, *(_cell(average(some)) if some else "-" for some in pairs)])
    return rows


def _set_rows(results: Results, forms: Sequence[str], metric: str) -> list[list[str]]:
    names = [name for name in results if metric in results[name][forms[0]].per_image]
    rows = [["form", *names]]
    for form in forms:
        rows.append([form, *(_cell(results[name][form].per_image[metric]) for name in names)])
    return rows


def _cell(pair: Paired) -> str:
    """The figure of the base itself, of others the difference and its 95 % interval."""
    if not np.nan_to_num(pair.resampled).any():
        return f"{pair.form:.4f}"
    low, high = pair.interval
    return f"{pair.difference:+.4f} ({low:+.4f} to {high:+.4f})"


def _decided_rows(results: Results, forms: Sequence[str]) -> list[list[str]]:
    rows = [["form", *DECIDED]]
    for form in forms:
        rows.append([form, *_decided([by_form[form] for by_form in results.values()])])
    return rows


def _decided(results: Sequence[FormResult]) -> list[str]:
    """Sums over the sets of what is counted, means of what is measured."""
    decisions = [result.decisions for result in results]
    regions = sum(d.regions for d in decisions)
    alike = sum(d.agreeing for d in decisions) / max(regions, 1)
    return [
        f"{fmean(r.correlation for r in results):.4f}",
        f"{min(r.lowest_correlation for r in results):.3f}",
        str(sum(d.hits for d in decisions)),
        str(sum(d.base_hits for d in decisions)),
        str(regions),
        f"{100 * alike:.1f} %",
        f"{100 * fmean(d.area for d in decisions):.2f} %",
        f"{100 * fmean(d.base_area for d in decisions):.2f} %",
        f"{fmean(r.seconds_per_mpix for r in results):.3f}",
    ]


def _section(title: str, rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]
    return "\n".join([f"### {title}", "", *lines])
