"""`linescan score`: the score stage with its options, and its exit code."""

import pytest

from streamer.backbones.faults import ParityError, ProviderError
from streamer.cli import run_command
from streamer.compose import children

ALONE = [
    part
    for name in ("tiles", "results", "ledger")
    for part in ("--set", f"transport.{name}=ipc:///x/{name}")
] + ["--set", "roll.name=r1"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streamer.compose.signals.StopRequest.install", lambda self: self)


def test_it_runs_with_the_given_configuration(monkeypatch):
    seen = []
    monkeypatch.setattr(children, "run_score", lambda setting: seen.append(setting) or "")
    assert run_command(["score", *ALONE, "--process", "score-3"]) == 0
    assert seen[0].process == "score-3"
    assert seen[0].config.transport.tiles == "ipc:///x/tiles"


@pytest.mark.parametrize(("fault", "code"), [(ProviderError("no GPU"), 3), (ParityError("x"), 4)])
def test_an_engine_that_does_not_do_is_told_apart(monkeypatch, capsys, fault, code):
    def fail(_):
        raise fault

    monkeypatch.setattr(children, "run_score", fail)
    assert run_command(["score", *ALONE]) == code
    assert f"error: {fault}" in capsys.readouterr().err


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("a tile was given up", 1)])
def test_a_worker_that_must_not_go_on_ends_with_1(monkeypatch, capsys, fault, code):
    monkeypatch.setattr(children, "run_score", lambda _: fault)
    assert run_command(["score", *ALONE]) == code
    assert capsys.readouterr().err == (f"error: {fault}\n" if fault else "")
