"""Comparing stills with and without margins: the figures, the whole way, and its exit codes."""

import json

import compare_masks
import cv2
import numpy as np
import pytest
from compare_masks import BASE, measure, tables


def weave(lines, columns, number):
    down, across = np.mgrid[:lines, :columns]
    noise = np.random.default_rng(number).normal(0, 6, (lines, columns))
    return 120 + 25 * np.sin(down * 1.1) * np.sin(across * 0.9 + number) + noise


def write_set(data, name, with_margin):
    """Three strips of 192 x 480 pixels, two of them with a flaw, with a white table or without."""
    for number, place in enumerate(((60, 300), (100, 380), None)):
        pixels, mask = weave(192, 480, number), np.zeros((192, 480), np.uint8)
        if with_margin:
            pixels[:, :120] = 255
        if place is not None:
            flaw = (slice(place[0], place[0] + 24), slice(place[1], place[1] + 24))
            pixels[flaw], mask[flaw] = 60, 255
        for kind, values in (("images", pixels), ("masks", mask)):
            folder = data / name / "cloth" / kind
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{number}.png"), values.clip(0, 255).astype(np.uint8))


def run(*arguments):
    return compare_masks.run(compare_masks.parse_options([str(one) for one in arguments]))


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder, "aitex", with_margin=True)
    write_set(folder, "crackforest", with_margin=False)
    write_set(folder, "rail400", with_margin=True)
    out = folder / "all.json"
    sets = ("--sets", "aitex", "crackforest", "rail400", "--variants", "masked")
    assert run("--data", folder, "--json", out, "--resamples", 20, *sets) == 0
    return json.loads(out.read_text())


def test_the_margin_is_masked_and_nothing_else(document):
    assert document["aitex"]["masked_images"] == 3
    assert 25 <= document["aitex"]["masked_percent"] < 28
    assert document["crackforest"]["masked_images"] == 0
    assert document["aitex"]["hidden_regions"] == 0
    assert document["aitex"]["regions"] == document["aitex"]["defective_images"] == 2


def test_masking_finds_what_the_margin_hid(document):
    figures = document["aitex"]["figures"]
    assert list(figures) == [BASE, "masked"]
    before, after = figures[BASE]["all"]["ap"]["form"], figures["masked"]["all"]["ap"]["form"]
    assert after > before + 0.2
    web = figures["masked"]["web"]["ap"]
    assert web["difference"] == pytest.approx(web["form"] - figures[BASE]["web"]["ap"]["form"])
    assert document["aitex"]["peak_hits"]["masked"] == 2


def test_without_a_margin_nothing_changes(document):
    figures = document["crackforest"]["figures"]
    for kind in ("all", "web"):
        for pair in figures["masked"][kind].values():
            assert pair["difference"] == 0


def test_boxes_have_no_pixel_metrics(document):
    assert set(document["rail400"]["figures"]["masked"]["all"]) == {"pro"}


def test_tables_name_every_set_and_variant(document):
    text = tables(document)
    assert "| aitex | 3 of 3 |" in text
    assert "| auroc per image | off, all pixels | off, web | masked, web |" in text
    auroc = text.split("auroc per image")[1].split("ap per image")[0]
    assert "| crackforest |" in auroc
    assert "| rail400 |" not in auroc


def test_masked_pixels_are_the_lowest_and_leave_the_population_of_the_web():
    regions = np.zeros((4, 5), np.int32)
    regions[1, 1:3] = 1
    scores = np.zeros((4, 5), np.float32)
    scores[1, 1:3], scores[:, 4] = 2, 3
    everything, web = np.ones((4, 5), bool), np.ones((4, 5), bool)
    web[:, 4] = False
    assert measure(scores, regions, everything)["ap"] == pytest.approx(2 / 6)
    assert measure(scores, regions, web)["ap"] == 1
    scores[:, 4] = np.nan
    assert measure(scores, regions, everything)["auroc"] == 1
    scores[1, 1:3] = np.nan  # a defect that is masked is missed, and stays in every population
    assert measure(scores, regions, web)["auroc"] == 0


def test_images_without_a_defect_have_no_figure():
    figures = measure(
        np.zeros((3, 3), np.float32), np.zeros((3, 3), np.int32), np.ones((3, 3), bool)
    )
    assert np.isnan(list(figures.values())).all()


@pytest.mark.parametrize("sets", [["aitex"], ["no_such_set"]])
def test_wrong_use_is_told(tmp_path, capsys, sets):
    assert run("--data", tmp_path, "--sets", *sets) == 2
    assert "error: " in capsys.readouterr().err
