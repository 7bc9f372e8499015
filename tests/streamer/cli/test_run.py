"""`linescan run`: faults before the start, the answer for machines, the answer for people."""

import json
import signal

import pytest

from streamer.cli import run_command
from streamer.compose import line
from streamer.compose.line import RunResult


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ends(monkeypatch):
    """Makes the line end at once with this result."""

    def with_result(result):
        monkeypatch.setattr(line.LineRun, "run", lambda _: result)

    return with_result


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("tiles.lines=500", "tiles.lines must be a multiple of 16"),
        ("web.columns=3", "web.columns must be source.columns = 1024, got 3"),
        ("source.kind=replay", "source.path"),
    ],
)
def test_what_cannot_run_is_2_and_leaves_nothing(folder, setting, text, capsys):
    assert run_command(["run", "--set", setting]) == 2
    assert text in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_for_machines_the_result_is_one_json_document(folder, ends, capsys):
    ends(
        RunResult(folder / "r", 5, {"outcome": "complete"}, ("score-0: no memory",), {"score-0": 2})
    )
    assert run_command(["run", "--json"]) == 5
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "roll_folder": str(folder / "r"),
        "exit_code": 5,
        "faults": ["score-0: no memory"],
        "restarts": {"score-0": 2},
        "manifest": {"outcome": "complete"},
    }
    assert shown.err == "error: score-0: no memory\n"


def test_without_a_manifest_the_logs_are_named(folder, ends, capsys):
    ends(RunResult(folder / "r", 1, {}, (), {}))
    assert run_command(["run"]) == 1
    assert "no manifest was written" in capsys.readouterr().out
