"""`linescan cameras` as it is called: what answers, as table and JSON, and next steps when none."""

import json
import shlex
from itertools import pairwise

import pytest
import typer
from typer.testing import CliRunner
from viva_genicam.testing import FakeGigeCamera

from streamer.cli.cameras import cameras
from streamer.config_file import load_config
from streamer.sources import viva_discovery
from streamer.sources.viva_discovery import FoundCamera


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    app = typer.Typer()
    app.command()(cameras)
    return lambda *arguments: CliRunner().invoke(app, list(arguments), standalone_mode=False)


def test_a_camera_that_answers_is_listed_with_the_command_that_uses_it(run):
    with FakeGigeCamera():
        shown = run("--address", "127.0.0.1")
        listed = json.loads(run("--address", "127.0.0.1", "--json").stdout)
    assert shown.return_value == 0
    for text in ("gige", "127.0.0.1", "viva-genicam", "FakeGigE", "VIVA-FAKE-001", "answers"):
        assert text in shown.stdout
    assert "linescan run --set source.kind=genicam --set source.address=127.0.0.1" in shown.stdout
    assert listed == [
        {
            "transport": "gige",
            "address": "127.0.0.1",
            "vendor": "viva-genicam",
            "model": "FakeGigE",
            "serial": "VIVA-FAKE-001",
            "state": "answers",
        }
    ]


def test_a_camera_in_use_is_listed_and_stays_in_use(run):
    import viva_genicam

    with FakeGigeCamera() as device, viva_genicam.connect_gige(device.device_info()):
        holder = device.controller()
        assert holder is not None
        assert "VIVA-FAKE-001" in run("--address", "127.0.0.1").stdout
        assert device.controller() == holder


def test_when_none_answers_the_next_steps_are_said_and_the_code_is_3(run):
    silent = run("--address", "127.0.0.1")
    assert silent.return_value == 3
    assert "no camera answers; next:" in silent.stderr
    assert "one subnet" in silent.stderr
    assert json.loads(run("--address", "127.0.0.1", "--json").stdout) == []


def test_the_command_for_a_usb3_camera_loads_whatever_its_serial_looks_like(run, monkeypatch):
    found = FoundCamera("usb3", "", "maker", "model", "00123", "answers")
    monkeypatch.setattr(viva_discovery, "list_cameras", lambda *_: [found])
    command = shlex.split(run().stdout.splitlines()[-1])
    settings = tuple(word for before, word in pairwise(command) if before == "--set")
    source = load_config(None, settings).source
    assert (source.kind, source.transport, source.serial) == ("genicam", "usb3", "00123")
