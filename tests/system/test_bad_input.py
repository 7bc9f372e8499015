"""What a user can get wrong: the exit code, one line that names it, and nothing left behind."""

import io
import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from streamer.cli import run_command

SMALL = ["--set", "source.columns=256", "--set", "source.length_m=0.5"]


def weave(lines, columns=256, seed=0):
    y, x = np.mgrid[0:lines, 0:columns]
    noise = np.random.default_rng(seed).normal(0, 10, y.shape)
    return (120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7) + noise).clip(0, 255).astype(np.uint8)


def encoded(pixels, extension=".png"):
    done, content = cv2.imencode(extension, pixels)
    assert done
    return content.tobytes()


def array(pixels):
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def header_of_array(shape):
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def floating():
    file = io.BytesIO()
    Image.fromarray(np.full((90, 90), np.nan, np.float32)).save(file, "TIFF")
    return file.getvalue()


def video(path, frames=8, columns=256):
    kind = cv2.VideoWriter_fourcc(*("FFV1" if path.suffix == ".mkv" else "MJPG"))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, kind, 25, (columns, 128), isColor=False)
    assert writer.isOpened()
    for seed in range(frames):
        writer.write(weave(128, columns, seed))
    writer.release()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory; the temporary folder beside it must be empty at the end."""
    working, temporary = tmp_path / "work", tmp_path / "temporary"
    working.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield working
    assert list(temporary.iterdir()) == []


@pytest.fixture
def refused(place, capfd):
    """Runs a command that must fail before any process starts; returns its one line."""

    def call(*arguments, code=2):
        before = sorted(place.rglob("*"))
        assert run_command(list(arguments)) == code
        shown = capfd.readouterr()
        assert shown.out == ""
        (line,) = [line for line in shown.err.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in shown.err
        assert sorted(place.rglob("*")) == before
        return line

    return call


def assert_says(line, text):
    assert re.search(text, line), line


GOOD = weave(300)
FOLDERS = {
    "no image": ({}, "folder must hold images"),
    "other files": ({"a.txt": b"x"}, "folder must hold images"),
    "empty file": ({"a.png": encoded(GOOD), "b.png": b""}, "b.png: file must be .*an empty file"),
    "scrap": ({"a.png": b"scrap" * 90}, "a.png: file must be a PNG, TIFF, BMP or JPEG image"),
    "cut header": ({"a.bmp": encoded(GOOD, ".bmp")[:20]}, "a.bmp: file must be"),
    "cut TIFF": ({"a.tif": encoded(GOOD, ".tif")[:-300]}, "a.tif: file must be"),
    "widths": (
        {"a.png": encoded(GOOD), "b.png": encoded(weave(300, 200))},
        "b.png: columns must be 256 as in .*a.png, got 200",
    ),
    "channels": (
        {"a.png": encoded(GOOD), "b.png": encoded(np.dstack([GOOD] * 3))},
        "b.png: channels must be 1 as in .*a.png, got 3",
    ),
    "bits": (
        {"a.png": encoded(GOOD), "b.png": encoded(GOOD.astype(np.uint16))},
        "b.png: bits must be 8 as in .*a.png, got 16",
    ),
    "alpha": ({"a.png": encoded(np.dstack([GOOD] * 4))}, "a.png: pixels must be grey or RGB"),
    "NaN": ({"a.tif": floating()}, "a.tif: pixels must be grey or RGB .*got mode F"),
    "narrow": ({"a.png": encoded(weave(300, 71))}, "must be at least 72 columns wide, got 71"),
    "one pixel": ({"a.png": encoded(weave(1, 1))}, "must be at least 72 columns wide, got 1"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_no_web_is_refused(refused, place, name):
    files, text = FOLDERS[name]
    (place / "web").mkdir()
    for file, content in files.items():
        (place / "web" / file).write_bytes(content)
    assert_says(refused("replay", "web"), text)


FILES = {
    "web.npy": [
        (b"", "web.npy: file must be a .npy array"),
        (array(GOOD)[:40], "web.npy: file must be a .npy array"),
        (array(GOOD.astype(np.float32) * np.nan), "web.npy: pixels must be uint8 or uint16"),
        (array(GOOD[:0]), "web.npy: pixels must be .*got \\(0, 256\\)"),
        (header_of_array((-5, 256)), "web.npy: pixels must be .*got \\(-5, 256\\)"),
        (array(GOOD[0]), "web.npy: pixels must be .*got \\(256,\\)"),
        (array(weave(90, 40)), "must be at least 72 columns wide, got 40"),
    ],
    "web.mkv": [
        (b"", "web.mkv: file must be a video that OpenCV can open, got 0 bytes"),
        (b"scrap" * 999, "web.mkv: file must be a video that OpenCV can open"),
    ],
    "web.txt": [(b"x", "source.path must be a folder or a file of .png .*got web.txt")],
}


@pytest.mark.parametrize(
    ("name", "content", "text"), [(n, c, t) for n, cases in FILES.items() for c, t in cases]
)
def test_a_file_that_is_no_web_is_refused(refused, place, name, content, text):
    (place / name).write_bytes(content)
    assert_says(refused("replay", name), text)


def test_a_16_bit_web_is_refused_where_8_bits_are_configured(refused, place):
    (place / "web.npy").write_bytes(array(GOOD.astype(np.uint16)))
    chosen = ["--set", "source.kind=replay", "--set", "source.path=web.npy"]
    line = refused("run", *chosen, "--set", "source.bits=8")
    assert_says(line, "web.npy: bits must be 8 as source.bits says, got 16")


def test_lossy_video_is_refused_without_permission(refused, place):
    video(place / "web.avi")
    assert_says(refused("replay", "web.avi"), "codec must be lossless .*source.allow_lossy=true")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["replay", "gone"], "source.path must exist, got gone"),
        (["replay", ".", "--glob", "/etc/*"], "source.glob must be a pattern relative to"),
        (["replay", ".", "--width", "narrow"], "--width: .*'error' or 'pad', got 'narrow'"),
        (["run", "--set", "nonsense"], "setting must be section.key=value, got 'nonsense'"),
        (["run", "--set", "web.pixel_mm=0.5mm"], "web.pixel_mm: .*got '0.5mm'"),
        (["run", "--set", "web.pixel=1"], "web.pixel: unknown key"),
        (["run", "--set", "tiles.lines=100"], "tiles.lines must be a multiple of 16"),
        (["run", "--set", "web.columns=300"], "web.columns must be"),
        (["run", "--config", "gone.yaml"], "gone.yaml: config file must be readable"),
        (["run", "--config", "."], "config file must be readable, got Is a directory"),
        (["record", "--out", "rec", "--set", "source.kind=replay"], "source.path: Field required"),
        (["simulate", "--out", "rec", "--set", "source.columns=9"], "source.columns: "),
        (["bench", *SMALL, "--rows", "99"], "source must last for 99 tile rows"),
        (["report", "gone"], "roll must be a folder with a manifest.json"),
        (["export", "nothing"], "backbone.name must be one of"),
        (["inspect", "a.png", "b/a.png", "--out", "o"], "images must differ in their stem"),
        (["calibrate", "--out", "p", "--set", "backbone.name=x", *SMALL], "backbone.name must be"),
    ],
)
def test_a_wrong_argument_is_named(refused, arguments, text):
    assert_says(refused(*arguments), text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", *SMALL],
        ["replay", "web.npy"],
        ["inspect", "web.png", "--out", "found"],
        ["calibrate", "--out", "profile", *SMALL],
        ["bench", *SMALL, "--rows", "2"],
    ],
)
def test_a_kernel_that_must_not_score_is_refused(refused, place, monkeypatch, arguments):
    (place / "web.npy").write_bytes(array(GOOD))
    (place / "web.png").write_bytes(encoded(GOOD))
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    line = refused(*arguments, "--set", "kernels.require=native", code=3)
    assert_says(line, "must run in a compiled kernel as kernels.require: native says, got ref")
    monkeypatch.setenv("LINESCAN_KERNEL", "sse9")
    assert_says(refused(*arguments, code=3), "LINESCAN_KERNEL must be one of")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x89PNG\r\n\x1a\n", "run.yaml: config file must be YAML in UTF-8"),
        (b"web: [1, 2\n  a: {", "run.yaml:2: config file must be YAML"),
        (b"- web\n", "run.yaml:1: config file must be a mapping"),
        (b"web:\n  pixel_mm: 1\n  pixel_mm: 2\n", "run.yaml:3: web.pixel_mm: key must appear once"),
        (b"\nweb:\n  pixels: 1\n", "run.yaml:3: web.pixels: unknown key"),
        (b"web: {pixel_mm: .nan}\n", "run.yaml:1: web.pixel_mm: .*finite"),
        (b"roll: {name: ../../etc}\n", "run.yaml:1: roll.name: "),
        (b"roll: !!python/name:os.system x\n", "run.yaml:1: config file must be YAML"),
    ],
)
@pytest.mark.parametrize("command", ["run", "validate-config"])
def test_a_config_that_cannot_be_used_is_refused_at_its_line(
    refused, place, command, content, text
):
    (place / "run.yaml").write_bytes(content)
    assert_says(refused(command, "--config", "run.yaml"), text)


@pytest.fixture
def recording(place, capfd):
    assert run_command(["simulate", "--out", "rec", *SMALL]) == 0
    capfd.readouterr()
    return place / "rec"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("recording.json", b'{"format"', "recording.json: file must be the header"),
        ("recording.json", b"", "recording.json: file must be the header"),
        ("ledger.rows", b"", "recording must hold lines, got none"),
        ("ledger.rows", b"scrap\n" * 9, "recording must hold lines, got none"),
        ("truth.json", b'{"version":1,', "truth.json: file must be ground truth"),
        ("truth.json", b'{"made": "by hand"}', "truth.json: file must be ground truth"),
    ],
)
def test_a_damaged_recording_says_which_file(refused, recording, name, content, text):
    (recording / name).write_bytes(content)
    assert_says(refused("replay", "rec"), text)


def test_a_recording_is_never_written_over(refused, recording):
    assert_says(refused("simulate", "--out", "rec", *SMALL), "--out must be an empty folder")
    (recording / "recording.json").rename(recording.parent / "file")
    line = refused("record", "--out", "file", *SMALL)
    assert_says(line, "file: --out must be a folder that can be written, got File exists")
    assert_says(refused("simulate", "--out", ".", *SMALL), "folder must be empty or a recording")


def run(*arguments, **environment):
    """`linescan` as a process; (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "streamer", *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.system
def test_names_with_spaces_and_umlauts_work_in_any_locale(place):
    (place / "stück ä 1.png").write_bytes(encoded(weave(120, 120)))
    cut = encoded(weave(120, 120, 1))[:-900]
    (place / "stück ö 2.png").write_bytes(cut)
    command = ("inspect", "stück ä 1.png", "stück ö 2.png", "--out", "größe", "--json")
    code, out, err = run(*command, LC_ALL="C", LANG="C")
    assert code == 2
    assert [image["image"] for image in json.loads(out)["images"]] == ["stück ä 1.png"]
    assert err.startswith("error: stück ö 2.png: PNG must have")
    assert err.count("\n") == 1
    assert (place / "größe" / "stück ä 1.json").is_file()


@pytest.mark.system
@pytest.mark.timeout(180)
def test_a_video_that_ends_in_mid_frame_is_inspected_as_far_as_it_goes(start_line, tmp_path):
    path = tmp_path / "web.mkv"
    video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    line = start_line(command=("replay", str(path)))
    code, _, err = line.finish()
    assert code == 5, err + line.log()
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    lost = coverage["not_inspected_px"]["corrupt_input"]
    assert coverage["is_exact"]
    assert manifest["totals"]["lines"] == 8 * 128
    assert 0 < lost < 8 * 128 * 256
    assert lost % (128 * 256) == 0  # whole frames
    assert "Traceback" not in err + line.log()
    assert line.leftovers() == []


@pytest.mark.system
@pytest.mark.timeout(180)
def test_nobody_has_to_watch_a_line(start_line):
    """The reader of its output leaves at once: the roll is inspected all the same."""
    line = start_line(source__length_m=1.0, profile__bootstrap_m=0.3)
    line.process.stdout.close()
    line.process.stderr.close()
    assert line.process.wait(90) == 3  # the answer was not taken
    coverage = line.manifest()["totals"]["coverage"]
    assert coverage["is_exact"]
    assert coverage["not_inspected_percent"] == 0
    assert line.manifest()["outcome"] == "complete"
    assert line.leftovers() == []
