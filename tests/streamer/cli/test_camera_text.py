"""What a person at the line reads of the camera: nothing without one, losses when there are any."""

from streamer.cli.camera_text import camera_text


def test_a_source_that_is_no_camera_has_no_text():
    assert camera_text({}) == ""
    assert camera_text({"frames": 3.0}) == ""


def test_a_healthy_camera_is_short():
    figures = {"connected": 1.0, "missing_packets": 0.0, "reconnects": 0.0}
    assert camera_text(figures) == "camera without loss"
    assert camera_text(figures | {"link_mb_s": 101.26, "temperature_c": 41.75}) == (
        "camera 101.3 MB/s, 42 C"
    )


def test_losses_and_absence_are_named():
    figures = {"connected": 0.0, "missing_packets": 12.0, "underruns": 3.0, "reconnects": 1.0}
    assert camera_text(figures) == "camera AWAY, missing packets 12, underruns 3, reconnects 1"
