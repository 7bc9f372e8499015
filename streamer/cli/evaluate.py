"""`linescan evaluate`: what a configuration finds on labelled images, and how sure that is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.console import AnswerConsole
from streamer.cli.evaluate_document import LEAST_WIDTH, Evaluation, as_document, tables
from streamer.cli.evaluate_jobs import Workshop, make_maps
from streamer.cli.evaluate_page import draw_page
from streamer.cli.evaluate_progress import show_progress
from streamer.cli.evaluate_runs import Choices, MapOptions, choose_runs
from streamer.cli.evaluate_store import MapStore
from streamer.cli.evaluate_truth import Exam, MapShelf, judge_runs
from streamer.cli.inspect import make_folder
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
)
from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.datasets import Truth, find_classes, stray_masks
from streamer.evaluation.summary import Resampling
from streamer.outputs.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.cli.evaluate_runs import Run
    from streamer.evaluation.datasets import ImageClass

WORK_FOLDER = "evaluation-work"

SetsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATASET...",
        help="A class (images/ and masks/, or MVTec AD's test/ and ground_truth/), a set of "
        "classes, or a folder of sets. An image without a mask counts in no figure: a clean one "
        "has a black mask, or lies in test/good/.",
    ),
]
MethodOption = Annotated[
    list[str] | None,
    typer.Option("--method", help="scoring.method; several: all combinations are run."),
]
FeatureOption = Annotated[
    list[str] | None,
    typer.Option("--feature", help="backbone.name or an ONNX file; several as --method."),
]
ReferenceOption = Annotated[
    list[str] | None, typer.Option("--reference", help="scoring.reference; several as --method.")
]
OnnxStrideOption = Annotated[int | None, typer.Option(help="Total stride of the ONNX file.")]
OnnxRadiusOption = Annotated[
    int | None, typer.Option(help="Radius of its receptive field in pixels.")
]
ProfileOption = Annotated[
    Path | None, typer.Option("--profile", help="File of `linescan calibrate` for all images.")
]
StreamOption = Annotated[
    bool,
    typer.Option(
        "--stream", help="The images of a class are one web with seams, read as on the line."
    ),
]
PatternOption = Annotated[
    str | None,
    typer.Option(
        "--web-pattern",
        metavar="REGEX",
        help="With --stream: images of a class in whose names it finds the same text (of its "
        "first group) are one web; the others are webs of their own.",
    ),
]
NormalisedOption = Annotated[
    bool,
    typer.Option("--normalised", help="Scores in units of the alarm level, not raw ones."),
]
BoxesOption = Annotated[
    bool, typer.Option("--boxes", help="All masks are boxes: figures of regions alone.")
]
BoxSetsOption = Annotated[
    list[str] | None,
    typer.Option("--boxes-in", metavar="SET", help="The masks of this set are boxes; repeatable."),
]
CropOption = Annotated[
    float, typer.Option(min=0, max=0.45, help="Share of each side that is left out at each border.")
]
AreaOption = Annotated[
    float,
    typer.Option(min=1e-6, max=1, help="Share of normal pixels over the level of region hits."),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Images of each class at most, spread evenly.")
]
JobsOption = Annotated[int, typer.Option(min=1, help="Processes that make maps.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the redrawn images.")]
ResamplesOption = Annotated[int, typer.Option(min=1, help="Draws for the intervals.")]
WorkOption = Annotated[
    Path | None,
    typer.Option(help="Folder of finished maps [default: evaluation-work beside the output]."),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Make all maps anew.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="File for all figures as JSON.")]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", help="File for a page with tables, curves and pictures.")
]
GalleryOption = Annotated[int, typer.Option(min=0, help="Images on the page at most.")]


def evaluate(
    datasets: SetsArgument,
    method: MethodOption = None,
    feature: FeatureOption = None,
    reference: ReferenceOption = None,
    onnx_stride: OnnxStrideOption = None,
    onnx_radius: OnnxRadiusOption = None,
    profile: ProfileOption = None,
    stream: StreamOption = False,
    web_pattern: PatternOption = None,
    normalised: NormalisedOption = False,
    boxes: BoxesOption = False,
    boxes_in: BoxSetsOption = None,
    crop: CropOption = 0.1,
    false_area: AreaOption = 0.005,
    limit: LimitOption = None,
    jobs: JobsOption = 1,
    seed: SeedOption = 0,
    resamples: ResamplesOption = 200,
    work: WorkOption = None,
    fresh: FreshOption = False,
    out: OutOption = None,
    html: HtmlOption = None,
    gallery: GalleryOption = 24,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what a configuration finds on labelled images, and compare configurations.

    Each image is compared with its own typical texture, or with a saved profile, or (--stream)
    judged as on the line. The first combination of --method, --feature and --reference is the
    base of the others. Maps that are finished are kept; the same command goes on where it was
    interrupted. Exits with 2 if an image or mask could not be used; the others are still done.
    """
    options = MapOptions(stream, normalised, _compiled(web_pattern))
    names = (tuple(method or ()), tuple(feature or ()), tuple(reference or ()))
    fixed = (*(settings or ()), *_profile_setting(profile))
    runs = choose_runs(Choices(config, fixed, *names, onnx_stride, onnx_radius))
    found = _mark_boxes(_find(datasets, boxes=boxes), boxes_in or [])
    resampling = Resampling(seed, resamples)
    exam = _exam([one.limited(limit) for one in found], Protocol(crop, false_area), resampling)
    store = MapStore(work or _folder_of(out or html) / WORK_FOLDER)
    make_folder(store.folder)
    workshop = Workshop(options, store, jobs, fresh)
    evaluation = measure(runs, exam, workshop)
    faults = (*evaluation.faults, *_strays(found))
    evaluation = replace(evaluation, faults=faults)
    if html is not None:
        _save(html, draw_page(evaluation, store, gallery))
    _write(evaluation, out, as_json=as_json)
    if faults:
        raise typer.Exit(2)


