"""The sections about what is done to pixels before they are scored; knows no file and no whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from streamer.section import AutoOrOff, Section, SlowOrOff, switched_off

WIDEST_MM, LONGEST_M = 1e5, 1e7  # beyond any web: what is larger is a slip


class Light(Section):
    """What is done to the pixels of a camera before anything looks at them."""

    file: Path | None = None
    black_level: float | None = Field(default=None, ge=0, le=75)
    bad_pixels: AutoOrOff = "auto"
    lamp_drift: SlowOrOff = "off"
    maintenance_percent: float | None = Field(default=20.0, gt=0, lt=100)
    web_level: float | None = Field(default=None, gt=0, le=100)
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @property
    def is_on(self) -> bool:
        """Whether there is anything to be done."""
        return not (self.file is None and self.black_level is None and self.lamp_drift == "off")

    @model_validator(mode="after")
    def _digest_needs_file(self) -> Light:
        if self.digest is not None and self.file is None:
            msg = f"digest needs file, got digest: {self.digest} alone"
            raise ValueError(msg)
        return self


class IgnoreZone(Section):
    """A part of the web that is not inspected; `to_m` null: to the end of the roll."""

    first_mm: float = Field(ge=0, le=WIDEST_MM)
    end_mm: float = Field(gt=0, le=WIDEST_MM)
    from_m: float = Field(default=0.0, ge=0, le=LONGEST_M)
    to_m: float | None = Field(default=None, gt=0, le=LONGEST_M)

    @model_validator(mode="after")
    def _is_not_empty(self) -> IgnoreZone:
        if self.end_mm <= self.first_mm:
            msg = f"end_mm must be > first_mm = {self.first_mm}, got {self.end_mm}"
            raise ValueError(msg)
        if self.to_m is not None and self.to_m <= self.from_m:
            msg = f"to_m must be > from_m = {self.from_m}, got {self.to_m}"
            raise ValueError(msg)
        return self


class Edges(Section):
    """What is not web in a still (`mode`), and in a stream of lines (all the rest)."""

    mode: AutoOrOff = "auto"
    stream: Annotated[Literal["off", "fixed", "auto"], BeforeValidator(switched_off)] = "off"
    margin_left_mm: float = Field(default=0.0, ge=0, le=WIDEST_MM)
    margin_right_mm: float = Field(default=0.0, ge=0, le=WIDEST_MM)
    selvedge_mm: float = Field(default=0.0, ge=0, le=WIDEST_MM)
    guard_mm: float = Field(default=5.0, ge=0, le=WIDEST_MM)
    ignore: tuple[IgnoreZone, ...] = ()

    @model_validator(mode="after")
    def _stream_uses_them(self) -> Edges:
        margins = self.margin_left_mm + self.margin_right_mm
        if self.stream == "off" and (margins or self.ignore):
            msg = (
                "edges.stream must be fixed or auto with edges.margin_left_mm, margin_right_mm or "
                "ignore, got off; set edges.stream: fixed"
            )
            raise ValueError(msg)
        if self.stream != "auto" and self.selvedge_mm:
            msg = (
                f"edges.stream must be auto with edges.selvedge_mm, got {self.stream}; "
                "use edges.margin_left_mm and margin_right_mm"
            )
            raise ValueError(msg)
        return self


class Correction(Section):
    """What is done to the pixels of a still before they are scored, and to its map after."""

    light: SlowOrOff = "slow"
    background: SlowOrOff = "slow"
