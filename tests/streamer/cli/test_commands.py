"""The entry: which faults have which exit code, and that every name leads to a command."""

import errno
import io
import os
import signal
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer

from streamer import cli
from streamer.backbones.faults import ParityError, ProviderError
from streamer.cli import COMMANDS, run_command
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.config import ConfigError

ROOT = Path(__file__).parents[3]


class FullDisk(io.StringIO):
    def write(self, _text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def command(monkeypatch):
    """Makes `linescan schema` do something else."""

    def replace(action):
        module = import_module("streamer.cli.schema")
        monkeypatch.setattr(module, "schema", action)

    return replace


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert run_command([name, "--help"]) == 0
    shown = capsys.readouterr()
    assert f"Usage: linescan {name}" in shown.out
    assert shown.err == ""


def test_the_list_of_commands_is_complete(capsys):
    assert run_command(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in COMMANDS)


def test_the_installed_program_is_this_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"linescan": "streamer.__main__:main"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["inspekt"], "No such command 'inspekt'"),
        (["schema", "--colour"], "No such option: --colour"),
        (["schema", "wine"], "'wine' is not one of"),
        (["replay"], "Missing argument"),
        (["capture", "--parent", "me"], "Invalid value for '--parent'"),
    ],
)
def test_wrong_usage_is_2_and_named(arguments, text, capsys):
    assert run_command(arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (UsageFault("width must be 5, got 6"), 2),
        (ConfigError("width must be 5, got 6"), 2),
        (EnvironmentFault("width must be 5, got 6"), 3),
        (ProviderError("width must be 5, got 6"), 3),
        (OSError("width must be 5, got 6"), 3),
        (ParityError("width must be 5, got 6"), 4),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
    ],
)
def test_a_fault_is_an_exit_code_and_a_line_without_traceback(command, fault, code, capsys):
    def fail():
        raise fault

    command(fail)
    assert run_command(["schema"]) == code
    error = capsys.readouterr().err
    assert code == 130 or error == "error: width must be 5, got 6\n"
    assert "Traceback" not in error


def test_every_line_of_a_fault_is_marked(command, capsys):
    def fail():
        raise UsageFault("one\ntwo")

    command(fail)
    run_command(["schema"])
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_a_defect_of_ours_is_1_with_its_traceback(command, capsys):
    def fail():
        raise KeyError("missing")

    command(fail)
    assert run_command(["schema"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "error: KeyError: 'missing' (this is a defect)" in error


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (5, 5)])
def test_a_command_returns_its_exit_code(command, returned, code):
    command(lambda: returned)
    assert run_command(["schema"]) == code


def test_only_the_named_command_is_imported(monkeypatch):
    asked = []

    def watched(name):
        asked.append(name)
        return import_module(name)

    monkeypatch.setattr(cli, "import_module", watched)
    cli.build_app(["validate-config"])
    assert asked == ["streamer.cli.validate_config"]


def test_a_reader_who_leaves_is_a_fault_of_the_environment(command, monkeypatch, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    unread = os.fdopen(writing, "w")

    def answer():
        unread.write("the answer")
        unread.flush()

    command(answer)
    monkeypatch.setattr("sys.stdout", unread)
    assert run_command(["schema"]) == 3
    unread.close()  # what is left of the answer goes nowhere
    error = capfd.readouterr().err
    assert error == "error: stdout must be read to its end, got a reader that left\n"


def test_an_answer_still_in_the_buffer_is_missed_as_well(command, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    unread = os.fdopen(writing, "w")
    command(lambda: unread.write("the answer") and None)
    monkeypatch.setattr("sys.stdout", unread)
    assert run_command(["schema"]) == 3
    unread.close()


def test_the_exit_code_survives_a_log_on_a_full_disk(command, monkeypatch):
    def fail():
        raise UsageFault("width must be 5, got 6")

    command(fail)
    monkeypatch.setattr("sys.stderr", FullDisk())
    assert run_command(["schema"]) == 2


def test_a_terminated_command_cleans_up(command, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("LINESCAN_SCRATCH", raising=False)

    def terminated():
        assert list(tmp_path.iterdir())
        os.kill(os.getpid(), signal.SIGTERM)

    command(terminated)
    assert run_command(["schema"]) == 130
    assert list(tmp_path.iterdir()) == []
