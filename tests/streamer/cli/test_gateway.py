"""`linescan gateway`: which ones there are, and what is said when one cannot be."""

import subprocess
import sys

import pytest

from streamer.cli import run_command
from streamer.config import Config


def test_an_unknown_gateway_is_refused_with_those_that_there_are(capsys):
    assert run_command(["gateway", "fax"]) == 2
    told = capsys.readouterr().err
    assert "gateway must be one of" in told
    assert "got fax" in told
    for name in type(Config().gateways).model_fields:
        assert name in told


def test_a_wrong_configuration_is_explained(capsys):
    assert run_command(["gateway", "alarm_log", "--set", "gateways.alarm_log.files=1"]) == 2
    assert "gateways.alarm_log.files" in capsys.readouterr().err


@pytest.mark.system
def test_one_that_is_started_alone_waits_for_a_line_until_it_is_stopped(tmp_path):
    command = [sys.executable, "-m", "streamer", "gateway", "alarm_log"]
    settings = [
        f"gateways.alarm_log.folder={tmp_path / 'alarms'}",
        f"alarms.publish=ipc://{tmp_path}/publish",
        f"alarms.snapshot=ipc://{tmp_path}/snapshot",
    ]
    options = [part for one in settings for part in ("--set", one)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert (tmp_path / "alarms" / "alarms.jsonl").is_file()
        process.terminate()
        assert process.wait(20) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def test_a_folder_that_cannot_be_made_is_no_traceback(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    folder = f"gateways.alarm_log.folder={tmp_path / 'file' / 'alarms'}"
    assert run_command(["gateway", "alarm_log", "--set", folder]) not in (0, 2)
    told = capsys.readouterr().err
    assert "alarm log" in told
    assert "Traceback" not in told
