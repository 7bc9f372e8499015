"""A started line has ports of its own, and nothing of it is left behind."""

import time

import psutil
import pytest
from started_line import SMALL, _chosen, started_line

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def test_settings_override_and_a_camera_has_no_simulated_web():
    chosen = _chosen({"tiles.lines": 64})
    assert chosen["tiles.lines"] == 64
    assert chosen["tiles.columns"] == SMALL["tiles.columns"]
    assert chosen["alarms.publish"] != chosen["alarms.snapshot"]
    assert "source.length_m" not in _chosen({"source.kind": "genicam"})


def test_its_stages_can_be_had_by_name_and_none_outlives_it():
    with started_line({}) as line:
        deadline = time.monotonic() + 60
        while True:
            try:
                sink = line.child("sink")
                break
            except LookupError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert sink.is_running()
        with pytest.raises(LookupError, match="must be a running stage, got nobody"):
            line.child("nobody")
    _, alive = psutil.wait_procs([sink], timeout=10)
    assert not alive
    assert not line.folder.exists()
