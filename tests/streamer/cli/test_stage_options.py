"""A stage alone must be told where the others are, and whose roll it is."""

import logging
import os
import signal

import pytest

from streamer.cli import run_command
from streamer.cli.options import UsageFault
from streamer.cli.stage_options import run_stage
from streamer.config_file import load_config

ENDPOINTS = tuple(f"transport.{name}=ipc:///x/{name}" for name in ("tiles", "results", "ledger"))


@pytest.fixture(autouse=True)
def untouched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_stage_gets_its_setting_and_what_it_returns_is_returned():
    config = load_config(None, (*ENDPOINTS, "roll.name=r1"))
    seen = []

    def stage(setting):
        seen.append(setting)
        return "outcome"

    assert run_stage(stage, config, "score-7", os.getppid()) == "outcome"
    assert (seen[0].config, seen[0].process) == (config, "score-7")
    assert not seen[0].stopping()


def test_a_stage_is_asked_to_stop_by_a_signal():
    def stage(setting):
        signal.raise_signal(signal.SIGTERM)
        return setting.stopping()

    assert run_stage(stage, load_config(None, (*ENDPOINTS, "roll.name=r1")), "x", None)


@pytest.mark.parametrize("stage", ["capture", "score", "sink"])
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ((), "transport.tiles must be set when a stage is started alone, got ''"),
        (ENDPOINTS[:1], "transport.results must be set"),
        (ENDPOINTS[:2], "transport.ledger must be set"),
        (ENDPOINTS, "roll.name must be set when a stage is started alone, got null"),
    ],
)
def test_what_is_missing_is_named_before_anything_opens(stage, settings, text, capsys):
    options = [part for setting in settings for part in ("--set", setting)]
    assert run_command([stage, *options]) == 2
    assert f"error: {text}" in capsys.readouterr().err


def test_the_same_as_an_exception():
    with pytest.raises(UsageFault, match="transport.tiles"):
        run_stage(lambda _: None, load_config(None), "x", None)


def test_the_log_says_who_and_when_in_utc(monkeypatch):
    given = {}
    monkeypatch.setattr(logging, "basicConfig", lambda **fields: given.update(fields))
    run_stage(lambda _: None, load_config(None, (*ENDPOINTS, "roll.name=r1")), "score-1", None)
    record = logging.LogRecord("x", logging.WARNING, "", 0, "web %s", ("gone",), None)
    record.created = 0.0
    (handler,) = given["handlers"]
    assert handler.format(record).startswith("1970-01-01 00:00:00")
    assert handler.format(record).endswith("Z score-1 WARNING web gone")
