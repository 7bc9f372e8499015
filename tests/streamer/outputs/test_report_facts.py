"""The report says in words what the configuration was, also of rolls that are older than it."""

import pytest

from streamer.config import Config
from streamer.outputs.report_facts import duration_text, source_text, threshold_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min 00 s"),
        (90061, "25 h 01 min 01 s"),
    ],
)
def test_durations_read_well(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"kind": "simulator", "surface": "rail", "seed": 3}, "simulated rail, seed 3"),
        ({"kind": "replay", "path": "/data/roll"}, "recording /data/roll"),
        ({"kind": "stream", "address": "rtsp://a"}, "stream rtsp://a"),
        ({"kind": "genicam", "transport": "gige", "serial": "X1"}, "gige camera X1"),
        ({"kind": "gentl"}, "GenTL camera of no stated number"),
        ({"kind": "novel"}, "novel"),
        ({}, "unknown"),
    ],
)
def test_the_source_is_named(source, text):
    assert source_text({"source": source}) == text
    named = {"source": {**source, "camera": "left"}}
    assert source_text(named) == f"{text} (left)"


def test_cameras_side_by_side_are_all_named():
    config = {
        "source": {"kind": "replay", "path": "a", "camera": "left"},
        "cameras": [{"source": {"camera": "right"}}],
    }
    assert source_text(config) == "recording a (left, right)"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"calibration": {"alarm_level": 0.25}}, "set by hand: raw score 0.25"),
        ({}, "not stated"),
        (
            {"calibration": {"false_alarms_per_100m": 1.0}, "profile": {"mode": "per_tile"}},
            "robust default: each tile by its own scores, aimed at 1 false alarm per 100 m",
        ),
        (
            {
                "calibration": {"false_alarms_per_100m": 2},
                "profile": {"mode": "fixed", "file": "a.st"},
            },
            "calibrated: 2 false alarms per 100 m, profile a.st",
        ),
    ],
)
def test_a_level_that_was_not_calibrated_says_so(config, text):
    assert threshold_text(config) == text


def test_the_default_configuration_can_be_said():
    config = Config().model_dump(mode="json")
    assert threshold_text(config).startswith("calibrated: 1 false alarm per 100 m, on the first")
    assert source_text(config).startswith("simulated fabric, seed ")
