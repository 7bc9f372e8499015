"""What `linescan evaluate` has measured, as one document and as tables; measures nothing."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from streamer.cli.machine import package_versions, system_facts
from streamer.evaluation.datasets import Truth
from streamer.evaluation.summary import estimates, pair_figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.cli.evaluate_jobs import Finished
    from streamer.cli.evaluate_runs import MapOptions, Run
    from streamer.cli.evaluate_truth import Exam
    from streamer.evaluation.class_figures import ClassResult, Figures
    from streamer.evaluation.paired_bootstrap import Paired
    from streamer.evaluation.summary import RunResult, Seconds

FORMAT = 1
HEADS = {  # of the columns of the tables, in two lines
    "auroc": "\nAUROC",
    "ap": "\nAP",
    "f1": "max\nF1",
    "pro30": "PRO\n(0.3)",
    "pro05": "PRO\n(0.05)",
    "image_auroc": "image\nAUROC",
    "aupimo": "AU-\nPIMO",
    "region_hits": "region\nhits",
}
PARTS = {"backbone": "features\ns/Mpix", "scoring": "scores\ns/Mpix"}
LEAST_WIDTH = 132  # where the output is no terminal


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured: per run its configuration, its maps and its figures."""

    exam: Exam
    options: MapOptions
    runs: tuple[tuple[Run, Finished, RunResult], ...]
    faults: tuple[str, ...]

    @property
    def results(self) -> tuple[RunResult, ...]:
        """The figures alone, the base first."""
        return tuple(result for _, _, result in self.runs)


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """All figures with intervals, and what they depend on; undefined ones are None."""
    exam = evaluation.exam
    base = evaluation.runs[0][2]
    document = {
        "format": FORMAT,
        "linescan": metadata.version("linescan"),
        "protocol": {
            "crop_share": next(iter(exam.protocols.values())).crop_share,
            "false_area": next(iter(exam.protocols.values())).false_area,
            "stream": evaluation.options.stream,
            "normalised": evaluation.options.normalised,
            "web_pattern": getattr(evaluation.options.web_pattern, "pattern", None),
            **asdict(exam.resampling),
        },
        "machine": system_facts(),
        "packages": package_versions(),
        "datasets": [
            {
                "set": one.set_name,
                "class": one.name,
                "images": len(one.samples),
                "without_truth": sum(s.truth is Truth.UNKNOWN for s in one.samples),
                "boxes": exam.protocols[one.set_name, one.name].boxes,
            }
            for one in exam.classes
        ],
        "runs": [_run_entry(*parts, base) for parts in evaluation.runs],
        "errors": list(evaluation.faults),
    }
    return _without_nan(document)  # type: ignore[no-any-return]


def tables(evaluation: Evaluation) -> Iterator[Table]:
    """For each run its figures by class, set and overall; then the differences to the base."""
    for result in evaluation.results:
        yield _figure_table(result)
    if len(evaluation.results) > 1:
        yield _difference_table(evaluation.results)


def _run_entry(run: Run, finished: Finished, result: RunResult, base: RunResult) -> dict[str, Any]:
    entry = {
        "name": run.name,
        "settings": list(run.settings),
        "config_digest": run.config.digest,
        "config": run.config.model_dump(mode="json"),
        "maps_digest": finished.digest,
        "backbone": asdict(finished.spec),
        "mean": estimates(result.mean),
        "seconds_per_mpix": result.total_seconds.per_megapixel,
        "sets": {name: _set_entry(name, result) for name in result.sets},
    }
    if result is not base:
        entry["against_base"] = {
            "mean": _pairs(base.mean, result.mean),
            "sets": {
                name: _pairs(base.sets[name].mean, one.mean) for name, one in result.sets.items()
            },
        }
    return entry


def _set_entry(name: str, result: RunResult) -> dict[str, Any]:
    of_set = result.sets[name]
    return {
        "mean": estimates(of_set.mean),
        "seconds_per_mpix": _set_seconds(name, result).per_megapixel,
        "classes": {
            class_name: _class_entry(one, result.seconds[name, class_name])
            for class_name, one in of_set.classes.items()
        },
    }


def _class_entry(one: ClassResult, seconds: Seconds) -> dict[str, Any]:
    regions, masked = one.regions
    return {
        "images": len(one.images),
        "defective": one.defective,
        "regions": regions,
        "regions_masked": masked,
        "counting": one.counting,
        "low_rates_from": one.low_rates_from,
        "figures": estimates(one.figures),
        "seconds_per_mpix": seconds.per_megapixel,
        "per_image": [
            {
                "image": image.name,
                "class": image.class_name,
                "defective": image.is_defective,
                "regions": image.regions,
                "peak": image.peak,
                **image.figures,
            }
            for image in one.images
        ],
    }


def _pairs(base: Figures, form: Figures) -> dict[str, dict[str, float]]:
    return {metric: pair.as_dict() for metric, pair in pair_figures(base, form).items()}


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - any part of the document
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure_table(result: RunResult) -> Table:
    title = f"{result.name}: pixels pooled per class, means over classes and sets"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("\nset / class", overflow="fold")
    for head in (*HEADS.values(), *PARTS.values()):
        table.add_column(head, justify="right", no_wrap=True)
    for name, of_set in result.sets.items():
        for class_name, one in of_set.classes.items():
            seconds = result.seconds[name, class_name]
            table.add_row(f"{name} / {class_name}", *_cells(one.figures, seconds))
        table.add_row(
            Text(f"{name}, mean", "bold"), *_cells(of_set.mean, _set_seconds(name, result))
        )
    table.add_section()
    table.add_row(Text("mean of the sets", "bold"), *_cells(result.mean, result.total_seconds))
    return table


def _set_seconds(name: str, result: RunResult) -> Seconds:
    total = type(result.total_seconds)()
    for (set_name, _), seconds in result.seconds.items():
        total = total.plus(seconds) if set_name == name else total
    return total


def _cells(figures: Figures, seconds: Seconds) -> list[str]:
    shown = [float(figures[name][0]) if name in figures else math.nan for name in HEADS]
    taken = seconds.per_megapixel
    return [_figure(value) for value in (*shown, *(taken[part] for part in PARTS))]


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _difference_table(results: Sequence[RunResult]) -> Table:
    base, *others = results
    title = f"difference to {base.name} with its 95 % interval, mean of the sets"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("\nrun", overflow="fold")
    for head in HEADS.values():
        table.add_column(head, justify="right", no_wrap=True)
    for other in others:
        pairs = pair_figures(base.mean, other.mean)
        cells = (_difference(pairs[name]) if name in pairs else "-" for name in HEADS)
        table.add_row(other.name, *cells)
    return table


def _difference(pair: Paired) -> str:
    low, high = pair.interval
    return f"{pair.difference:+.4f}\n{low:+.4f}\n{high:+.4f}"
