"""`linescan doctor` as it is called: what it prints, and when it says no."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from streamer.cli import doctor as doctor_module
from streamer.cli.doctor import doctor
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.cli.readiness import Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]

_FOUND = [
    Finding("backbone", "net", State.OK, "onnxruntime:CPUExecutionProvider"),
    Finding("catalogue", "resnet18", State.NOTE, "weights are not here", "fetch them"),
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command in an empty folder; torch computes, so that nothing is exported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    app = typer.Typer()
    app.command()(doctor)

    def call(*arguments: str) -> Result:
        settings = ["--set", "backbone.engine=torch", "--set", "backbone.threads=1"]
        for key in ("publish", "snapshot"):
            settings += ["--set", f"alarms.{key}=tcp://127.0.0.1:0"]
        return CliRunner().invoke(app, [*settings, *arguments])

    return call


def test_torch_is_refused_where_a_compiled_kernel_must_score(run: Run, monkeypatch) -> None:
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    result = run("--json", "--set", "kernels.require=native")
    assert isinstance(result.exception, EnvironmentFault)
    answer = json.loads(result.stdout)
    (fault,) = (finding for finding in answer["findings"] if finding["state"] == "fail")
    assert (answer["ready"], fault["subject"]) == (False, "scoring.method fca_fast")
    assert "unset LINESCAN_KERNEL, or set kernels.require: any" in fault["advice"]


def test_machines_read_json(run: Run) -> None:
    result = run("--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["ready"] is True
    assert answer["machine"]["python"].startswith("CPython 3.")
    assert answer["packages"]["torch"]
    by_topic = {finding["topic"]: finding for finding in answer["findings"]}
    assert by_topic["backbone"]["found"] == "torch:cpu, 240 channels"
    assert {"engine", "catalogue", "kernels", "source", "ipc", "disk", "port"} < set(by_topic)
    assert {finding["state"] for finding in answer["findings"]} <= {"ok", "note"}


def test_people_read_tables_and_notes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "inspect_readiness", lambda _: _FOUND)
    result = run()
    assert result.exit_code == 0
    for shown in ("python", "cores", "torch", "onnxruntime:CPUExecutionProvider", "resnet18"):
        assert shown in result.stdout
    assert "- catalogue resnet18: fetch them" in result.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_fault_is_shown_and_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    fault = Finding("disk", "rolls", State.FAIL, "0.0 GiB free", "free some")
    monkeypatch.setattr(doctor_module, "inspect_readiness", lambda _: [*_FOUND, fault])
    result = run(*options)
    assert isinstance(result.exception, EnvironmentFault)
    text = "the configured job cannot run on this machine:\n- disk rolls: free some"
    assert str(result.exception) == text
    assert "0.0 GiB free" in result.stdout
    if options:
        assert json.loads(result.stdout)["ready"] is False


def test_taken_port_keeps_the_job_from_running(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        result = run("--set", f"alarms.publish={endpoint}", "--json")
    assert isinstance(result.exception, EnvironmentFault)
    assert f"alarms.publish must be a free address of this machine, got {endpoint}" in str(
        result.exception
    )


def test_unknown_backbone_is_named(run: Run) -> None:
    result = run("--set", "backbone.name=resnet19")
    assert isinstance(result.exception, EnvironmentFault)
    assert "backbone resnet19: backbone.name must be one of" in str(result.exception)


def test_broken_configuration_is_a_usage_fault(run: Run) -> None:
    assert isinstance(run("--set", "backbone.threads=none").exception, UsageFault)
