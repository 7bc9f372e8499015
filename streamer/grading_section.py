"""The section of a configuration that grades a roll and plans its cuts; knows no whole."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from streamer.section import Level, Section

MOST_STEPS = 10_000


class PieceRange(Section):
    """Pieces of any length between two."""

    min_m: Level = 10.0
    max_m: Level = 100.0

    @model_validator(mode="after")
    def _is_range(self) -> PieceRange:
        if self.max_m < self.min_m:
            msg = f"max_m must be >= min_m = {self.min_m:g}, got {self.max_m:g}"
            raise ValueError(msg)
        return self


class Grading(Section):
    """Four-point grade and cut plan of the report; decides no verdict."""

    sizes_in: tuple[Level, Level, Level] = (3.0, 6.0, 9.0)
    hole_classes: tuple[str, ...] = ("hole", "opening")
    hole_in: Level = 1.0
    most_points_per_yard: int = Field(default=4, ge=1, le=1000)
    pieces: PieceRange | Annotated[tuple[Level, ...], Field(min_length=1)] | None = PieceRange()
    limit_per_100m2: float = Field(default=48.0, ge=0)
    resolution_m: float = Field(default=0.1, ge=0.01, le=100)

    @property
    def lengths_cells(self) -> tuple[int, ...]:
        """Lengths that a piece may have, in steps of `resolution_m`; () without a cut plan."""
        if self.pieces is None:
            return ()
        if isinstance(self.pieces, PieceRange):
            first = math.ceil(self.pieces.min_m / self.resolution_m - 1e-6)
            last = math.floor(self.pieces.max_m / self.resolution_m + 1e-6)
            return tuple(range(max(first, 1), last + 1))
        return tuple(round(length / self.resolution_m) for length in self.pieces)

    @model_validator(mode="after")
    def _sizes_ascend(self) -> Grading:
        if not self.sizes_in[0] < self.sizes_in[1] < self.sizes_in[2]:
            msg = f"sizes_in must be ascending, got {list(self.sizes_in)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _pieces_are_on_the_grid(self) -> Grading:
        if isinstance(self.pieces, tuple):
            off = [m for m in self.pieces if not self._is_whole(m)]
            if off:
                msg = (
                    f"pieces must be multiples of resolution_m = {self.resolution_m:g}, got "
                    f"{', '.join(f'{length:g}' for length in off)}; choose a finer resolution_m"
                )
                raise ValueError(msg)
        elif self.pieces is not None:
            self._require_steps(self.pieces)
        return self

    def _is_whole(self, length_m: float) -> bool:
        steps = length_m / self.resolution_m
        return round(steps) > 0 and abs(steps - round(steps)) < 1e-6

    def _require_steps(self, pieces: PieceRange) -> None:
        steps = (pieces.max_m - pieces.min_m) / self.resolution_m
        if steps > MOST_STEPS - 1:
            msg = (
                f"pieces must span less than {MOST_STEPS} * resolution_m = "
                f"{MOST_STEPS * self.resolution_m:g} m, got {pieces.max_m - pieces.min_m:g}; "
                "choose a coarser resolution_m"
            )
            raise ValueError(msg)
        if not self.lengths_cells:
            msg = (
                f"pieces must hold a multiple of resolution_m = {self.resolution_m:g}, got "
                f"{pieces.min_m:g} to {pieces.max_m:g}"
            )
            raise ValueError(msg)