def measure(runs: Sequence[Run], exam: Exam, workshop: Workshop) -> Evaluation:
    """Make the maps that lack, then judge all of them.

    Raises:
        UsageFault: a run does not fit its backbone or profile, or the images to a web.
        EnvironmentFault, KernelError, StorageError: this machine cannot run it or keep its maps.
    """
    images = sum(len(one.samples) for one in exam.classes)
    with show_progress(len(runs) * images) as progress:
        finished = [make_maps(run, exam.classes, workshop, progress.advance) for run in runs]
        pairs = zip(runs, finished, strict=True)
        shelves = {run.name: MapShelf(workshop.store, done) for run, done in pairs}
        judgement = judge_runs(shelves, exam, partial(progress.advance, 0))
    parts = zip(runs, finished, judgement.runs, strict=True)
    return Evaluation(exam, workshop.options, tuple(parts), judgement.faults)


def _profile_setting(profile: Path | None) -> list[str]:
    return [] if profile is None else [f"profile.file={json.dumps(str(profile))}"]


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        msg = f"--web-pattern must be a regular expression, got {pattern!r} ({error})"
        raise UsageFault(msg) from None


def _find(datasets: list[Path], *, boxes: bool) -> tuple[ImageClass, ...]:
    try:
        return find_classes(datasets, boxes=boxes)
    except (OSError, ValueError) as error:
        raise UsageFault(str(error)) from None


def _mark_boxes(classes: tuple[ImageClass, ...], sets: list[str]) -> tuple[ImageClass, ...]:
    known = {one.set_name for one in classes}
    for name in sets:
        if name not in known:
            msg = f"--boxes-in must be of the sets {', '.join(sorted(known))}, got {name}"
            raise UsageFault(msg)
    return tuple(replace(one, boxes=one.boxes or one.set_name in sets) for one in classes)


def _exam(classes: Sequence[ImageClass], protocol: Protocol, resampling: Resampling) -> Exam:
    protocols = {(one.set_name, one.name): replace(protocol, boxes=one.boxes) for one in classes}
    return Exam(tuple(classes), protocols, resampling)


def _strays(classes: Sequence[ImageClass]) -> list[str]:
    return [
        f"{mask}: mask must have an image of its name in images/, got none"
        for one in classes
        for mask in stray_masks(one.samples)
    ]


def _unknown(classes: Sequence[ImageClass]) -> Iterator[str]:
    """What to say of images that count in no figure because nobody says what they show."""
    for one in classes:
        unknown = sum(sample.truth is Truth.UNKNOWN for sample in one.samples)
        if unknown:
            yield (
                f"note: {one.set_name}/{one.name}: {unknown} of {len(one.samples)} images have no "
                "mask and count in no figure; give those that are clean a black one"
            )


def _folder_of(output: Path | None) -> Path:
    return Path() if output is None else output.parent


def _write(evaluation: Evaluation, out: Path | None, *, as_json: bool) -> None:
    for line in (*_unknown(evaluation.exam.classes), *(f"error: {f}" for f in evaluation.faults)):
        typer.echo(line, err=True)
    document = json.dumps(as_document(evaluation), indent=1) + "\n"
    if out is not None:
        _save(out, document)
    if as_json:
        typer.echo(document, nl=False)
        return
    console = AnswerConsole()
    if not console.is_terminal:
        console.width = max(console.width, LEAST_WIDTH)
    for table in tables(evaluation):
        console.print(table)


def _save(file: Path, content: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content.encode(), "evaluation")
    except OSError as error:
        raise EnvironmentFault(str(error)) from None
