"""`linescan capture`: the capture stage with its options, and its exit code."""

import os

import pytest

from streamer.cli import run_command
from streamer.compose import children
from streamer.stages.capture import STOPPED_ON_REQUEST

ALONE = [
    part
    for name in ("tiles", "results", "ledger")
    for part in ("--set", f"transport.{name}=ipc:///x/{name}")
] + ["--set", "roll.name=r1"]


@pytest.fixture
def stage(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streamer.compose.signals.StopRequest.install", lambda self: self)
    seen = []

    def ends_with(fault):
        monkeypatch.setattr(children, "run_capture", lambda s: seen.append(s) or fault)
        return seen

    return ends_with


def test_it_runs_with_the_given_configuration(stage):
    seen = stage("")
    assert run_command(["capture", *ALONE, "--process", "left", "--set", "source.seed=9"]) == 0
    assert (seen[0].process, seen[0].config.source.seed) == ("left", 9)


def test_a_stop_on_request_is_no_failure(stage):
    stage(STOPPED_ON_REQUEST)
    assert run_command(["capture", *ALONE]) == 0


def test_a_source_that_broke_off_is_1_for_whoever_started_it_alone(stage):
    stage("OSError: cable pulled")
    assert run_command(["capture", *ALONE]) == 1


def test_a_parent_judges_for_itself_so_that_it_starts_no_capture_again(stage):
    stage("OSError: cable pulled")
    assert run_command(["capture", *ALONE, "--parent", str(os.getppid())]) == 0
