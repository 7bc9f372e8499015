"""`linescan recorder` alone: told what it must be told before it opens anything."""

import pytest

from streamer.cli import run_command


@pytest.mark.parametrize(
    "settings", [(), ("recorder.mode=all",), ("recorder.endpoint=ipc:///tmp/never",)]
)
def test_mode_and_endpoint_must_be_set(settings, capsys):
    options = [part for setting in settings for part in ("--set", setting)]
    assert run_command(["recorder", *options]) == 2
    assert "recorder.mode and recorder.endpoint must be set" in capsys.readouterr().err


def test_the_transport_must_be_set_as_for_every_stage_alone(capsys):
    given = ("recorder.mode=all", "recorder.endpoint=ipc:///tmp/never")
    options = [part for setting in given for part in ("--set", setting)]
    assert run_command(["recorder", *options]) == 2
    assert "must be set when a stage is started alone" in capsys.readouterr().err
