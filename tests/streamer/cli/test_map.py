"""`linescan map`: draws what was asked for, and says what cannot be drawn."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from streamer.cli import run_command
from streamer.cli.map import Piece, spans
from streamer.cli.options import UsageFault
from streamer.message import Interval
from streamer.outputs import defect_log
from streamer.outputs.defect_log import CoverageRow, DefectLog
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_view import MapScene, Span


@pytest.fixture
def roll(tmp_path, monkeypatch):
    """20 m of a web of 150 mm."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rolls" / "r7"
    folder.mkdir(parents=True)
    roll_map = RollMap(folder, MapFormat("r7", 40, 8, 0.5, 0.5))
    roll_map.append(np.zeros((5000, 40), np.float32))
    roll_map.close()
    log = DefectLog(folder)
    log.add_coverage(CoverageRow("c", 0, Interval(0, 40_000), Interval(0, 300), "inspected"))
    log.put_piece(defect_log.Piece(0, 0, 40_000))
    log.close()
    return folder


def refused(capsys, *arguments):
    assert run_command(["map", "r7", *arguments]) == 2
    return capsys.readouterr().err


def test_the_whole_roll_is_drawn_into_its_folder(roll, capsys):
    assert run_command(["map", "r7"]) == 0
    assert capsys.readouterr().out == "rolls/r7/map.png\n"
    assert cv2.imread(str(roll / "map.png")).shape[1] > 1500


def test_a_piece_is_drawn_where_it_is_wanted(roll, capsys):
    arguments = ["--from", "2m", "--to", "2500 mm", "--png", "x.png", "--json"]
    assert run_command(["map", str(roll), *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == {"roll": str(roll), "png": "x.png"}
    assert cv2.imread("x.png") is not None


def test_the_whole_map_is_written_as_tiff(roll, capsys):
    assert run_command(["map", "r7", "--tiff", "x.ome.tif"]) == 0
    assert capsys.readouterr().out == "x.ome.tif\n"
    assert tifffile.imread("x.ome.tif").shape == (5000, 40)
    assert not (roll / "map.png").exists()


def test_both_are_written_when_both_are_asked_for(roll, capsys):
    assert run_command(["map", "r7", "--tiff", "x.tif", "--png", "x.png", "--from", "1m"]) == 0
    assert capsys.readouterr().out == "x.png\nx.tif\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--from", "9999m"], "--from must be before the end of the web at 20m, got 9999m"),
        (["--from", "3m", "--to", "2m"], "--to must be beyond --from 3m, got 2m"),
        (["--to", "0m"], "--to must be beyond --from 0m, got 0m"),
        (["--from", "120"], "--from must be a length with its unit, such as 120m or 850mm, got"),
        (["--cross-to", "-5mm"], "--cross-to must be a length with its unit"),
        (["--cross-from", "1m"], "--cross-from must be before the end of the web at 0.15m, got 1m"),
        (["--from", "1m", "--tiff", "x.tif"], "must come with --png"),
    ],
)
def test_nonsense_is_refused(roll, capsys, arguments, text):
    assert text in refused(capsys, *arguments)
    assert not (roll / "map.png").exists()


def test_an_end_beyond_the_web_is_the_end_of_the_web(roll):
    scene = MapScene(roll)
    down, cross = spans(scene, Piece("15m", "99m", None, "50mm"))
    assert (down, cross) == (Span(15_000, 20_000), Span(0, 50))
    assert spans(scene, Piece(None, None, None, None)) == (Span(0, 20_000), Span(0, 150))
    with pytest.raises(UsageFault, match="--to must be beyond"):
        spans(scene, Piece("4m", "4m", None, None))


def test_what_is_no_roll_is_a_mistake_of_the_user(roll, capsys):
    assert run_command(["map", "no"]) == 2
    assert "roll map must exist, got no rolls/no/map.zarr" in capsys.readouterr().err


def test_a_roll_whose_process_was_killed_is_drawn_as_far_as_it_was_written(tmp_path, capsys):
    writer = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from streamer.outputs.defect_log import DefectLog, Piece\n"
        "from streamer.outputs.roll_map import MapFormat, RollMap\n"
        "folder = Path(sys.argv[1])\n"
        "roll_map, log = RollMap(folder, MapFormat('r', 5, 8, 0.5, 0.5)), DefectLog(folder)\n"
        "for i in range(5):\n"
        "    roll_map.append(np.ones((700, 5), np.float32))\n"
        "    log.put_piece(Piece(0, 0, 700 * 8 * (i + 1)))\n"
        "    log.commit()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", writer, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert MapScene(tmp_path).down == Span(0, 3 * 1024 * 4)
    assert run_command(["map", str(tmp_path)]) == 0
    assert cv2.imread(capsys.readouterr().out.strip()) is not None


def test_a_roll_without_rows_cannot_be_drawn(tmp_path, capsys):
    RollMap(tmp_path, MapFormat("r", 4, 8, 0.5, 0.5)).close()
    DefectLog(tmp_path).close()
    assert run_command(["map", str(tmp_path)]) == 2
    assert "roll map must hold rows, got none in" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_the_machine(roll, capsys):
    assert run_command(["map", "r7", "--png", str(Path("absent") / "x.png")]) == 3
    assert "picture must be writable at absent/x.png" in capsys.readouterr().err
