"""The document and the tables: nothing undefined in JSON, every figure in its place."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from streamer.cli.evaluate_document import HEADS, LEAST_WIDTH, Evaluation, as_document, tables
from streamer.cli.evaluate_jobs import Finished
from streamer.cli.evaluate_runs import MapOptions, Run
from streamer.cli.evaluate_truth import Exam
from streamer.config import Config
from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.datasets import ImageClass, Sample, Truth
from streamer.evaluation.judging import ScoredImage
from streamer.evaluation.summary import Resampling, RunResult, Seconds, evaluate_set
from streamer.ports import BackboneSpec

SPEC = BackboneSpec("blocks", 8, 12, 4, "b10c", "torch:cpu", (0, 6))


def images(contrast):
    found = []
    for seed in range(3):
        scores = np.random.default_rng(seed).random((40, 40)).astype(np.float32)
        mask = np.zeros((40, 40), np.uint8)
        mask[10:16, 10:16] = 1
        scores[mask > 0] += np.float32(contrast)
        found.append(ScoredImage(f"{seed}", "red", (40, 40), True, lambda m=mask: m, scores, 1))
    return found


def result(name, contrast):
    members = images(contrast)
    weights = Resampling(resamples=10).weights("lace", members)
    of_set = evaluate_set(members, weights, {"red": Protocol()})
    seconds = {("lace", "red"): Seconds(1.0, 0.5, 2.0, 0.8, 0.4)}
    return RunResult.over(name, {"lace": of_set}, seconds)


@pytest.fixture
def evaluation(tmp_path):
    """Two runs on a set of one class without clean images."""
    samples = tuple(Sample(tmp_path / f"{n}.png", Truth.UNKNOWN) for n in range(3))
    exam = Exam(
        (ImageClass("lace", "red", samples),), {("lace", "red"): Protocol()}, Resampling(0, 10)
    )
    runs = tuple(
        (Run(name, ("scoring.levels=8",), Config()), Finished({}, "f" * 64, SPEC), result(name, c))
        for name, c in (("base", 0.2), ("other", 0.6))
    )
    return Evaluation(exam, MapOptions(), runs, ("x.png: it is cut",))


class TestDocument:
    def test_it_is_json_without_nan(self, evaluation):
        text = json.dumps(as_document(evaluation), allow_nan=False)
        found = json.loads(text)
        figures = found["runs"][0]["sets"]["lace"]["classes"]["red"]["figures"]
        assert figures["image_auroc"] == {"value": None, "low": None, "high": None}

    def test_what_the_figures_depend_on(self, evaluation):
        found = as_document(evaluation)
        assert found["protocol"] == {
            "crop_share": 0.1,
            "false_area": 0.005,
            "stream": False,
            "normalised": False,
            "web_pattern": None,
            "seed": 0,
            "resamples": 10,
        }
        base = found["runs"][0]
        assert base["maps_digest"] == "f" * 64
        assert base["backbone"]["digest"] == "b10c"
        assert base["settings"] == ["scoring.levels=8"]
        assert base["config"]["scoring"]["method"] == "fca_fast"
        assert found["errors"] == ["x.png: it is cut"]
        assert found["packages"]["torch"]

    def test_classes_sets_and_runs(self, evaluation):
        base, other = as_document(evaluation)["runs"]
        red = base["sets"]["lace"]["classes"]["red"]
        assert (red["images"], red["defective"], red["regions"]) == (3, 3, 3)
        assert red["low_rates_from"] == "normal pixels of all images"
        assert base["sets"]["lace"]["mean"]["auroc"] == red["figures"]["auroc"]
        assert base["seconds_per_mpix"] == {
            "backbone": 0.5,
            "scoring": 0.25,
            "backbone_cpu": 0.4,
            "scoring_cpu": 0.2,
        }
        assert len(red["per_image"]) == 3
        assert 0 < red["per_image"][0]["image_mean_auroc"] <= 1
        pair = other["against_base"]["sets"]["lace"]["auroc"]
        assert pair["difference"] > 0
        assert pair["form"] == other["mean"]["auroc"]["value"]


def shown(evaluation, width=LEAST_WIDTH):
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as capture:
        for table in tables(evaluation):
            console.print(table)
    return capture.get()


class TestTables:
    def test_every_figure_has_a_column(self, evaluation):
        text = shown(evaluation)
        for head in HEADS.values():
            for part in head.split():
                assert part in text
        auroc = evaluation.results[0].mean["auroc"][0]
        row = next(line for line in text.splitlines() if "lace / red" in line)
        assert f"{auroc:.4f}" in row
        assert " - " in row
        assert "0.5000" in row
        assert "0.2500" in row

    def test_differences_have_their_interval_below(self, evaluation):
        text = shown(evaluation)
        pair = as_document(evaluation)["runs"][1]["against_base"]["mean"]["auroc"]
        for key in ("difference", "low", "high"):
            assert f"{pair[key]:+.4f}" in text

    def test_one_run_has_no_differences(self, evaluation):
        alone = replace(evaluation, runs=evaluation.runs[:1])
        assert "difference" not in shown(alone)

    def test_they_fit_where_there_is_no_terminal(self, evaluation):
        assert max(map(len, shown(evaluation).splitlines())) <= LEAST_WIDTH
