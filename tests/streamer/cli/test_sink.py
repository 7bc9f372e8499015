"""`linescan sink`: the sink stage with its options, and its exit code."""

import os
from types import SimpleNamespace

import pytest

from streamer.cli import run_command
from streamer.compose import children
from streamer.message import GapReason
from streamer.web import Coverage

ALONE = [
    part
    for name in ("tiles", "results", "ledger")
    for part in ("--set", f"transport.{name}=ipc:///x/{name}")
] + ["--set", "roll.name=r1"]


@pytest.fixture
def lost_percent(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streamer.compose.signals.StopRequest.install", lambda self: self)

    def end_with(percent, outcome="complete"):
        coverage = Coverage(100, 100 - percent).add_not_inspected(GapReason.TIMEOUT, percent)
        ended = SimpleNamespace(coverage=coverage, outcome=outcome, last_line=10, columns=10)
        monkeypatch.setattr(children, "run_sink", lambda _: ended)

    return end_with


def test_a_roll_without_loss_is_0(lost_percent):
    lost_percent(0)
    assert run_command(["sink", *ALONE]) == 0


def test_loss_over_the_limit_is_5(lost_percent):
    lost_percent(2)
    assert run_command(["sink", *ALONE, "--set", "limits.not_inspected_percent=2"]) == 0
    assert run_command(["sink", *ALONE, "--set", "limits.not_inspected_percent=1.9"]) == 5


def test_a_parent_judges_by_the_manifest(lost_percent):
    lost_percent(50)
    assert run_command(["sink", *ALONE, "--parent", str(os.getppid())]) == 0


def test_a_roll_that_nobody_ended_is_1(lost_percent):
    lost_percent(0, "capture did not end the roll")
    assert run_command(["sink", *ALONE]) == 1
