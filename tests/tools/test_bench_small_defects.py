"""The bench of small defects: the whole way on a made-up set, its tables and exit codes."""

import json
import shutil

import bench_small_defects
import cv2
import numpy as np
import pytest
from bench_small_defects import (
    BASE,
    IN_ORDER,
    SetTable,
    choose_variants,
    less_history,
    parse_options,
    run,
    size_limits,
    tables,
)
from small_variants import Scored

from streamer.evaluation.judging import ScoredImage
from streamer.evaluation.paired_bootstrap import Paired

CHOSEN = ("windows 5", IN_ORDER)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A class with a small and a large hole in each image, and a clean one."""
    folder = tmp_path_factory.mktemp("data")
    for class_name, holes in {"holes": ((60, 6), (100, 30)), "free": ()}.items():
        for number in range(2):
            down, across = np.mgrid[:176, :184]
            weave = 120 + 25 * np.sin(down * 1.1 + number) + 25 * np.sin(across * 0.9)
            noise = np.random.default_rng(number).normal(0, 4, weave.shape)
            pixels, mask = (weave + noise).astype(np.uint8), np.zeros(weave.shape, np.uint8)
            for first, side in holes:
                place = slice(first, first + side), slice(first, first + side)
                pixels[place], mask[place] = 10, 255
            for kind, values in (("images", pixels), ("masks", mask)):
                where = folder / "woven" / class_name / kind
                where.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(where / f"{number}.png"), values)
    return folder


def options(data, tmp_path, *more):
    fixed = ["--data", str(data), "--sets", "woven", "--resamples", "10", "--work", str(tmp_path),
             "--variants", *CHOSEN]  # fmt: skip
    return parse_options([*fixed, *more])


@pytest.fixture(scope="module")
def document(data, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    out = work / "out.json"
    assert run(options(data, work, "--json", str(out))) == 0
    return json.loads(out.read_text())


class TestRun:
    def test_every_variant_has_every_figure(self, document) -> None:
        assert list(document["woven"]) == [BASE, *CHOSEN]
        for by in document["woven"].values():
            assert by["auroc"]["form"] > 0.9
            assert by["seconds_per_mpix"] > 0
            assert set(size_limits(256)) < set(by)

    def test_small_and_large_regions_are_counted_apart(self, document) -> None:
        base = document["woven"][BASE]
        assert base["larger regions at 0.50%"]["form"] == 1.0
        assert base["regions to 256 px at 0.50%"]["form"] < 1.0  # 6 pixels, beside a large one

    def test_the_base_differs_from_itself_by_nothing(self, document) -> None:
        for pair in document["woven"][BASE].values():
            assert isinstance(pair, float) or pair["difference"] == pair["low"] == 0
        assert document["woven"]["windows 5"]["auroc"]["difference"] != 0

    def test_a_finished_set_is_not_scored_again(self, data, tmp_path, capsys, monkeypatch) -> None:
        chosen = options(data, tmp_path, "--limit", "1")
        assert run(chosen) == 0
        first = capsys.readouterr().out
        monkeypatch.setattr(bench_small_defects, "score_set", lambda *_: pytest.fail("again"))
        assert run(chosen) == 0
        assert capsys.readouterr().out == first
        assert first.startswith("### Mean of the sets")


def test_boxes_have_figures_of_regions_alone(data, tmp_path) -> None:
    boxed = tmp_path / "boxed"
    shutil.copytree(data / "woven", boxed / "woven")
    (boxed / "woven" / "holes" / "boxes.json").write_text("{}")
    out = tmp_path / "out.json"
    assert run(options(boxed, tmp_path / "work", "--limit", "1", "--json", str(out))) == 0
    figures = set(json.loads(out.read_text())["woven"][BASE])
    assert {"pro30", "region_hits"} <= figures
    assert not {"auroc", "ap"} & figures


class TestExitCodes:
    def test_an_unknown_variant_is_2(self, data, tmp_path, capsys) -> None:
        assert run(options(data, tmp_path, "--variants", "wood")) == 2
        assert "--variants must be of balanced, channels by 1/noise" in capsys.readouterr().err

    def test_missing_images_are_2(self, tmp_path, capsys) -> None:
        assert run(options(tmp_path, tmp_path)) == 2
        assert "DATASET must hold images" in capsys.readouterr().err

    def test_an_image_without_a_mask_is_2(self, tmp_path, capsys) -> None:
        folder = tmp_path / "woven" / "holes" / "images"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "0.png"), np.zeros((80, 80), np.uint8))
        assert run(options(tmp_path, tmp_path)) == 2
        assert "woven: every image must have a mask" in capsys.readouterr().err


class TestHistory:
    @staticmethod
    def image(scores, columns=16, class_name="c") -> ScoredImage:
        mask = np.zeros((len(scores) * 8, columns), np.uint8)
        values = np.asarray(scores, np.float32)
        return ScoredImage("i", class_name, mask.shape, False, mask.copy, values, 8)

    def test_what_a_column_always_scores_is_taken_off(self) -> None:
        found = less_history([self.image([[1, 5], [1, 5], [1, 9]])])
        assert found[0].scores.tolist() == [[0, 0], [0, 0], [0, 4]]

    def test_earlier_images_of_the_web_count_and_later_ones_do_not(self) -> None:
        steady, defect = [[1, 5], [1, 5], [1, 5]], [[1, 9]]
        first, second = less_history([self.image(steady), self.image(defect)])
        assert second.scores.tolist() == [[0, 4]]
        assert not first.scores.any()

    def test_another_web_is_no_history(self) -> None:
        steady, defect = [[1, 5], [1, 5], [1, 5]], [[1, 9]]
        for other in ({"columns": 12}, {"class_name": "d"}):
            _, second = less_history([self.image(steady), self.image(defect, **other)])
            assert not second.scores.any()

    def test_masked_cells_stay_masked(self) -> None:
        nan = float("nan")
        (found,) = less_history([self.image([[nan, 1], [nan, 3]])])
        assert np.isnan(found.scores[:, 0]).all()
        assert found.scores[:, 1].tolist() == [-1, 1]


class TestTables:
    def test_what_excludes_nothing_is_bold(self) -> None:
        draws = np.array([0.01, 0.02, 0.03])
        pairs = {
            BASE: {"auroc": Paired(0.5, 0.5, 0 * draws)},
            "sure": {"auroc": Paired(0.5, 0.52, draws)},
            "unsure": {"auroc": Paired(0.5, 0.52, draws - 0.02)},
            "undefined": {"auroc": Paired(0.5, float("nan"), draws)},
        }
        text = tables({"woven": SetTable(pairs, dict.fromkeys(pairs, 1.5))})
        rows = {line.split(" | ")[0]: line for line in text.rpartition("###")[2].splitlines()}
        assert rows["| balanced"] == "| balanced | 0.5000 | 1.50 |"
        assert "**+0.0200 (+0.011, +0.029)**" in rows["| sure"]
        assert "| +0.0200 (-0.009, +0.009) |" in rows["| unsure"]
        assert rows["| undefined"].split(" | ")[1] == "-"

    def test_what_is_kept_comes_back(self, tmp_path) -> None:
        pairs = {BASE: {"auroc": Paired(0.5, 0.6, np.array([0.1, 0.2]))}}
        SetTable(pairs, {BASE: 2.0}).save(tmp_path / "set.npz")
        again = SetTable.load(tmp_path / "set.npz")
        assert again.seconds == {BASE: 2.0}
        assert again.pairs[BASE]["auroc"].as_dict() == pairs[BASE]["auroc"].as_dict()


def test_the_base_is_always_measured_and_first() -> None:
    assert choose_variants(["windows 5"]) == (BASE, "windows 5")
    assert choose_variants([])[-1] == IN_ORDER
    with pytest.raises(ValueError, match="got wood"):
        choose_variants(["wood"])


def test_seconds_count_features_that_were_remembered(monkeypatch) -> None:
    class Backbone:
        saved_s = 0.0

    def variant(subject):
        Backbone.saved_s += 5.0
        return Scored(np.zeros((1, 1), np.float32), 8)

    monkeypatch.setitem(bench_small_defects.VARIANTS, BASE, variant)
    _, seconds = bench_small_defects.timed(BASE, None, Backbone())
    assert 5.0 <= seconds < 6.0
