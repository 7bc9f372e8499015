"""What the decision is told: lanes before zones, severities, repeats; unknown lanes refused."""

import pytest

from streamer.compose.decision import decision_settings, repeat_settings, severity_rules
from streamer.compose.geometry import web_geometry
from streamer.config import Config, ConfigError
from streamer.decision import DecisionSettings
from streamer.message import Interval, Severity
from streamer.repeats import RepeatSettings
from streamer.severity import SeverityRules
from streamer.zones import Zone

LANES = (Interval(0, 64), Interval(64, 100))
ZONE = {
    "name": "edge",
    "cross_first_mm": 0,
    "cross_end_mm": 10,
    "alarm_factor": 2.0,
    "severity_at_most": "low",
}


def configured(**decision):
    return Config(web={"pixel_mm": 0.5}, decision=decision)


def settings_of(config, lanes=LANES):
    return decision_settings(config, web_geometry(config, 100), lanes)


def test_by_default_nothing_differs_from_what_decides_by_itself():
    config = configured()
    assert settings_of(config) == DecisionSettings(web_geometry(config, 100))
    assert severity_rules(config) == SeverityRules()
    assert repeat_settings(config) == RepeatSettings()


def test_every_key_reaches_the_decision():
    given = {
        "grow_ratio": 0.5,
        "min_area_mm2": 3.0,
        "reannounce_m": 2.0,
        "max_open_regions": 7,
        "min_length_mm": 4.0,
    }
    found = settings_of(configured(**given))
    assert {name: getattr(found, name) for name in given} == given


def test_lanes_become_zones_that_come_before_those_of_the_configuration():
    config = configured(lanes=[{"index": 1, "alarm_factor": 1.5}], zones=[ZONE])
    edge = Zone("edge", 0, 10, 2.0, None, Severity.LOW)
    assert settings_of(config).zones == (Zone("lane 1", 32.0, 50.0, 1.5), edge)
    assert settings_of(config).severity.zones == (edge,)


def test_a_still_image_has_no_lanes():
    config = configured(lanes=[{"index": 9, "alarm_factor": 1.5}], zones=[ZONE])
    assert [zone.name for zone in settings_of(config, ()).zones] == ["edge"]


def test_a_lane_that_the_web_does_not_have_is_refused():
    config = configured(lanes=[{"index": 2, "alarm_factor": 1.5}])
    with pytest.raises(ConfigError, match=r"decision.lanes.index must be < 2 lanes .*, got 2"):
        settings_of(config)


def test_severities_of_classes_are_passed_on():
    config = configured(severity={"high_peak": None, "classes": {"hole": "high"}})
    assert severity_rules(config) == SeverityRules(None, classes=(("hole", Severity.HIGH),))


def test_repeats_may_be_off_and_are_announced_again_as_often_as_defects():
    assert repeat_settings(configured(repeats={"mode": "off"})) is None
    config = configured(reannounce_m=2.5, repeats={"min_count": 6, "max_missed": 0})
    assert repeat_settings(config) == RepeatSettings(6, 0, reannounce_mm=2500)
