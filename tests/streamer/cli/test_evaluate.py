"""The command as a user calls it: figures, comparisons, resuming, and what it says of bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from streamer.cli import run_command
from streamer.cli.evaluate_store import MapStore

OPTIONS = [
    *("--set", "backbone.engine=torch", "--set", "backbone.threads=1"),
    *("--set", "scoring.threads=1", "--resamples", "20"),
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Away from the repository's config.yaml; the number of threads is restored."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weave(seed, flaw):
    y, x = np.mgrid[0:128, 0:128]
    pattern = 120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)
    noisy = pattern + np.random.default_rng(seed).normal(0, 10, pattern.shape)
    mask = np.zeros((128, 128), np.uint8)
    if flaw:
        lines, columns = slice(50, 70), slice(40 + 8 * seed, 60 + 8 * seed)
        noisy[lines, columns], mask[lines, columns] = 30, 255
    return noisy.clip(0, 255).astype(np.uint8), mask


def write(folder, name, picture):
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), picture)


@pytest.fixture
def cloth(tmp_path):
    """A set of one class: three flaws, one clean image."""
    folder = tmp_path / "cloth" / "plain"
    for seed in range(4):
        pixels, mask = weave(seed, flaw=seed < 3)
        write(folder / "images", f"{seed}.png", pixels)
        write(folder / "masks", f"{seed}.png", mask)
    return folder.parent


def evaluate(*arguments):
    return run_command(["evaluate", *map(str, arguments), *OPTIONS])


def document(capsys, *arguments, code=0):
    assert evaluate(*arguments, "--json") == code
    return json.loads(capsys.readouterr().out)


class TestFigures:
    def test_flaws_are_found_and_everything_is_told(self, cloth, capsys):
        found = document(capsys, cloth)
        (run,) = found["runs"]
        plain = run["sets"]["cloth"]["classes"]["plain"]
        assert (plain["images"], plain["defective"], plain["regions"]) == (4, 3, 3)
        assert plain["counting"] == "exact"
        auroc = plain["figures"]["auroc"]
        assert 0.9 < auroc["low"] <= auroc["value"] <= auroc["high"] <= 1
        assert plain["figures"]["image_auroc"]["value"] == 1
        assert run["mean"]["auroc"]["value"] == auroc["value"]
        assert run["seconds_per_mpix"]["scoring"] > 0
        assert [image["defective"] for image in plain["per_image"]] == [True, True, True, False]
        assert run["backbone"]["digest"]
        assert found["errors"] == []

    def test_the_table_names_class_set_and_mean(self, cloth, capsys):
        assert evaluate(cloth) == 0
        shown, told = capsys.readouterr()
        for text in ("cloth / plain", "cloth, mean", "mean of the sets"):
            assert text in shown
        assert "no mask" not in told

    def test_a_file_holds_the_same_document(self, cloth, tmp_path, capsys):
        printed = document(capsys, cloth, "--out", "results/all.json")
        assert json.loads((tmp_path / "results/all.json").read_text()) == printed
        assert (tmp_path / "results/evaluation-work").is_dir()

    def test_boxes_have_figures_of_regions_alone(self, cloth, capsys):
        found = document(capsys, cloth, "--boxes")
        assert found["datasets"][0]["boxes"]
        figures = found["runs"][0]["mean"]
        assert "pro30" in figures
        assert "auroc" not in figures

    def test_boxes_in_one_set_alone(self, cloth, tmp_path, capsys):
        pixels, mask = weave(0, flaw=True)
        write(tmp_path / "other/a/images", "0.png", pixels)
        write(tmp_path / "other/a/masks", "0.png", mask)
        sets = document(capsys, cloth, tmp_path / "other", "--boxes-in", "other")["runs"][0]["sets"]
        assert "auroc" in sets["cloth"]["mean"]
        assert "auroc" not in sets["other"]["mean"]

    def test_images_without_a_mask_take_no_part(self, cloth, capsys):
        (cloth / "plain/masks/0.png").unlink()
        assert evaluate(cloth, "--json") == 0
        shown, told = capsys.readouterr()
        found = json.loads(shown)
        assert (found["datasets"][0]["images"], found["datasets"][0]["without_truth"]) == (4, 1)
        assert "note: cloth/plain: 1 of 4 images have no mask and count in no figure" in told
        assert found["runs"][0]["sets"]["cloth"]["classes"]["plain"]["images"] == 3

    def test_a_folder_of_ones_own_images_has_maps_and_no_figures(self, cloth, capsys):
        found = document(capsys, cloth / "plain/images")
        assert found["runs"][0]["mean"] == {}
        assert found["errors"] == []

    def test_mvtecs_own_layout_gives_the_same_figures(self, cloth, tmp_path, capsys):
        expected = document(capsys, cloth)["runs"][0]["mean"]
        for seed in range(4):
            pixels, mask = weave(seed, flaw=seed < 3)
            kind = "cut" if seed < 3 else "good"
            write(tmp_path / f"mv/plain/test/{kind}", f"{seed}.png", pixels)
            if seed < 3:
                write(tmp_path / "mv/plain/ground_truth/cut", f"{seed}_mask.png", mask)
        found = document(capsys, tmp_path / "mv")["runs"][0]["mean"]
        assert {k: v["value"] for k, v in found.items()} == {
            k: v["value"] for k, v in expected.items()
        }


class TestImages:
    @pytest.mark.parametrize("end", ["tif", "bmp"])
    def test_other_lossless_formats_give_the_same_figures(self, cloth, tmp_path, capsys, end):
        expected = document(capsys, cloth)["runs"][0]["mean"]
        for seed in range(4):
            pixels, mask = weave(seed, flaw=seed < 3)
            write(tmp_path / "other/plain/images", f"{seed}.{end}", pixels)
            write(tmp_path / "other/plain/masks", f"{seed}.{end}", mask)
        found = document(capsys, tmp_path / "other")["runs"][0]["mean"]
        assert found["auroc"]["value"] == expected["auroc"]["value"]

    def test_jpeg_with_png_masks(self, tmp_path, capsys):
        for seed in range(2):
            pixels, mask = weave(seed, flaw=True)
            write(tmp_path / "lossy/plain/images", f"{seed}.jpg", pixels)
            write(tmp_path / "lossy/plain/masks", f"{seed}.png", mask)
        found = document(capsys, tmp_path / "lossy")["runs"][0]["mean"]
        assert found["auroc"]["value"] > 0.9

    def test_sixteen_bits_and_colours(self, tmp_path, capsys):
        pixels, mask = weave(0, flaw=True)
        write(tmp_path / "deep/plain/images", "0.png", pixels.astype(np.uint16) * 257)
        write(tmp_path / "deep/plain/images", "1.png", np.dstack([pixels] * 3))
        write(tmp_path / "deep/plain/masks", "0.png", mask)
        write(tmp_path / "deep/plain/masks", "1.png", mask)
        plain = document(capsys, tmp_path / "deep")["runs"][0]["sets"]["deep"]["classes"]["plain"]
        deep, colour = (image["image_mean_auroc"] for image in plain["per_image"])
        assert deep == pytest.approx(colour, abs=0.01)

    def test_a_few_of_them_spread_evenly(self, cloth, capsys):
        plain = document(capsys, cloth, "--limit", 2)["runs"][0]["sets"]["cloth"]["classes"][
            "plain"
        ]
        assert [image["image"] for image in plain["per_image"]] == ["images/0.png", "images/2.png"]

    def test_masks_beyond_the_limit_are_no_strays(self, cloth, capsys):
        assert document(capsys, cloth, "--limit", 1)["errors"] == []


class TestIntervals:
    def test_the_seed_decides_them(self, cloth, capsys):
        first, again, other = (
            document(capsys, cloth, "--seed", seed)["runs"][0]["mean"]["ap"] for seed in (1, 1, 2)
        )
        assert first == again
        assert first["value"] == other["value"]
        assert (first["low"], first["high"]) != (other["low"], other["high"])

    def test_the_crop_is_part_of_the_protocol(self, cloth, capsys):
        found = document(capsys, cloth, "--crop", 0.0)
        assert found["protocol"]["crop_share"] == 0
        assert found["runs"][0]["sets"]["cloth"]["classes"]["plain"]["regions"] == 3


class TestRuns:
    def test_the_first_is_the_base_of_the_others(self, cloth, capsys):
        found = document(capsys, cloth, "--method", "fca_fast", "--method", "fca")
        base, other = found["runs"]
        assert [base["name"], other["name"]] == ["fca_fast", "fca"]
        assert "against_base" not in base
        pair = other["against_base"]["mean"]["auroc"]
        assert pair["base"] == base["mean"]["auroc"]["value"]
        assert pair["difference"] == pytest.approx(pair["form"] - pair["base"])
        assert pair["low"] <= pair["high"]

    def test_differences_stand_in_a_table_of_their_own(self, cloth, capsys):
        assert evaluate(cloth, "--method", "fca_fast", "--method", "fca") == 0
        assert "difference to fca_fast" in capsys.readouterr().out

    def test_normalised_scores_rank_the_pixels_of_an_image_alike(self, cloth, capsys):
        raw, normalised = (
            document(capsys, cloth, *extra)["runs"][0]["mean"]["image_mean_auroc"]["value"]
            for extra in ([], ["--normalised"])
        )
        assert normalised == pytest.approx(raw, abs=1e-4)

    def test_a_stream_is_judged_as_on_the_line(self, cloth, capsys):
        """Per tile, and one tile per image: the figures of single images, but for the edges."""
        cut = ["--set", "tiles.lines=128", "--set", "tiles.columns=128"]
        alone = document(capsys, cloth)["runs"][0]["mean"]["auroc"]["value"]
        extra = ["--stream", "--set", "profile.mode=per_tile", *cut]
        stream = document(capsys, cloth, *extra)["runs"][0]["mean"]["auroc"]["value"]
        assert stream == pytest.approx(alone, abs=0.01)

    def test_a_saved_profile_judges_all_images(self, cloth, capsys):
        source = ["--set", "source.kind=replay", "--set", f"source.path={cloth}/plain/images/3.png"]
        learnt = ["--out", "plain.safetensors", *source, *OPTIONS[:6], "--metres", "0.064"]
        assert run_command(["calibrate", *learnt, "--set", "tiles.lines=128"]) == 0
        capsys.readouterr()
        found = document(capsys, cloth, "--profile", "plain.safetensors")
        assert found["runs"][0]["mean"]["auroc"]["value"] > 0.9


class TestPage:
    def test_tables_curves_and_pictures_in_one_file(self, cloth, tmp_path, capsys):
        found = document(
            capsys, cloth, "--method", "fca_fast", "--method", "fca", "--html", "out/page.html"
        )
        text = (tmp_path / "out/page.html").read_text()
        for run in found["runs"]:
            assert f"{run['mean']['auroc']['value']:.4f}" in text
        assert text.count('<svg viewBox="-30') == 5
        assert text.count("<path") == 10 + 2  # curves, and a stroke of each run in the key
        assert text.count("data:image/jpeg") == 3 * 4
        assert "Clean within the crop" in text
        assert "http" not in text.replace("http-equiv", "")

    def test_the_number_of_pictures_is_bounded(self, cloth, tmp_path):
        assert evaluate(cloth, "--html", "page.html", "--gallery", 2) == 0
        assert (tmp_path / "page.html").read_text().count("data:image/jpeg") == 4

    def test_images_of_ones_own_are_shown_without_figures(self, cloth, tmp_path):
        assert evaluate(cloth / "plain/images", "--html", "page.html") == 0
        text = (tmp_path / "page.html").read_text()
        assert "Truth unknown" in text
        assert text.count("data:image/jpeg") == 8
        assert "<svg" not in text

    def test_a_bad_mask_is_named_on_it(self, cloth, tmp_path):
        write(cloth / "plain/masks", "1.png", np.zeros((128, 120), np.uint8))
        assert evaluate(cloth, "--html", "page.html") == 2
        assert "mask must be 128 x 128 as its image" in (tmp_path / "page.html").read_text()

    def test_it_must_be_writable(self, cloth, tmp_path, capsys):
        (tmp_path / "page.html").mkdir()
        assert evaluate(cloth, "--html", "page.html") == 3
        assert "page.html" in capsys.readouterr().err


class TestResuming:
    def test_a_rerun_makes_no_map_again(self, cloth, capsys, monkeypatch):
        first = document(capsys, cloth)
        monkeypatch.setattr("streamer.cli.evaluate_maps.score_image", None)  # nobody calls it
        assert document(capsys, cloth)["runs"] == first["runs"]

    def test_a_changed_image_alone_is_scored_again(self, cloth, capsys, tmp_path):
        document(capsys, cloth)
        kept = set((tmp_path / "evaluation-work").iterdir())
        write(cloth / "plain/images", "2.png", weave(9, flaw=False)[0])
        document(capsys, cloth)
        assert len(set((tmp_path / "evaluation-work").iterdir()) - kept) == 1

    def test_fresh_makes_them_anew(self, cloth, capsys, tmp_path):
        document(capsys, cloth)
        before = {f: f.stat().st_mtime_ns for f in (tmp_path / "evaluation-work").iterdir()}
        document(capsys, cloth, "--fresh")
        after = {f: f.stat().st_mtime_ns for f in (tmp_path / "evaluation-work").iterdir()}
        assert before.keys() == after.keys()
        assert all(after[file] > before[file] for file in before)

    def test_the_number_of_processes_changes_no_figure(self, cloth, capsys):
        one = document(capsys, cloth, "--work", "one")["runs"][0]
        two = document(capsys, cloth, "--work", "two", "--jobs", "2")["runs"][0]
        assert one["mean"] == two["mean"]
        assert one["maps_digest"] == two["maps_digest"]


@pytest.mark.system
def test_ctrl_c_leaves_what_is_finished(cloth, tmp_path):
    for seed in range(4, 40):
        write(cloth / "plain/images", f"{seed:03}.png", weave(seed, flaw=False)[0])
    command = [sys.executable, "-m", "streamer", "evaluate", str(cloth), "--work", "kept", *OPTIONS]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with process:
        deadline = time.monotonic() + 90
        while len(list(tmp_path.glob("kept/*.npz"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.endswith("error: interrupted\n")
    kept = list((tmp_path / "kept").iterdir())
    assert 2 <= len(kept) < 40
    assert all(MapStore(tmp_path / "kept").load(file) is not None for file in kept)


class TestBadInput:
    def test_a_broken_image_is_named_and_the_others_are_done(self, cloth, capsys):
        (cloth / "plain/images/1.png").write_bytes(b"no image")
        assert evaluate(cloth, "--json") == 2
        shown = capsys.readouterr()
        assert f"error: {cloth}/plain/images/1.png" in shown.err
        plain = json.loads(shown.out)["runs"][0]["sets"]["cloth"]["classes"]["plain"]
        assert plain["images"] == 3

    def test_a_mask_of_another_size_is_named(self, cloth, capsys):
        write(cloth / "plain/masks", "1.png", np.zeros((128, 120), np.uint8))
        found = document(capsys, cloth, code=2)
        rule = "mask must be 128 x 128 as its image, got 128 x 120"
        assert found["errors"] == [f"{cloth}/plain/masks/1.png: {rule}"]

    def test_a_mask_without_its_image_is_named(self, cloth, capsys):
        (cloth / "plain/images/1.png").unlink()
        found = document(capsys, cloth, code=2)
        assert "plain/masks/1.png: mask must have an image of its name" in found["errors"][0]

    def test_a_broken_image_of_a_stream_is_a_gap(self, cloth, capsys):
        path = cloth / "plain/images/1.png"
        path.write_bytes(path.read_bytes()[:-40])  # its header is whole
        found = document(capsys, cloth, "--stream", code=2)
        assert f"{path}: PNG must have" in found["errors"][0]
        assert found["runs"][0]["sets"]["cloth"]["classes"]["plain"]["images"] == 3

    def test_images_too_small_for_a_window(self, tmp_path, capsys):
        write(tmp_path / "tiny/images", "a.png", np.zeros((8, 8), np.uint8))
        found = document(capsys, tmp_path / "tiny", code=2)
        assert "image must be at least 17 pixels at each side" in found["errors"][0]

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["nowhere"], "nowhere: DATASET must hold images"),
            (["cloth", "--method", "guess"], "scoring.method"),
            (["cloth", "--feature", "none_such"], "none_such"),
            (["cloth", "--feature", "x.onnx"], "must be given together"),
            (["cloth", "--profile", "none.safetensors"], "none.safetensors: profile must be"),
            (["cloth", "--method", "fca", "--method", "fca"], "runs must differ, got fca twice"),
            (["cloth", "--crop", "0.6"], "--crop"),
            (["cloth", "--web-pattern", "("], "--web-pattern must be a regular expression"),
            (["cloth", "--boxes-in", "silk"], "--boxes-in must be of the sets cloth, got silk"),
        ],
    )
    def test_what_is_wrong_is_said(self, cloth, capsys, arguments, text):
        assert cloth.is_dir()
        assert evaluate(*arguments) == 2
        assert text in capsys.readouterr().err


@pytest.mark.real_data
def test_figures_of_real_images_are_those_of_another_library(capsys, tmp_path):
    """From the kept maps on everything again: interpolation, crop, regions, pooling, AUROC, AP."""
    data = os.environ.get("LINESCAN_DATA", str(Path(__file__).parents[4] / "shared" / "data"))
    folder = Path(data) / "crackforest" / "asphalt"
    found = document(capsys, folder, "--limit", 6, "--work", "kept")
    figures = found["runs"][0]["sets"]["crackforest"]["classes"]["asphalt"]["figures"]
    scores, truth, peaks = [], [], {}
    for file in (tmp_path / "kept").iterdir():
        (entry,) = MapStore(tmp_path / "kept").load(file).maps
        places = np.indices(entry.shape)
        grid = (places + 0.5) / entry.stride - 0.5
        full = ndimage.map_coordinates(entry.scores.astype(float), grid, order=1, mode="mirror")
        image = Path(entry.image)
        mask = cv2.imread(str(image.parent.parent / "masks" / image.name), cv2.IMREAD_GRAYSCALE)
        rows, columns = (round(0.1 * size) for size in entry.shape)
        inside = slice(rows, -rows), slice(columns, -columns)
        scores.append(full[inside].ravel())
        truth.append(mask[inside].ravel() > 0)
        peaks[f"images/{image.name}"] = full[inside].max()
    pooled, labels = np.concatenate(scores), np.concatenate(truth)
    assert figures["auroc"]["value"] == pytest.approx(roc_auc_score(labels, pooled), abs=1e-6)
    average = average_precision_score(labels, pooled)
    assert figures["ap"]["value"] == pytest.approx(average, abs=1e-5)
    told = found["runs"][0]["sets"]["crackforest"]["classes"]["asphalt"]["per_image"]
    assert {one["image"]: one["peak"] for one in told} == pytest.approx(peaks, rel=1e-5)
