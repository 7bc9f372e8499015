import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from streamer.cli import run_command

OPTIONS = [
    "--set",
    "backbone.engine=torch",
    "--set",
    "backbone.threads=1",
    "--set",
    "scoring.threads=1",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Away from the repository's config.yaml; the number of threads is restored."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weave(lines: int, columns: int, flaw: bool = False) -> np.ndarray:
    y, x = np.mgrid[0:lines, 0:columns]
    pattern = 120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)
    noisy = pattern + np.random.default_rng(0).normal(0, 10, pattern.shape)
    if flaw:
        noisy[100:124, 80:110] = 30
    return noisy.clip(0, 255).astype(np.uint8)


def inspect(*arguments: object) -> int:
    return run_command(["inspect", *map(str, arguments), "--out", "out", *OPTIONS])


def test_a_flaw_is_found_and_all_files_are_written(tmp_path, capsys) -> None:
    cv2.imwrite("cloth.png", weave(256, 256, flaw=True))
    assert inspect("cloth.png", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["errors"] == []
    (report,) = printed["images"]
    assert json.loads((tmp_path / "out" / "cloth.json").read_text()) == report
    assert report["peak"] > 1
    (region,) = report["regions"]
    assert region["peak"] == pytest.approx(report["peak"])
    assert region["lines"]["first"] < 110 < region["lines"]["end"] < 160
    assert region["columns"]["first"] < 90 < region["columns"]["end"] < 150
    assert region["box_mm"]["cross_first"] == pytest.approx(region["columns"]["first"] * 0.5)
    scores = np.load(report["map"])
    assert scores.shape == (256, 256)
    assert scores.max() <= report["image_score"] + 1e-7
    assert report["image_score"] > report["alarm_level"] > report["background"]
    assert (report["backbone"], report["patch_size"]) == ("efficientnet_lite0", 9)
    assert cv2.imread(report["overlay"]).shape == (256, 256, 3)


def test_clean_images_of_every_kind_have_no_region(capsys) -> None:
    grey = weave(200, 240)
    cv2.imwrite("grey.png", grey)
    cv2.imwrite("colour.bmp", np.stack([grey] * 3, axis=2))
    cv2.imwrite("deep.tiff", grey.astype(np.uint16) * 257)
    cv2.imwrite("lossy.jpg", grey)
    assert inspect("grey.png", "colour.bmp", "deep.tiff", "lossy.jpg") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "grey.png",
        "colour.bmp",
        "deep.tiff",
        "lossy.jpg",
    ]
    assert all("0 regions" in line for line in lines)
    scores = [np.load(f"out/{stem}.map.npy") for stem in ("grey", "colour", "deep")]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
    np.testing.assert_allclose(scores[2], scores[0], atol=1e-4)


def test_a_narrow_strip_gets_smaller_windows_and_is_told_so(capsys) -> None:
    cv2.imwrite("strip.png", weave(400, 55))
    assert inspect("strip.png", "--json") == 0
    printed = capsys.readouterr()
    assert "strip.png: windows of 7 features instead of 9" in printed.err
    (report,) = json.loads(printed.out)["images"]
    assert (report["patch_size"], report["patch_size_configured"]) == (7, 9)
    assert np.load("out/strip.map.npy").shape == (400, 55)


def test_bad_images_are_named_and_the_others_still_done(tmp_path, capsys) -> None:
    good = weave(120, 120)
    cv2.imwrite("good.png", good)
    cv2.imwrite("tiny.png", good[:10, :10])
    cv2.imwrite("one_line.png", good[:1])
    content = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no image")
    cv2.imwrite("float.tiff", np.full((90, 90), np.nan, np.float32))
    bad = ["tiny.png", "one_line.png", "cut.png", "empty.png", "text.png", "float.tiff", "gone.png"]
    assert inspect(*bad, "good.png", "--json") == 2
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert [report["image"] for report in document["images"]] == ["good.png"]
    assert len(document["errors"]) == len(bad)
    for name, fault in zip(bad, document["errors"], strict=True):
        assert fault.startswith(name)
        assert f"error: {fault}\n" in printed.err
        assert fault.count(name) == 1
    assert "Traceback" not in printed.err
    assert {p.name.split(".")[0] for p in (tmp_path / "out").iterdir()} == {"good"}


