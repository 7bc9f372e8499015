"""`linescan record` as a user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.cli.record import Recorded, StopRequest, record, stop_on_signals
from streamer.message import GapReason, LineBlock, LineLoss
from streamer.sources.recording import BlockRow
from streamer.sources.recording_reader import Recording

COMMAND = "import typer; from streamer.cli.record import record; typer.run(record)"


@pytest.fixture
def web(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 64), dtype=np.uint8)
    np.save(tmp_path / "web.npy", pixels)
    return pixels


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call the command in a folder of its own; an exception of it is raised here."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(record)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return call


REPLAY = ("--set", "source.kind=replay", "--set", "source.path=web.npy")


def stored(folder) -> np.ndarray:
    opened = Recording(folder)
    return np.concatenate(
        [opened.pixels(row) for row in opened.rows() if isinstance(row, BlockRow)]
    )


def test_a_source_becomes_a_recording(run, web, tmp_path):
    summary = run("--out", "rec", *REPLAY)
    assert "rec: 1000 lines recorded, now 0.500 m" in summary
    np.testing.assert_array_equal(stored(tmp_path / "rec"), web)
    assert Recording(tmp_path / "rec").tail().closed
    assert not (tmp_path / "rec" / "truth.json").exists()


def test_json_for_machines(run, web):
    answer = json.loads(run("--out", "rec", "--json", *REPLAY))
    assert answer["lines"] == 1000
    assert answer["metres"] == 0.5
    assert answer["lost_lines"] == {}
    assert answer["mpix_per_s"] > 0
    assert answer["stopped"] is False
    assert answer["planted_defects"] is None


def test_the_configuration_file_in_the_folder_is_used(run, web, tmp_path):
    (tmp_path / "config.yaml").write_text("source: {kind: replay, path: web.npy}\n")
    assert "1000 lines recorded" in run("--out", "rec")


def test_losses_are_recorded_and_said(run, web, tmp_path):
    path = tmp_path / "web.npy"
    path.write_bytes(path.read_bytes()[:-6400])
    assert "100 lines lost: corrupt_input" in run("--out", "rec", *REPLAY)
    last = list(Recording(tmp_path / "rec").rows())[-1]
    assert (last.first_line, last.line_count) == (900, 100)


def test_a_recording_of_a_recording_is_the_same(run, web, tmp_path):
    run("--out", "rec", *REPLAY)
    run("--out", "again", "--set", "source.kind=replay", "--set", "source.path=rec")
    first, again = (list(Recording(tmp_path / name).rows()) for name in ("rec", "again"))
    assert [row.crc32 for row in first] == [row.crc32 for row in again]


def test_nothing_is_overwritten(run, web, tmp_path):
    run("--out", "rec", *REPLAY)
    before = (tmp_path / "rec" / "ledger.rows").read_bytes()
    with pytest.raises(UsageFault, match=r"--out must be an empty folder, .* --append continues"):
        run("--out", "rec", *REPLAY)
    assert (tmp_path / "rec" / "ledger.rows").read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(UsageFault, match="folder must be empty or a recording, got other files"):
        run("--out", "full", *REPLAY)


def test_append_goes_on_where_an_interrupted_recording_ends(run, web, tmp_path):
    run("--out", "rec", *REPLAY)
    ledger = tmp_path / "rec" / "ledger.rows"
    rows = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(rows[:2]) + b"cut")
    assert "488 lines recorded, now 0.500 m" in run("--out", "rec", "--append", *REPLAY)
    np.testing.assert_array_equal(stored(tmp_path / "rec"), web)


def test_append_needs_the_same_web(run, web, tmp_path):
    run("--out", "rec", *REPLAY)
    np.save(tmp_path / "web.npy", np.zeros((2000, 65), np.uint8))
    with pytest.raises(UsageFault, match="columns must be 64 as in the recording, got 65"):
        run("--out", "rec", "--append", *REPLAY)


def test_append_is_refused_for_the_simulator(run):
    with pytest.raises(UsageFault, match="--append must be used with a source without ground"):
        run("--out", "rec", "--append")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (("--set", "source.kind=replay", "--set", "source.path=none"), r"source\.path must exist"),
        (("--set", "source.kind=simulator", "--set", "source.colour=red"), "unknown key"),
    ],
)
def test_faults_of_the_user_leave_no_folder(run, tmp_path, settings, text):
    with pytest.raises(UsageFault, match=text):
        run("--out", "rec", *settings)
    assert not (tmp_path / "rec").exists()


def test_a_file_in_the_place_of_the_folder_is_named(run, web):
    with pytest.raises(UsageFault, match=r"^web\.npy: --out must be a folder .*, got File exists$"):
        run("--out", "web.npy", *REPLAY)


def test_an_unwritable_place_is_a_fault_of_the_machine(run, web):
    with pytest.raises(EnvironmentFault, match="Not a directory"):
        run("--out", "web.npy/rec", *REPLAY)


@pytest.mark.system
def test_a_full_disk_is_a_fault_of_the_machine_and_leaves_a_recording(tmp_path, web):
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from streamer.config_file import load_config\n"
        "from streamer.cli.options import EnvironmentFault\n"
        "from streamer.cli.record import write_recording\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "config = load_config(None, ('source.kind=replay', 'source.path=web.npy',"
        " 'source.block_lines=100'))\n"
        "try: write_recording(config, Path('rec'))\n"
        "except EnvironmentFault as fault: print(fault)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "must have room to grow, got 'File too large' at line 400" in child.stdout
    np.testing.assert_array_equal(stored(tmp_path / "rec"), web[:400])


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_recording_in_order(tmp_path, web, number):
    arguments = [
        "--out",
        "rec",
        "--set",
        "source.pace=line_rate",
        "--set",
        "source.block_lines=20",
        "--set",
        "web.web_speed_m_min=6",
        *REPLAY,
    ]
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ledger = tmp_path / "rec" / "ledger.rows"
        while child.poll() is None and not (ledger.exists() and ledger.stat().st_size > 300):
            time.sleep(0.01)
        child.send_signal(number)
        output, errors = child.communicate(timeout=10)
    finally:
        child.kill()
    assert child.returncode == 0
    assert "stopped by a signal" in output
    assert errors == ""
    tail = Recording(tmp_path / "rec").tail()
    assert tail.closed
    assert 0 < tail.end_line < 1000
    np.testing.assert_array_equal(stored(tmp_path / "rec"), web[: tail.end_line])


def test_a_second_sigint_ends_with_130():
    stop = StopRequest()
    stop.handle(signal.SIGINT, None)
    assert stop.requested
    stop.handle(signal.SIGTERM, None)
    with pytest.raises(SystemExit) as ended:
        stop.handle(signal.SIGINT, None)
    assert ended.value.code == 130


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_totals_count_lines_pixels_and_losses(tmp_path):
    block = LineBlock("cam0", 0, np.zeros((4, 30, 3), np.uint8), 3, 0)
    loss = LineLoss("cam0", 3, 7, GapReason.OVERLOAD, 0)
    totals = Recorded(tmp_path, 0.0).plus(block, 0.1).plus(loss, 0.2).plus(loss, 0.3)
    assert (totals.lines, totals.pixels, totals.metres) == (3, 90, 0.3)
    assert totals.lost_lines == {"overload": 14}
    assert totals.mpix_per_s == 0.0


def test_several_cameras_are_not_recorded_as_one(run, web):
    side = "cameras=[{first_mm: 10, source: {kind: replay, camera: cam1, path: web.npy}}]"
    with pytest.raises(UsageFault, match="cameras must be empty to record one camera, got cam1"):
        run("--out", "rec", *REPLAY, "--set", side)
