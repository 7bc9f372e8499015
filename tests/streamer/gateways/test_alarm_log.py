"""Alarms in files: each once, in order, whole lines, turned over when full."""

import json
from dataclasses import replace

import jsonschema
import pytest

from streamer.gateway_sections import AlarmLogGateway, Gateways
from streamer.gateways.alarm_log import AlarmLog
from streamer.line_ports import LineView
from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs.alarm_message import alarm_schema
from streamer.outputs.storage import StorageError

ALARM = Alarm(
    id="r/c/defect-1",
    sequence=1,
    kind=AlarmKind.DEFECT,
    state=DefectState.NEW,
    severity=Severity.LOW,
    roll="r",
    camera="c",
    region=RegionMm(0, 1, 0, 1),
    encoder_first=0,
    encoder_end=1,
    raised_ns=1,
    captured_ns=1,
    peak=1.0,
    config_digest="",
    model_digest="",
)


class Told:
    """As much of a status as the log looks at."""

    publisher = "p"


def view(*sequences):
    news = tuple(replace(ALARM, sequence=n) for n in sequences)
    return LineView(Told(), True, True, news, news)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def log(tmp_path):
    opened = AlarmLog(AlarmLogGateway(mode="on", folder=tmp_path / "a", file_mb=0.002, files=3))
    yield opened
    opened.close()
    opened.close()


def test_every_alarm_is_a_line_that_the_schema_knows(log, tmp_path):
    log.show(view(1, 2))
    log.show(view())
    log.show(view(3))
    log.show(LineView(None, False, False))
    written = lines(tmp_path / "a" / "alarms.jsonl")
    assert [one["sequence"] for one in written] == [1, 2, 3]
    for one in written:
        jsonschema.validate(one, alarm_schema())
    assert log.take_commands() == ()


def test_a_full_file_is_turned_over_and_the_oldest_go(log, tmp_path):
    for n in range(1, 30):
        log.show(view(n))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["alarms.1.jsonl", "alarms.2.jsonl", "alarms.jsonl"]
    kept = [
        one["sequence"]
        for name in ("alarms.2.jsonl", "alarms.1.jsonl", "alarms.jsonl")
        for one in lines(tmp_path / "a" / name)
    ]
    assert kept == list(range(kept[0], 30))
    assert all((tmp_path / "a" / name).stat().st_size <= 2000 for name in names)


def test_a_log_that_is_opened_again_goes_on(tmp_path):
    settings = AlarmLogGateway(mode="on", folder=tmp_path)
    for n in (1, 2):
        opened = AlarmLog(settings)
        opened.show(view(n))
        opened.close()
    assert [one["sequence"] for one in lines(tmp_path / "alarms.jsonl")] == [1, 2]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="alarm log"):
        AlarmLog(AlarmLogGateway(mode="on", folder=tmp_path / "file" / "a"))


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path, monkeypatch):
    opened = AlarmLog(AlarmLogGateway(mode="on", folder=tmp_path))
    opened.show(view(1))
    real, calls = __import__("os").write, []

    def write(file, content):
        calls.append(content)
        if len(calls) == 1:
            return real(file, content[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamer.gateways.alarm_log.os.write", write)
    with pytest.raises(StorageError, match="No space left"):
        opened.show(view(2))
    monkeypatch.undo()
    opened.close()
    assert [one["sequence"] for one in lines(tmp_path / "alarms.jsonl")] == [1]


def test_only_what_is_on_is_active():
    assert Gateways().active == ()
    assert Gateways(alarm_log=AlarmLogGateway(mode="on")).active == ("alarm_log",)
