"""Where a level comes from is said as it is; a slow camera is not called blind."""

import pytest

from streamer.compose.geometry import web_geometry
from streamer.compose.verdict_limits import status_limits, threshold
from streamer.config import Config
from streamer.stages.status_board import StatusLimits


def made(sections=None):
    config = Config.model_validate(sections or {})
    return config, web_geometry(config, 1024)


def test_a_level_that_is_configured_is_named_and_holds_at_once():
    assert threshold(*made({"calibration": {"alarm_level": 3.25}})) == ("configured: 3.25", 0)


def test_a_profile_that_is_made_on_the_line_has_the_default_level_until_then():
    sections = {
        "calibration": {"false_alarms_per_100m": 0.5},
        "profile": {"bootstrap_m": 1.5},
        "web": {"pixel_mm": 0.5},
    }
    assert threshold(*made(sections)) == ("calibrated: 0.5 false alarms per 100 m", 3000)


def test_a_profile_from_a_file_holds_at_once(tmp_path):
    text, learnt = threshold(*made({"profile": {"file": tmp_path / "p.safetensors"}}))
    assert text.startswith("calibrated: ")
    assert learnt == 0


def test_tiles_that_are_judged_by_themselves_are_never_calibrated():
    text, learnt = threshold(*made({"profile": {"mode": "per_tile"}}))
    assert text.startswith("default: each tile by itself, for ")
    assert learnt == 0


def test_a_quick_line_has_the_limits_of_the_board():
    known = StatusLimits()
    limits = status_limits(*made({"alarms": {"max_lag_ms": 1234, "actuator_mm": 2000}}))
    assert limits == StatusLimits(known.silent_ms, known.no_lines_ms, 1234, 2000.0)
    assert status_limits(*made()).actuator_mm == 0.0  # 0: unknown


@pytest.mark.parametrize(
    ("block_lines", "speed_m_min", "no_lines_ms"),
    [
        (256, 60, 700),  # 128 ms of web a block
        (1000, 60, 1250),  # 500 ms of web a block: two and a half of them
        (1000, 6, 12500),
    ],
)
def test_a_camera_may_be_silent_for_two_blocks_and_a_half(block_lines, speed_m_min, no_lines_ms):
    sections = {
        "source": {"kind": "simulator", "block_lines": block_lines},
        "web": {"pixel_mm": 0.5, "web_speed_m_min": speed_m_min},
    }
    assert status_limits(*made(sections)).no_lines_ms == no_lines_ms


def test_the_slowest_of_several_cameras_counts():
    side = {"first_mm": 400, "source": {"kind": "simulator", "camera": "c1", "block_lines": 2000}}
    sections = {"cameras": [side], "web": {"pixel_mm": 0.5, "web_speed_m_min": 60}}
    assert status_limits(*made(sections)).no_lines_ms == 2500
