"""How much a defect matters: by its peak, size, class and place; pure, knows no alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.message import Severity, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.message import Defect, RegionMm
    from streamer.zones import Zone

ASCENDING = tuple(Severity)


@dataclass(frozen=True, slots=True)
class SeverityRules:
    """From which figures on a defect is medium or high; None: the figure does not count.

    Peaks are in units of the alarm level, lengths are those of `length_mm`. `classes` names the
    severity of whole classes; `zones` may raise or cap it.
    """

    high_peak: float | None = 2.5
    medium_peak: float | None = 1.5
    high_area_mm2: float | None = None
    medium_area_mm2: float | None = None
    high_length_mm: float | None = None
    medium_length_mm: float | None = None
    classes: tuple[tuple[str, Severity], ...] = ()
    zones: tuple[Zone, ...] = ()

    def __post_init__(self) -> None:
        for name, medium, high in self._steps():
            ordered = medium is None or high is None or medium <= high
            require(ordered, f"medium_{name} must be <= high_{name}", (medium, high))

    def _steps(self) -> Iterator[tuple[str, float | None, float | None]]:
        yield "peak", self.medium_peak, self.high_peak
        yield "area_mm2", self.medium_area_mm2, self.high_area_mm2
        yield "length_mm", self.medium_length_mm, self.high_length_mm

    def by_figures(self, *figures: float) -> Severity:
        """The most severe verdict on (peak, area in mm2, length in mm)."""
        steps = tuple(zip(self._steps(), figures, strict=True))
        if any(high is not None and figure >= high for (_, _, high), figure in steps):
            return Severity.HIGH
        if any(medium is not None and figure >= medium for (_, medium, _), figure in steps):
            return Severity.MEDIUM
        return Severity.LOW


DEFAULT_RULES = SeverityRules()


def severity_of(defect: Defect, rules: SeverityRules = DEFAULT_RULES) -> Severity:
    """The severity of a defect as far as it has grown.

    That of its class if there is a rule for it, else the most severe that peak, area or length
    give. Then zones that hold the defect cap it, and those that it touches raise it: where both
    apply, the raise counts.
    """
    by_class = dict(rules.classes).get(defect.defect_class)
    size = defect.peak, defect.area_mm2, length_mm(defect.region)
    found = by_class or rules.by_figures(*size)
    caps = [z.at_most for z in rules.zones if z.at_most and z.holds(defect.region)]
    raises = [z.at_least for z in rules.zones if z.at_least and z.touches(defect.region)]
    capped = min([found, *caps], key=ASCENDING.index)
    return max([capped, *raises], key=ASCENDING.index)


def length_mm(region: RegionMm) -> float:
    """The longer of the down-web and the cross-web extent of a box."""
    return max(region.down_end - region.down_first, region.cross_end - region.cross_first)
