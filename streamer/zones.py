"""Where on the web other levels and other severities hold; pure, knows no map and no region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import ScoreArray, Severity, require

if TYPE_CHECKING:
    from streamer.message import RegionMm
    from streamer.web import WebGeometry


@dataclass(frozen=True, slots=True)
class Zone:
    """A piece of the web's width, [cross_first_mm, cross_end_mm) from its left edge.

    `alarm_factor` multiplies the alarm level: above 1 the zone is less sensitive. `at_least` raises
    the severity of every defect that touches the zone; `at_most` caps that of defects that lie
    wholly inside it.
    """

    name: str
    cross_first_mm: float
    cross_end_mm: float
    alarm_factor: float = 1.0
    at_least: Severity | None = None
    at_most: Severity | None = None

    def __post_init__(self) -> None:
        ordered = 0 <= self.cross_first_mm < self.cross_end_mm
        bounds = (self.cross_first_mm, self.cross_end_mm)
        require(ordered, "Zone must have 0 <= cross_first_mm < cross_end_mm", bounds)
        require(self.alarm_factor > 0, "Zone.alarm_factor must be > 0", self.alarm_factor)

    def touches(self, region: RegionMm) -> bool:
        """Whether the region's box and the zone share some width."""
        return region.cross_first < self.cross_end_mm and self.cross_first_mm < region.cross_end

    def holds(self, region: RegionMm) -> bool:
        """Whether the region's box lies wholly inside the zone."""
        return self.cross_first_mm <= region.cross_first and region.cross_end <= self.cross_end_mm


def in_units_of_zones(
    scores: ScoreArray, zones: tuple[Zone, ...], geometry: WebGeometry, stride: int
) -> ScoreArray:
    """Scores (rows, grid columns) in units of the alarm level of their own zone.

    The given array itself where every factor is 1.
    """
    if all(zone.alarm_factor == 1 for zone in zones):
        return scores
    scaled: ScoreArray = scores / column_factors(zones, geometry, stride)
    return scaled


@lru_cache(maxsize=16)
def column_factors(zones: tuple[Zone, ...], geometry: WebGeometry, stride: int) -> ScoreArray:
    """What the alarm level is multiplied by in each grid column: (columns,) float32, read-only.

    A column belongs to the zones that hold its middle; of several the one that is listed last
    counts alone, so that a general rule comes first and its exceptions after it.
    """
    first = np.arange(0, geometry.columns, stride)
    middle = (first + np.minimum(first + stride, geometry.columns)) / 2 * geometry.pixel_mm
    factors = np.ones(first.size, np.float32)
    for zone in zones:
        inside = (zone.cross_first_mm <= middle) & (middle < zone.cross_end_mm)
        factors[inside] = zone.alarm_factor
    factors.flags.writeable = False
    return factors