def test_images_of_one_stem_are_refused_before_anything_is_written(tmp_path, capsys) -> None:
    assert inspect("a/x.png", "b/x.tif") == 2
    assert "images must differ in their stem, got a/x.png and b/x.tif" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_that_cannot_be_written_are_the_environment(tmp_path, capsys) -> None:
    cv2.imwrite("good.png", weave(120, 120))
    (tmp_path / "out").write_text("a file")
    assert inspect("good.png") == 2
    assert "out: --out must be a folder that can be written" in capsys.readouterr().err


def test_a_full_disk_is_the_environment(tmp_path) -> None:
    """In a process of its own: the limit on file sizes cannot be raised again."""
    cv2.imwrite("good.png", weave(200, 200))
    code = (
        "import resource, signal, sys; from streamer.cli import run_command\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"sys.exit(run_command(['inspect', 'good.png', '--out', 'out', *{OPTIONS!r}]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ,
        check=False,
    )
    assert ran.returncode == 3
    assert "error: map must be writable at out/good.map.npy, got: File too large" in ran.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert "Traceback" not in ran.stderr


def test_a_saved_profile_judges_by_other_web(capsys) -> None:
    settings = ["--set", "source.columns=256", "--metres", "0.3"]
    assert run_command(["calibrate", "--out", "web.safetensors", *settings, *OPTIONS]) == 0
    capsys.readouterr()
    cv2.imwrite("flat.png", np.full((200, 200), 250, np.uint8))
    assert inspect("flat.png", "--json") == 0
    (alone,) = json.loads(capsys.readouterr().out)["images"]
    assert alone["regions"] == []
    assert inspect("flat.png", "--json", "--profile", "web.safetensors") == 0
    (compared,) = json.loads(capsys.readouterr().out)["images"]
    assert compared["peak"] > 1
    assert compared["profile_digest"] != alone["profile_digest"]
    cv2.imwrite("strip.png", weave(200, 55))
    assert inspect("strip.png", "--profile", "web.safetensors") == 2
    assert "must hold the profile's windows of 72 pixels, got (200, 55)" in capsys.readouterr().err
    other = ["--set", "scoring.levels=8"]
    assert inspect("flat.png", "--profile", "web.safetensors", *other) == 2
    assert "profile must be for levels = 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "must be readable"), (b"junk", "must be a file of")]
)
def test_profiles_that_cannot_be_used_are_refused(tmp_path, capsys, content, fault) -> None:
    path = tmp_path / "p.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert inspect("any.png", "--profile", path) == 2
    printed = capsys.readouterr().err
    assert f"{path}: profile {fault}" in printed


def test_settings_that_name_nothing_are_refused(capsys) -> None:
    assert inspect("any.png", "--set", "backbone.name=nothing") == 2
    assert "nothing" in capsys.readouterr().err


def test_the_level_follows_the_false_alarms_that_an_image_may_have(tmp_path, capsys) -> None:
    cv2.imwrite("cloth.png", weave(256, 256))
    levels = []
    for rate in ("0.0001", "0.01", "1"):
        assert inspect("cloth.png", "--false-alarms-per-image", rate) == 0
        report = json.loads((tmp_path / "out" / "cloth.json").read_text())
        levels.append(report["alarm_level"])
        assert report["background"] < report["alarm_level"]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 3


def strip_with_margin(flaw: bool = False) -> np.ndarray:
    return np.concatenate([np.full((256, 120), 255, np.uint8), weave(256, 600, flaw)], axis=1)


def report_of(capsys) -> dict:
    (report,) = json.loads(capsys.readouterr().out)["images"]
    return report


def test_a_margin_is_neither_judged_nor_hides_a_flaw(capsys) -> None:
    cv2.imwrite("strip.png", strip_with_margin(flaw=True))
    assert inspect("strip.png", "--json") == 0
    report = report_of(capsys)
    (columns,) = report["masked"]["columns"]
    assert columns["first"] == 0
    assert 120 <= columns["end"] <= 136
    assert report["masked"]["lines"] == []
    scores = np.load(report["map"])
    missing = np.isnan(scores)
    assert missing[:, :120].all()
    assert missing.mean() == pytest.approx(report["masked"]["share"])
    assert report["masked"]["area_mm2"] == pytest.approx(missing.sum() * 0.25)
    assert np.isfinite(report["peak"])
    assert report["peak"] > 1
    (region,) = report["regions"]
    assert region["columns"]["first"] < 120 + 90 < region["columns"]["end"]
    assert not missing[:, region["columns"]["first"] : region["columns"]["end"]].any()


def test_the_share_that_is_masked_is_said(capsys) -> None:
    cv2.imwrite("strip.png", strip_with_margin())
    assert inspect("strip.png") == 0
    assert "0 regions, 17." in capsys.readouterr().out


def test_without_the_search_the_margin_is_judged(capsys) -> None:
    cv2.imwrite("strip.png", strip_with_margin())
    assert inspect("strip.png", "--json", "--set", "edges.mode=off") == 0
    report = report_of(capsys)
    assert report["masked"] == {"share": 0.0, "area_mm2": 0.0, "lines": [], "columns": []}
    assert np.isfinite(np.load(report["map"])).all()


def test_a_mask_of_the_user_is_taken(capsys) -> None:
    cv2.imwrite("cloth.png", weave(256, 256, flaw=True))
    mask = np.zeros((256, 256), np.uint8)
    mask[88:136, 64:128] = 1
    cv2.imwrite("mask.png", mask)
    assert inspect("cloth.png", "--mask", "mask.png", "--json") == 0
    report = report_of(capsys)
    np.testing.assert_array_equal(np.isnan(np.load(report["map"])), mask > 0)
    assert report["masked"]["share"] == pytest.approx((mask > 0).mean())
    assert inspect("cloth.png", "--json") == 0
    # The flaw is gone; what is left comes from the texture that is mirrored where it was.
    assert report["image_score"] < 0.5 * report_of(capsys)["image_score"]


def test_masks_that_cannot_be_used(tmp_path, capsys) -> None:
    cv2.imwrite("cloth.png", weave(120, 200))
    cv2.imwrite("turned.png", np.zeros((200, 120), np.uint8))
    cv2.imwrite("full.png", np.full((120, 200), 255, np.uint8))
    (tmp_path / "text.png").write_text("no image")
    for mask, text in (
        ("turned.png", "cloth.png: mask must be 120 x 200 as its image, got (200, 120)"),
        ("full.png", "cloth.png: image must show web, got nothing that is not masked; check"),
        ("gone.png", "gone.png: --mask must be readable, got No such file or directory"),
        ("text.png", "text.png: file must be a PNG, TIFF, BMP or JPEG image"),
    ):
        assert inspect("cloth.png", "--mask", mask) == 2
        assert f"error: {text}" in capsys.readouterr().err


def test_an_overexposed_image_is_an_error_and_no_zero(capsys) -> None:
    cv2.imwrite("white.png", np.full((200, 200), 255, np.uint8))
    assert inspect("white.png") == 2
    assert "white.png: image must show web, got nothing" in capsys.readouterr().err


def test_windows_fit_the_web_and_not_the_margin(capsys) -> None:
    mask = np.zeros((200, 150), np.uint8)
    mask[:, 56:] = 255
    cv2.imwrite("narrow.png", weave(200, 150))
    cv2.imwrite("mask.png", mask)
    assert inspect("narrow.png", "--mask", "mask.png", "--json") == 0
    printed = capsys.readouterr()
    assert "narrow.png: windows of 7 features instead of 9" in printed.err
    assert json.loads(printed.out)["images"][0]["patch_size"] == 7


def test_light_is_evened_when_asked_for(capsys) -> None:
    shaded = (weave(256, 512) * np.linspace(0.6, 1.4, 512)).clip(0, 255).astype(np.uint8)
    cv2.imwrite("shaded.png", shaded)
    scores = {}
    for light in ("off", "slow"):
        assert inspect("shaded.png", "--json", "--set", f"correction.light={light}") == 0
        report = report_of(capsys)
        scores[light] = report["image_score"]
    assert scores["slow"] < 0.8 * scores["off"]


def test_a_saved_profile_judges_a_blank_image_too(capsys) -> None:
    settings = ["--set", "source.columns=256", "--metres", "0.3"]
    assert run_command(["calibrate", "--out", "web.safetensors", *settings, *OPTIONS]) == 0
    capsys.readouterr()
    cv2.imwrite("blank.png", np.full((200, 200), 255, np.uint8))
    assert inspect("blank.png", "--json", "--profile", "web.safetensors") == 0
    report = report_of(capsys)
    assert report["peak"] > 1
    assert report["masked"]["share"] == 0
