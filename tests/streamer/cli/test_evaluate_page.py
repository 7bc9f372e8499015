"""What the page is made of: cases of all images, curves of all runs, pictures of the chosen."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamer.cli.evaluate_document import Evaluation
from streamer.cli.evaluate_jobs import Finished, Job
from streamer.cli.evaluate_maps import ImageMap, Maps
from streamer.cli.evaluate_page import draw_page
from streamer.cli.evaluate_runs import MapOptions, Run
from streamer.cli.evaluate_store import MapStore
from streamer.cli.evaluate_truth import Exam, MapShelf, judge_runs
from streamer.config import Config
from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.datasets import ImageClass, Sample, Truth
from streamer.evaluation.summary import Resampling
from streamer.ports import BackboneSpec

SPEC = BackboneSpec("blocks", 8, 12, 4, "b10c", "torch:cpu", (0, 6))
SHAPE = (80, 96)


def add_class(folder, name, truths):
    """Images of a class with their masks on the disk."""
    samples = []
    for number, truth in enumerate(truths):
        image, mask = folder / name / f"{number}.png", folder / name / f"{number}_mask.png"
        image.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(image), np.full(SHAPE, 90, np.uint8))
        flaw = np.zeros(SHAPE, np.uint8)
        flaw[40:56, 40:56] = 255
        cv2.imwrite(str(mask), flaw)
        samples.append(Sample(image, truth, mask if truth is Truth.MASK else None))
    return ImageClass("s", name, tuple(samples))


def measured(folder, classes, names=("base", "other")):
    """Runs over the classes, as if their maps had just been made."""
    store = MapStore(folder)
    exam = Exam(
        tuple(classes),
        {(one.set_name, one.name): Protocol(boxes=one.boxes) for one in classes},
        Resampling(resamples=5),
    )
    done = {name: Finished(_jobs(folder, classes, name, store), name, SPEC) for name in names}
    shelves = {name: MapShelf(store, finished) for name, finished in done.items()}
    results = judge_runs(shelves, exam).runs
    runs = tuple(
        (Run(name, (), Config()), done[name], result)
        for name, result in zip(names, results, strict=True)
    )
    return Evaluation(exam, MapOptions(), runs, ()), store


def _jobs(folder, classes, run, store):
    jobs = {}
    for one in classes:
        for number, sample in enumerate(one.samples):
            scores = np.random.default_rng(number).random((10, 12)).astype(np.float32)
            scores[5:7, 5:7] += np.float32(number)
            file = folder / f"{run}{one.name}{number}.npz"
            entry = ImageMap(str(sample.image), SHAPE, scores, 8, 9, 0.1, 0.1)
            store.save(file, Maps((entry,)))
            jobs.setdefault(("s", one.name), []).append(Job((sample.image,), file))
    return {key: tuple(of_class) for key, of_class in jobs.items()}


def test_curves_and_pictures_of_all_runs(tmp_path):
    one = add_class(tmp_path, "red", [Truth.MASK, Truth.MASK, Truth.CLEAN])
    page = draw_page(*measured(tmp_path, [one]), 8)
    assert page.count('<svg viewBox="-30') == 5
    assert page.count("<path") == 10 + 2  # curves, and a stroke of each run in the key
    assert page.count("data:image/jpeg") == 3 * 3
    assert page.index("red/0.png") < page.index("red/2.png") < page.index("How this came about")


def test_clean_classes_are_shown_as_clean(tmp_path):
    """They have no figures of their own, but are judged with those that have defects."""
    classes = [
        add_class(tmp_path, "red", [Truth.MASK, Truth.MASK]),
        add_class(tmp_path, "free", [Truth.CLEAN, Truth.CLEAN]),
    ]
    page = draw_page(*measured(tmp_path, classes, ("base",)), 8)
    assert "Clean within the crop" in page
    assert "Truth unknown" not in page
    assert page.count("s / free") >= 1


def test_boxes_are_ranked_by_regions(tmp_path):
    one = replace(add_class(tmp_path, "red", [Truth.MASK, Truth.MASK]), boxes=True)
    page = draw_page(*measured(tmp_path, [one], ("base",)), 8)
    assert page.count('<svg viewBox="-30') == 2
    assert "· PRO(0.3)" in page


@pytest.mark.parametrize("gallery", [0, 1, 2])
def test_no_more_pictures_than_asked_for(tmp_path, gallery):
    one = add_class(tmp_path, "red", [Truth.MASK, Truth.MASK, Truth.CLEAN])
    page = draw_page(*measured(tmp_path, [one], ("base",)), gallery)
    assert page.count("data:image/jpeg") == 2 * gallery


def test_a_damaged_mask_leaves_the_image_without_an_outline(tmp_path):
    one = add_class(tmp_path, "red", [Truth.MASK, Truth.MASK])
    one.samples[1].mask.write_bytes(b"no image")
    page = draw_page(*measured(tmp_path, [one], ("base",)), 8)
    assert "Truth unknown" in page
    assert page.count("data:image/jpeg") == 4
