"""Levels, zones, severities and repeats of a roll from the configuration; decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.config import ConfigError
from streamer.decision import DecisionSettings
from streamer.message import Severity
from streamer.repeats import RepeatSettings
from streamer.severity import SeverityRules
from streamer.zones import Zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.config import Config
    from streamer.decision_section import WebZone
    from streamer.message import Interval
    from streamer.web import WebGeometry


def decision_settings(
    config: Config, geometry: WebGeometry, lanes: Sequence[Interval] = ()
) -> DecisionSettings:
    """What makes a defect; `lanes` are the web columns of each lane, none for a still image.

    Raises:
        ConfigError: `decision.lanes` names a lane that the web does not have.
    """
    decision = config.decision
    levels = _lane_zones(config, geometry, lanes) if lanes else ()
    return DecisionSettings(
        geometry,
        decision.grow_ratio,
        decision.min_area_mm2,
        decision.reannounce_m,
        decision.max_open_regions,
        decision.min_length_mm,
        (*levels, *map(_zone, decision.zones)),
        severity_rules(config),
    )


def severity_rules(config: Config) -> SeverityRules:
    """How much defects matter, for whoever tells of them."""
    steps = config.decision.severity
    return SeverityRules(
        **steps.model_dump(exclude={"classes"}),
        classes=tuple((name, Severity(given)) for name, given in steps.classes.items()),
        zones=tuple(map(_zone, config.decision.zones)),
    )


def repeat_settings(config: Config) -> RepeatSettings | None:
    """What counts as a repeat; None: they are not looked for."""
    repeats = config.decision.repeats
    if repeats.mode == "off":
        return None
    reannounce_mm = config.decision.reannounce_m * 1000
    return RepeatSettings(**repeats.model_dump(exclude={"mode"}), reannounce_mm=reannounce_mm)


def _lane_zones(
    config: Config, geometry: WebGeometry, lanes: Sequence[Interval]
) -> tuple[Zone, ...]:
    """Lanes come before zones, so that a zone counts in the lanes that it lies in."""
    zones: list[Zone] = []
    for level in config.decision.lanes:
        if level.index >= len(lanes):
            msg = (
                f"decision.lanes.index must be < {len(lanes)} lanes of this web, got {level.index}"
            )
            raise ConfigError(msg)
        lane = lanes[level.index]
        first_mm, end_mm = lane.first * geometry.pixel_mm, lane.end * geometry.pixel_mm
        zones.append(Zone(f"lane {level.index}", first_mm, end_mm, level.alarm_factor))
    return tuple(zones)


def _zone(zone: WebZone) -> Zone:
    return Zone(
        zone.name,
        zone.cross_first_mm,
        zone.cross_end_mm,
        zone.alarm_factor,
        Severity(zone.severity_at_least) if zone.severity_at_least else None,
        Severity(zone.severity_at_most) if zone.severity_at_most else None,
    )
