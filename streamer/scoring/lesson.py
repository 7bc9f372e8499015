"""How a texture profile is learnt, as configured; knows no features and no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.calibration import CalibrationTarget
from streamer.scoring import open_scorer
from streamer.scoring.features import Edges

if TYPE_CHECKING:
    from streamer import config
    from streamer.message import Halo
    from streamer.ports import BackboneSpec
    from streamer.scoring.method import Method
    from streamer.web import WebGeometry


@dataclass(frozen=True, slots=True)
class Lesson:
    """The score, the features it works on, and how often normal web may raise an alarm.

    `alarm_level` (raw score) overrules the calibration. `pools_lanes`: a profile of several lanes
    has an alarm level for each. `band_width`: it has a reference for each cross-web band of so
    many features; None: one for all. `brightness`: it knows how bright the web is; `lines`: how
    much lines along it and across it differ from what lies beside them.
    """

    method: Method
    spec: BackboneSpec
    target: CalibrationTarget
    alarm_level: float | None = None
    pools_lanes: bool = False
    band_width: int | None = None
    brightness: bool = False
    lines: bool = False

    @property
    def detectors(self) -> tuple[str, ...]:
        """Those beside the texture score, by the names of their keys."""
        switched = {"brightness": self.brightness, "lines": self.lines}
        return tuple(name for name, is_on in switched.items() if is_on)

    @classmethod
    def of(cls, settings: config.Config, geometry: WebGeometry, spec: BackboneSpec) -> Lesson:
        """As configured, for a web of `geometry` (the whole width) and the features of `spec`.

        Texture and the detectors beside it share the wanted false alarms evenly.
        """
        method, scoring = open_scorer(settings.scoring), settings.scoring
        wanted, switched = settings.calibration, (scoring.brightness == "on", scoring.lines == "on")
        share = wanted.false_alarms_per_100m / (1 + sum(switched))
        target = CalibrationTarget(geometry, spec.stride, method.patch_size, share, wanted.tail)
        return cls(
            method,
            spec,
            target,
            wanted.alarm_level,
            wanted.lanes == "pooled",
            settings.profile.band_width,
            *switched,
        )

    def edges(self, halo: Halo) -> Edges:
        """A side with less halo than its scores depend on has no more web beyond it."""
        reach = self.method.reach * self.spec.stride + self.spec.radius
        return Edges(*(side < reach for side in (halo.top, halo.bottom, halo.left, halo.right)))
