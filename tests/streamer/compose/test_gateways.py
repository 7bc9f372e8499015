"""A whole gateway process: hears a real sink, shows it, and lets go of everything at the end."""

import json
import threading
import time

import pytest

from streamer.compose.children import Setting
from streamer.compose.gateways import PREFIX, run_gateway
from streamer.config import Config
from streamer.outputs.storage import StorageError
from streamer.outputs.zmq_alarms import ZmqAlarms
from tests.streamer.gateways.contract import PATIENCE_S, alarm, status


@pytest.fixture
def config(tmp_path):
    return Config.model_validate(
        {
            "alarms": {
                "publish": f"ipc://{tmp_path}/publish",
                "snapshot": f"ipc://{tmp_path}/snapshot",
            },
            "gateways": {"alarm_log": {"mode": "on", "folder": tmp_path / "alarms"}},
        }
    )


def written(tmp_path):
    file = tmp_path / "alarms" / "alarms.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_what_the_sink_tells_is_passed_on_until_the_roll_has_ended(config, tmp_path):
    stopping = threading.Event()
    setting = Setting(config, f"{PREFIX}alarm_log", stopping.is_set)
    thread = threading.Thread(target=run_gateway, args=(setting, "alarm_log"))
    sink = ZmqAlarms(config.alarms.publish, config.alarms.snapshot)
    thread.start()
    try:
        sink.publish(alarm(1))
        told, end = status(publisher=sink.publisher, sequence=1), time.monotonic() + PATIENCE_S
        while not written(tmp_path):
            assert time.monotonic() < end, "it never came"
            sink.poll()
            sink.tell(told)
            time.sleep(0.02)
        stopping.set()
    finally:
        sink.close()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert [one["id"] for one in written(tmp_path)] == [alarm(1).id]


class Broken:
    """A gateway that cannot serve any more."""

    closed = 0

    def show(self, view):
        raise OSError("the page must run, got: its thread has ended")

    def close(self):
        self.closed += 1


def test_one_that_cannot_serve_is_closed_and_says_why(config, monkeypatch):
    broken = Broken()
    monkeypatch.setattr("streamer.gateways.open_gateway", lambda name, config: broken)
    with pytest.raises(OSError, match="its thread has ended"):
        run_gateway(Setting(config, "gateway-page", lambda: True), "page")
    assert broken.closed == 1


def test_one_that_cannot_be_opened_says_why(config, tmp_path):
    (tmp_path / "alarms").write_text("")
    with pytest.raises(StorageError, match="alarm log"):
        run_gateway(Setting(config, "gateway-alarm_log", lambda: True), "alarm_log")
