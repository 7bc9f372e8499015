"""Counters add up over sessions; gauges are of the present one."""

from streamer.sources.camera_health import CameraHealth


def test_counters_go_on_over_a_reconnect_and_gauges_do_not():
    health = CameraHealth()
    assert health.figures["connected"] == 0
    health.update({"missing_packets": 3.0, "temperature_c": 41.0})
    health.count("frames")
    assert health.figures == {
        "connected": 1.0,
        "reconnects": 0.0,
        "frames": 1.0,
        "incomplete_frames": 0.0,
        "timeouts": 0.0,
        "missing_packets": 3.0,
        "temperature_c": 41.0,
    }
    health.end_session()
    assert health.figures["connected"] == 0
    assert health.figures["missing_packets"] == 3
    assert "temperature_c" not in health.figures
    health.update({"missing_packets": 2.0})
    assert health.figures["missing_packets"] == 5
    health.update({"missing_packets": 4.0})
    assert health.figures["missing_packets"] == 7


def test_a_new_cause_is_counted_from_one():
    health = CameraHealth()
    health.count("incomplete_frames")
    health.count("incomplete_frames")
    assert health.figures["incomplete_frames"] == 2
