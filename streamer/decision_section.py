"""The section of a configuration that says what a defect is and how much it matters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from streamer.section import Level, OnOrOff, Section

SeverityName = Literal["low", "medium", "high"]


class SeveritySteps(Section):
    """From which figures on a defect is medium or high; a figure of null does not count."""

    high_peak: Level | None = 2.5
    medium_peak: Level | None = 1.5
    high_area_mm2: Level | None = None
    medium_area_mm2: Level | None = None
    high_length_mm: Level | None = None
    medium_length_mm: Level | None = None
    classes: dict[str, SeverityName] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _steps_ascend(self) -> SeveritySteps:
        for name in ("peak", "area_mm2", "length_mm"):
            medium, high = getattr(self, f"medium_{name}"), getattr(self, f"high_{name}")
            if medium is not None and high is not None and medium > high:
                msg = f"medium_{name} must be <= high_{name} = {high:g}, got {medium:g}"
                raise ValueError(msg)
        return self


class LaneLevel(Section):
    """How sensitive one lane is."""

    index: int = Field(ge=0)
    alarm_factor: Level


class WebZone(Section):
    """How sensitive a piece of the web's width is, and how much its defects matter."""

    name: str = Field(min_length=1, max_length=100)
    cross_first_mm: float = Field(ge=0)
    cross_end_mm: Level
    alarm_factor: Level = 1.0
    severity_at_least: SeverityName | None = None
    severity_at_most: SeverityName | None = None

    @model_validator(mode="after")
    def _has_width(self) -> WebZone:
        if self.cross_first_mm >= self.cross_end_mm:
            msg = (
                f"cross_first_mm must be < cross_end_mm = {self.cross_end_mm:g}, "
                f"got {self.cross_first_mm:g}"
            )
            raise ValueError(msg)
        return self


class Repeats(Section):
    """Defects that come again at a constant pitch."""

    mode: OnOrOff = "on"
    min_count: int = Field(default=4, ge=3, le=20)
    max_missed: int = Field(default=1, ge=0, le=5)
    tolerance_down_mm: Level = 5.0
    tolerance_cross_mm: Level = 5.0
    min_period_mm: Level = 50.0
    max_period_mm: Level = 4000.0

    @model_validator(mode="after")
    def _periods_can_be_told_apart(self) -> Repeats:
        least = 4 * self.tolerance_down_mm
        if self.min_period_mm < least:
            msg = (
                f"min_period_mm must be >= 4 * tolerance_down_mm = {least:g}, "
                f"got {self.min_period_mm:g}"
            )
            raise ValueError(msg)
        if self.max_period_mm < self.min_period_mm:
            msg = (
                f"max_period_mm must be >= min_period_mm = {self.min_period_mm:g}, "
                f"got {self.max_period_mm:g}"
            )
            raise ValueError(msg)
        return self


class Decision(Section):
    """From the map to defects; levels are in units of the alarm level."""

    grow_ratio: float = Field(default=0.6, gt=0, le=1)
    min_area_mm2: float = Field(default=0.0, ge=0)
    reannounce_m: Level = 1.0
    evidence_level: Level = 1.0
    max_open_regions: int = Field(default=10000, ge=1)
    min_length_mm: float = Field(default=0.0, ge=0)
    severity: SeveritySteps = SeveritySteps()
    lanes: tuple[LaneLevel, ...] = ()
    zones: tuple[WebZone, ...] = ()
    repeats: Repeats = Repeats()
