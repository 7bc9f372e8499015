"""`linescan export-recording`: metres of a recording as files; nonsense is explained."""

import json

import cv2
import numpy as np
import pytest

from streamer.cli import run_command


@pytest.fixture
def recording(tmp_path):
    out = tmp_path / "web"
    settings = ("source.columns=96", "source.length_m=1", "source.clean_m=0")
    options = [part for setting in settings for part in ("--set", setting)]
    assert run_command(["simulate", "--out", str(out), *options]) == 0
    return out


def export(recording, out, *options):
    return run_command(["export-recording", str(recording), "--out", str(out), *options])


def test_metres_become_files(recording, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / "files"
    assert export(recording, out, "--from", "0.25", "--to", "0.75", "--lines", "400", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lines"], told["lost_lines"], len(told["files"])) == (1000, 0, 3)
    whole = np.fromfile(recording / "lines-00000.raw", np.uint8).reshape(-1, 96)
    shown = [cv2.imread(path, cv2.IMREAD_UNCHANGED) for path in told["files"]]
    assert np.array_equal(np.concatenate(shown), whole[500:1500])


@pytest.mark.parametrize("form", ["tiff", "ffv1"])
def test_the_whole_is_exported_unless_told(recording, tmp_path, capsys, form):
    assert export(recording, tmp_path / "files", "--format", form) == 0
    assert "2000 lines in 2 files" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--format", "jpeg"), "--format must be png, tiff or ffv1, got jpeg"),
        (("--lines", "3"), "16"),
    ],
)
def test_nonsense_is_a_usage_fault(recording, tmp_path, capsys, options, text):
    assert export(recording, tmp_path / "files", *options) == 2
    assert text in capsys.readouterr().err


def test_what_is_no_recording_is_told(tmp_path, capsys):
    assert export(tmp_path, tmp_path / "files") == 2
    assert "RECORDING must be the folder of a recording" in capsys.readouterr().err
    (tmp_path / "recording.json").write_text("{}")
    assert export(tmp_path, tmp_path / "files") == 2
    assert "must be a recording that reads" in capsys.readouterr().err


def test_a_folder_that_holds_something_is_not_written_to(recording, tmp_path, capsys):
    assert export(recording, tmp_path) == 2
    assert "--out must be empty" in capsys.readouterr().err
