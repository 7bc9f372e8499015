"""Recorders from the configuration: one a camera, where they listen, and what they keep."""

import pytest
import yaml

from streamer.compose.recorders import (
    alarm_outlets,
    open_record,
    recorder_endpoint,
    recorder_feed,
    recorder_processes,
    recordings_folder,
)
from streamer.config import ConfigError
from streamer.config_file import load_config
from streamer.ports import WebFormat
from streamer.sources.recording_ring import RingRecording
from streamer.sources.recording_whole import WholeRecording
from streamer.transport.zeromq import ZmqHub

FORM = WebFormat(256, 1, 8, "web")


def load(tmp_path, *settings, cameras=0):
    side = [
        {"first_mm": 100.0 * n, "source": {"kind": "simulator", "camera": f"cam{n}"}}
        for n in range(1, cameras + 1)
    ]
    file = tmp_path / "line.yaml"
    content = {"cameras": side, "recorder": {"endpoint": f"ipc://{tmp_path}/recorder"}}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(file, settings)


@pytest.fixture
def hub():
    opened = ZmqHub()
    yield opened
    opened.close()


def test_nothing_is_recorded_unless_asked_for(tmp_path, hub):
    config = load(tmp_path)
    assert recorder_processes(config) == {}
    assert recorder_feed(config, hub, "cam0", (FORM, "me", {})) is None
    assert alarm_outlets(config, hub) == []


def test_every_camera_has_a_recorder_of_its_own(tmp_path):
    assert recorder_processes(load(tmp_path, "recorder.mode=all")) == {"recorder": ""}
    two = load(tmp_path, "recorder.mode=all", cameras=1)
    assert recorder_processes(two) == {"recorder-cam0": "cam0", "recorder-cam1": "cam1"}
    endpoints = [recorder_endpoint(two, name) for name in ("cam0", "cam1")]
    assert endpoints == [f"ipc://{tmp_path}/recorder", f"ipc://{tmp_path}/recorder-1"]


def test_an_address_without_room_for_more_is_refused(tmp_path):
    two = load(tmp_path, "recorder.mode=all", "recorder.endpoint=tcp://127.0.0.1:65535", cameras=1)
    with pytest.raises(ConfigError, match="recorder.endpoint must end in a port with room"):
        recorder_endpoint(two, "cam1")


def test_recordings_lie_in_the_roll_unless_told(tmp_path):
    roll = tmp_path / "rolls" / "r1"
    assert recordings_folder(load(tmp_path), roll, "") == roll / "recordings"
    assert (
        recordings_folder(load(tmp_path, cameras=1), roll, "cam1") == roll / "recordings" / "cam1"
    )
    chosen = load(tmp_path, f"recorder.folder={tmp_path / 'disk'}")
    assert recordings_folder(chosen, roll, "") == tmp_path / "disk" / "r1"


@pytest.mark.parametrize(("mode", "count"), [("all", 0), ("ring", 2), ("alarms", 2)])
def test_alarms_go_to_the_recorders_that_wait_for_them(tmp_path, hub, mode, count):
    config = load(tmp_path, f"recorder.mode={mode}", cameras=1)
    assert len(alarm_outlets(config, hub)) == count


def test_capture_has_a_feed_when_something_is_recorded(tmp_path, hub):
    figures = {}
    feed = recorder_feed(load(tmp_path, "recorder.mode=all"), hub, "cam0", (FORM, "me", figures))
    assert feed is not None
    assert figures == {"lines_refused_by_recorder": 0}


@pytest.mark.parametrize(
    ("mode", "kind"), [("all", WholeRecording), ("ring", RingRecording), ("alarms", RingRecording)]
)
def test_the_mode_says_what_is_kept(tmp_path, mode, kind):
    assert isinstance(open_record(load(tmp_path, f"recorder.mode={mode}"), tmp_path / "r"), kind)


def test_a_ring_must_hold_what_is_kept(tmp_path):
    settings = ("recorder.mode=ring", "recorder.ring_m=3", "recorder.before_m=1")
    with pytest.raises(
        ConfigError, match=r"ring_m must be >= 2 \* \(before_m \+ after_m\) = 4, got"
    ):
        load(tmp_path, *settings)
    load(tmp_path, *settings, "recorder.after_m=0.5")
