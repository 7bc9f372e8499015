"""`linescan simulate` writes a roll with its ground truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from streamer import config
from streamer.cli.options import UsageFault
from streamer.cli.simulate import simulate
from streamer.message import LineBlock
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.sources.recording_reader import Recording

SMALL = (
    "--set",
    "source.kind=simulator",
    "--set",
    "source.columns=96",
    "--set",
    "source.defects_per_m=20",
    "--set",
    "source.clean_m=0.05",
    "--set",
    "source.seed=3",
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(simulate)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return call


def read(settings: config.Source) -> tuple[np.ndarray, bytes]:
    source = open_source(settings, config.Web())
    blocks = []
    while (item := source.read_into(new_buffer(source.format, 100))) is not None:
        assert isinstance(item, LineBlock)
        blocks.append(item.pixels)
    return np.concatenate(blocks), source.truth


def test_the_recording_is_the_simulated_web_with_its_truth(run, tmp_path):
    summary = run("--out", "roll", "--length-m", "0.5", *SMALL)
    assert "roll: 1000 lines recorded, now 0.500 m" in summary
    live = config.SimulatorSource(columns=96, defects_per_m=20, clean_m=0.05, seed=3, length_m=0.5)
    pixels, truth = read(live)
    replayed, replayed_truth = read(config.ReplaySource(path=tmp_path / "roll"))
    np.testing.assert_array_equal(replayed, pixels)
    assert json.loads(replayed_truth) == json.loads(truth)
    planted = len(json.loads(truth)["defects"])
    assert planted > 0
    assert f"{planted} defects with their ground truth in truth.json" in summary


def test_length_defaults_to_the_configuration(run):
    answer = json.loads(run("--out", "roll", "--json", "--set", "source.length_m=0.1", *SMALL))
    assert (answer["lines"], answer["metres"]) == (200, 0.1)
    assert answer["planted_defects"] is not None


def test_it_runs_as_fast_as_possible_whatever_the_pace(run):
    slow = ("--set", "source.pace=line_rate", "--set", "web.web_speed_m_min=0.01")
    assert "200 lines recorded" in run("--out", "roll", "--length-m", "0.1", *slow, *SMALL)


def test_the_geometry_of_the_web_is_recorded(run, tmp_path):
    run("--out", "roll", "--length-m", "0.01", "--set", "web.pixel_mm=0.25", *SMALL)
    header = Recording(tmp_path / "roll").header
    assert (header.pixel_mm, header.line_mm, header.columns) == (0.25, 0.25, 96)
    assert header.description == "simulated fabric, seed 3"


def test_another_source_is_refused(run):
    with pytest.raises(UsageFault, match=r"source\.kind must be simulator, got replay"):
        run("--out", "roll", "--set", "source.kind=replay", "--set", "source.path=x")


def test_an_impossible_length_is_refused(run):
    with pytest.raises(SystemExit) as ended:
        run("--out", "roll", "--length-m", "-1")
    assert ended.value.code == 2


def test_nothing_is_overwritten(run):
    run("--out", "roll", "--length-m", "0.01", *SMALL)
    with pytest.raises(UsageFault, match="--out must be an empty folder, got the recording roll"):
        run("--out", "roll", "--length-m", "0.01", *SMALL)


def test_all_defaults_are_enough(run):
    assert "lines recorded" in run("--out", "roll", "--length-m", "0.05")


FAULTS = """
- {kind: lost_lines, at_m: 0.02, lines: 10}
- {kind: partial_frame, at_m: 0.08, valid_share: 0.5}
"""


def test_a_fault_script_is_in_the_recording_and_its_truth(run, tmp_path) -> None:
    (tmp_path / "faults.yaml").write_text(FAULTS)
    run("--out", "web", "--faults", "faults.yaml", "--length-m", "0.2",
        "--set", "source.block_lines=40", *SMALL)  # fmt: skip

    recorded = Recording(tmp_path / "web")
    losses = [row for row in recorded.rows() if hasattr(row, "reason")]
    faults = json.loads(recorded.truth)["faults"]
    assert [fault["kind"] for fault in faults] == ["lost_lines", "partial_frame"]
    for loss, fault in zip(losses, faults, strict=True):
        assert [loss.first_line, loss.first_line + loss.line_count] in fault["lost"]
        assert loss.reason == fault["reason"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {kind: lost_lines, lines: 0}", "greater than or equal to 1"),
        ("- {kind: earthquake}", "earthquake"),
        ("kind: stop", "fault script must be a list of faults, got dict"),
        ("- [", "fault script must be YAML"),
        (None, "source.faults: file must be readable, got No such file"),
    ],
)
def test_a_bad_fault_script_is_explained(run, tmp_path, text, says) -> None:
    if text is not None:
        (tmp_path / "faults.yaml").write_text(text)
    with pytest.raises(UsageFault, match=says):
        run("--out", "web", "--faults", "faults.yaml", *SMALL)
