"""The example subscriber: its state machine without sockets, and the script with them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs.zmq_alarms import ZmqAlarms

TOOL = Path(__file__).parents[2] / "tools" / "plc_subscriber.py"
SPEC = importlib.util.spec_from_file_location("plc_subscriber", TOOL)
plc_subscriber = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plc_subscriber)


def update(sequence, name="a", state="new", publisher="p"):
    condition = "normal" if state == "end" else "unacknowledged"
    place = {"id": name, "sequence": sequence, "publisher": publisher}
    return {**place, "state": state, "condition": condition}


def snapshot(sequence, *active, publisher="p"):
    return {"sequence": sequence, "publisher": publisher, "active": list(active)}


@pytest.fixture
def follower():
    return plc_subscriber.AlarmFollower()


def test_updates_wait_for_the_snapshot_and_old_ones_are_dropped(follower):
    assert follower.feed_update(update(2)) == []
    assert follower.feed_update(update(3, "b")) == []
    changes = follower.feed_snapshot(snapshot(2, update(2)))
    assert [c["sequence"] for c in changes] == [2, 3]
    assert set(follower.active) == {"a", "b"}
    assert not follower.needs_snapshot


def test_an_end_removes_and_a_repetition_changes_nothing(follower):
    follower.feed_snapshot(snapshot(1, update(1)))
    assert follower.feed_update(update(1)) == []
    assert follower.feed_update(update(2, state="end")) == [update(2, state="end")]
    assert follower.active == {}


def test_a_hole_asks_again_and_what_came_after_it_is_kept(follower):
    follower.feed_snapshot(snapshot(1))
    assert follower.feed_update(update(3, "c")) == []
    assert follower.needs_snapshot
    assert follower.lost == 1
    assert follower.feed_snapshot(snapshot(2, update(2, "b"))) == [update(2, "b"), update(3, "c")]
    assert not follower.needs_snapshot


def test_a_snapshot_older_than_the_hole_asks_once_more(follower):
    follower.feed_snapshot(snapshot(1))
    follower.feed_update(update(4))
    follower.feed_snapshot(snapshot(2))
    assert follower.needs_snapshot
    follower.feed_snapshot(snapshot(4, update(4)))
    assert not follower.needs_snapshot


def test_a_beat_shows_that_the_latest_message_is_missing(follower):
    follower.feed_snapshot(snapshot(5))
    follower.feed_beat({"sequence": 5, "publisher": "p"})
    assert not follower.needs_snapshot
    follower.feed_beat({"sequence": 6, "publisher": "p"})
    assert follower.needs_snapshot


def test_another_publisher_asks_again_even_when_its_sequence_would_fit(follower):
    follower.feed_snapshot(snapshot(1, update(1)))
    assert follower.feed_update(update(2, "z", publisher="q")) == []
    assert follower.needs_snapshot
    changes = follower.feed_snapshot(snapshot(2, update(2, "z", publisher="q"), publisher="q"))
    assert [(c["id"], c["state"]) for c in changes] == [("z", "new"), ("a", "end")]


def test_leftovers_of_a_dead_publisher_are_forgotten(follower):
    follower.feed_update(update(9, publisher="dead"))
    follower.feed_snapshot(snapshot(0, publisher="q"))
    assert not follower.needs_snapshot
    assert follower.active == {}


def test_the_script_prints_each_change_as_json():
    output = ZmqAlarms("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
    output.publish(
        Alarm(
            id="roll-1",
            sequence=1,
            kind=AlarmKind.DEFECT,
            state=DefectState.NEW,
            severity=Severity.HIGH,
            roll="roll",
            camera="cam0",
            region=RegionMm(1, 2, 3, 4),
            encoder_first=0,
            encoder_end=1,
            raised_ns=0,
            captured_ns=0,
            peak=3.0,
            config_digest="",
            model_digest="",
            text="knot",
        )
    )
    publish, snap = output.endpoints
    command = [sys.executable, str(TOOL), "--publish", publish, "--snapshot", snap]
    script = subprocess.Popen(
        [*command, "--seconds", "3", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while script.poll() is None:
            output.poll()
        printed, summary = script.communicate()
    finally:
        script.kill()
        output.close()
    assert script.returncode == 0
    assert [json.loads(line)["id"] for line in printed.splitlines()] == ["roll-1"]
    assert summary == "active 1, lost and recovered 0\n"


def test_a_line_for_people_names_place_and_text():
    line = plc_subscriber.describe(
        {
            "region_mm": {"down_first": 1500, "down_end": 2500, "cross_first": 3, "cross_end": 4},
            "raised_utc": "2023-11-14T22:13:20.000000Z",
            "state": "new",
            "severity": "high",
            "kind": "defect",
            "id": "r-1",
            "peak": 2.5,
            "text": "",
        }
    )
    assert "1.500 m ..     2.500 m" in line
    assert line.endswith("peak 2.50")
