"""The page of `linescan evaluate`: curves and pictures of what was measured; measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.cli.evaluate_document import as_document
from streamer.cli.evaluate_maps import read_pixels
from streamer.cli.evaluate_truth import MapShelf, read_mask
from streamer.evaluation.curves import draw_curves
from streamer.evaluation.datasets import Truth
from streamer.evaluation.gallery import (
    Case,
    Heat,
    choose_cases,
    draw_image,
    draw_maps,
    relative_peaks,
)
from streamer.evaluation.page import ClassCurves, Exhibit, PageContent, render_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from streamer.cli.evaluate_document import Evaluation
    from streamer.cli.evaluate_maps import ImageMap
    from streamer.cli.evaluate_store import MapStore
    from streamer.evaluation.class_figures import ImageResult
    from streamer.evaluation.datasets import ImageClass, Sample

WIDE = 2.5  # columns to lines, from which on pictures stand one below the other


def draw_page(evaluation: Evaluation, store: MapStore, gallery: int) -> str:
    """HTML of an evaluation with the pictures of at most `gallery` images."""
    cases = [case for one in evaluation.exam.classes for case in _cases(evaluation, one, store)]
    chosen = choose_cases(cases, gallery)
    wanted = [case for _, of_group in chosen for case in of_group]
    exhibits = {}
    for one in evaluation.exam.classes:
        names = {c.name for c in wanted if (c.set_name, c.class_name) == (one.set_name, one.name)}
        if names:
            for case_name, exhibit in _exhibits(evaluation, one, store, names):
                exhibits[one.set_name, one.name, case_name] = exhibit
    groups = [
        (title, [Exhibit(c, *exhibits[c.set_name, c.class_name, c.name]) for c in of_group])
        for title, of_group in chosen
    ]
    return render_page(PageContent(as_document(evaluation), _curves(evaluation), groups))


def _curves(evaluation: Evaluation) -> list[ClassCurves]:
    base = evaluation.results[0]
    found = []
    for set_name, of_set in base.sets.items():
        for class_name in of_set.classes:
            boxes = evaluation.exam.protocols[set_name, class_name].boxes
            paths = {
                run.name: draw_curves(run.sets[set_name].classes[class_name].counts, boxes=boxes)
                for run in evaluation.results
                if class_name in run.sets[set_name].classes
            }
            if any(paths.values()):
                found.append(ClassCurves(set_name, class_name, paths))
    return found


def _cases(evaluation: Evaluation, one: ImageClass, store: MapStore) -> Iterator[Case]:
    """All images of a class that have a map of the base."""
    maps = _maps_of(evaluation, one, store)[0]
    judged = _judged_images(evaluation, one)
    samples = [sample for sample in one.samples if str(sample.image) in maps]
    peaks = [_peak(maps[str(sample.image)]) for sample in samples]
    figure, title = ("image_mean_pro30", "PRO(0.3)") if one.boxes else ("image_mean_auroc", "AUROC")
    for sample, peak in zip(samples, relative_peaks(peaks), strict=True):
        known = judged.get(sample.name)
        value = float("nan") if known is None else known.figures[figure]
        is_defective = None if known is None else known.is_defective
        yield Case(one.set_name, one.name, sample.name, is_defective, value, title, peak)


def _judged_images(evaluation: Evaluation, one: ImageClass) -> dict[str, ImageResult]:
    """By name; clean images of a class without defects are judged in those of its set."""
    of_set = evaluation.results[0].sets.get(one.set_name)
    if of_set is None:
        return {}
    found = of_set.classes.get(one.name)
    pools = [found] if found is not None else list(of_set.classes.values())
    own = {sample.name for sample in one.samples}
    images = [i for pool in pools for i in pool.images if i.class_name == one.name]
    return {image.name: image for image in images if image.name in own}


def _peak(entry: ImageMap) -> float:
    seen = entry.scores[entry.scores == entry.scores]  # noqa: PLR0124 - what is not NaN
    return float(seen.max()) if seen.size else float("nan")


def _maps_of(evaluation: Evaluation, one: ImageClass, store: MapStore) -> list[dict[str, ImageMap]]:
    """By run, then by path of the image."""
    return [MapShelf(store, finished).load(one) for _, finished, _ in evaluation.runs]


def _exhibits(
    evaluation: Evaluation, one: ImageClass, store: MapStore, names: set[str]
) -> Iterator[tuple[str, tuple[str, dict[str, str], bool]]]:
    """Name, and picture, maps by run and shape, of some images of a class."""
    by_run = _maps_of(evaluation, one, store)
    titles = [run.name for run, _, _ in evaluation.runs]
    crop_share = evaluation.exam.crop_share(one)
    heats = {
        title: Heat.over([entry.scores for entry in maps.values()], crop_share)
        for title, maps in zip(titles, by_run, strict=True)
    }
    for sample in one.samples:
        if sample.name in names:
            entries = [maps.get(str(sample.image)) for maps in by_run]
            drawn = {t: (e.scores, e.stride) for t, e in zip(titles, entries, strict=True) if e}
            shape = next(entry.shape for entry in entries if entry is not None)
            picture = draw_image(read_pixels(sample.image), _mask(sample, shape), crop_share)
            is_wide = shape[1] >= WIDE * shape[0]
            yield sample.name, (picture, draw_maps(drawn, heats, shape), is_wide)


def _mask(sample: Sample, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """None when it is unknown or cannot be used, which was said before."""
    if sample.truth is Truth.UNKNOWN:
        return None
    try:
        return read_mask(sample, shape)
    except (OSError, ValueError):
        return None
