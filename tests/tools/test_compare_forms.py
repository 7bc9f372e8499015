"""Comparing forms: the whole way on made-up sets, its exit codes, and the claim on real images."""

import json
import os
from contextlib import closing
from pathlib import Path

import compare_forms
import cv2
import numpy as np
import pytest
import torch
from fca_forms import BASE

from streamer.backbones import open_backbone
from streamer.evaluation.paired_bootstrap import average


def write_set(data, name, classes):
    """Woven images of 160 x 176 pixels by class; the defective ones have a hole and its mask."""
    generator = np.random.default_rng(5)
    for class_name, has_hole in classes.items():
        for number in range(2):
            down, across = np.mgrid[:160, :176]
            weave = 120 + 25 * np.sin(down * 1.1 + number) + 25 * np.sin(across * 0.9)
            pixels = (weave + generator.normal(0, 4, weave.shape)).astype(np.uint8)
            mask = np.zeros_like(pixels)
            if has_hole:
                pixels[60:90, 70:100], mask[60:90, 70:100] = 20, 255
            for kind, values in (("images", pixels), ("masks", mask)):
                folder = data / name / class_name / kind
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{number}.png"), values)


def run(*arguments):
    return compare_forms.run(compare_forms.parse_options(arguments))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder, "mvtec_aug", {"tile": True, "free": False})
    write_set(folder, "rail400", {"strip": True})
    return folder


@pytest.fixture(scope="module")
def document(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "all.json"
    assert measure(data, out, "mvtec_aug", "rail400") == 0
    return json.loads(out.read_text())


def measure(data, out, *sets):
    options = ("--data", str(data), "--json", str(out), "--resamples", "20", "--sets", *sets)
    return run(*options, "--forms", "fast_16_stride2", "quantized_16")


class TestRun:
    def test_every_set_and_form_is_there(self, document):
        assert list(document["sets"]) == ["mvtec_aug", "rail400"]
        for forms in document["sets"].values():
            assert list(forms) == [BASE, "fast_16_stride2", "quantized_16"]

    def test_a_hole_is_found_by_all(self, document):
        for form in document["sets"]["mvtec_aug"].values():
            assert form["per_image"]["auroc"]["form"] > 0.95
            assert form["decisions"]["hits"] == form["decisions"]["regions"] == 2

    def test_boxes_have_no_pixel_metrics(self, document):
        for form in document["sets"]["rail400"].values():
            assert set(form["per_image"]) == set(form["pooled"]) == {"pro"}

    def test_the_seed_repeats_the_figures(self, data, tmp_path, document):
        out = tmp_path / "again.json"
        measure(data, out, "mvtec_aug")
        (again,) = json.loads(out.read_text())["sets"].values()
        first = document["sets"]["mvtec_aug"]
        for kind in ("pooled", "per_image"):
            assert again["quantized_16"][kind] == first["quantized_16"][kind]

    def test_progress_is_not_in_the_output(self, data, capsys):
        run("--data", str(data), "--sets", "rail400", "--forms", "fast_8_stride3", "--limit", "1")
        said = capsys.readouterr()
        assert said.out.startswith("### Per image, mean of the sets")
        assert "strip 1 of 1: 0.png" in said.err


class TestExitCodes:
    def test_missing_data_are_2(self, tmp_path, capsys):
        assert run("--data", str(tmp_path)) == 2
        assert "error: leather_custom: images must exist, got no" in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--sets", "--forms"])
    def test_an_unknown_name_is_2(self, option, data, capsys):
        assert run("--data", str(data), option, "wood") == 2
        assert "got wood" in capsys.readouterr().err

    def test_a_missing_mask_is_2(self, tmp_path, capsys):
        write_set(tmp_path, "rail400", {"strip": True})
        (tmp_path / "rail400" / "strip" / "masks" / "1.png").unlink()
        arguments = ("--sets", "rail400", "--forms", "fast_8_stride3")
        assert run("--data", str(tmp_path), *arguments) == 2
        assert "masks" in capsys.readouterr().err


class TestOptions:
    def test_the_data_are_those_of_the_environment(self, monkeypatch):
        monkeypatch.setenv("LINESCAN_DATA", "/elsewhere")
        assert compare_forms.parse_options([]).data == Path("/elsewhere")

    def test_without_it_they_lie_beside_the_checkout(self, monkeypatch):
        monkeypatch.delenv("LINESCAN_DATA", raising=False)
        assert compare_forms.parse_options([]).data == Path("../shared/data")

    def test_a_file_is_an_extractor_of_its_own(self):
        settings = compare_forms.backbone_settings(Path("own.onnx"))
        assert (settings.onnx_file, settings.onnx_stride) == (Path("own.onnx"), 8)
        assert compare_forms.backbone_settings(None).onnx_file is None

    def test_an_image_is_extended_at_its_end(self):
        pixels = np.arange(2 * 7 * 3, dtype=np.uint8).reshape(2, 7, 3)
        extended = compare_forms.extend(pixels, 4)
        assert extended.shape == (4, 8, 3)
        assert np.array_equal(extended[:2, :7], pixels)
        assert np.array_equal(extended[3, :7], pixels[1])


@pytest.fixture(scope="module")
def on_real_images():
    """A part of the sets with labelled pixels; fails where the images are not."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    data = os.environ.get("LINESCAN_DATA", str(beside))
    sets = ("--sets", "leather_custom", "mvtec_aug", "crackforest")
    forms = ("--forms", "u8_first", "fast_16_stride2")
    options = compare_forms.parse_options(["--data", data, "--limit", "6", *sets, *forms])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them than cores that are free take many times as long
    try:
        with closing(open_backbone(compare_forms.backbone_settings(None))) as backbone:
            return dict(compare_forms.compare(options, backbone))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.real_data
@pytest.mark.timeout(600)
class TestRealImages:
    """What the documents claim of the forms."""

    @pytest.mark.parametrize("kind", ["per_image", "pooled"])
    def test_the_fast_form_is_as_accurate_as_the_published_one(self, on_real_images, kind):
        forms = [of_forms["fast_16_stride2"] for of_forms in on_real_images.values()]
        assert average([getattr(form, kind)["auroc"] for form in forms]).difference >= -0.005

    def test_eight_bits_rank_as_floats_do(self, on_real_images):
        for forms in on_real_images.values():
            assert forms["u8_first"].lowest_correlation > 0.99
