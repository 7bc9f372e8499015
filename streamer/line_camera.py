"""The sections about a line-scan camera's counters; knows no camera, no file and no whole."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LineCamera(BaseModel):
    """What the counters of a line-scan camera mean; sources/frame_lines.py has the rules."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    counts_per_line: float | None = None
    max_reorder_frames: int = Field(default=4, ge=1, le=64)
    max_reorder_ms: Annotated[float, Field(gt=0)] = 500.0
    frame_bits: int = Field(default=16, ge=8, le=64)
    line_bits: int = Field(default=16, ge=8, le=64)
    encoder_bits: int = Field(default=32, ge=8, le=62)
    encoder_survives: bool = True

    @model_validator(mode="after")
    def _encoder_counts(self) -> Self:
        if self.counts_per_line == 0:
            msg = "counts_per_line must be a number other than 0, or null without an encoder, got 0"
            raise ValueError(msg)
        return self


class SimulatedLineCamera(LineCamera):
    """The camera between a simulated web and the line; `stamps`: where it reads the encoder."""

    counts_per_line: float | None = 4.0
    counters: Literal["frames_and_lines", "frames", "lines", "none"] = "frames_and_lines"
    stamps: Literal["ends", "lines"] = "ends"
