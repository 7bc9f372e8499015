"""What an alarm level is set for: rate, web and tail; pure; knows no score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.calibration.tail import TAIL_SHARES, TailKind
from streamer.message import require

if TYPE_CHECKING:
    from streamer.web import WebGeometry

METRES_OF_RATE = 100.0


@dataclass(frozen=True, slots=True)
class CalibrationTarget:
    """How often normal web may raise an alarm, and how its tail is continued.

    `stride` is pixels per score cell, `block` the correlation length of the score in cells (the
    patch size), `false_alarms_per_100m` counts alarms over the whole width of `geometry`.
    """

    geometry: WebGeometry
    stride: int
    block: int
    false_alarms_per_100m: float
    tail: TailKind = "exponential"

    def __post_init__(self) -> None:
        require(self.stride > 0, "stride must be > 0", self.stride)
        require(self.block > 0, "block must be > 0", self.block)
        rate = self.false_alarms_per_100m
        require(rate > 0, "false_alarms_per_100m must be > 0", rate)
        require(self.tail in TAIL_SHARES, f"tail must be of {', '.join(TAIL_SHARES)}", self.tail)

    @property
    def blocks_per_100m(self) -> float:
        """Independent blocks of score in 100 m of web."""
        return max(self._cells_per_100m / self.block**2, 1.0)

    @property
    def chance(self) -> float:
        """Probability that the maximum of one normal block exceeds the alarm level."""
        return min(self.false_alarms_per_100m / self.blocks_per_100m, 0.5)

    def metres(self, cells: int) -> float:
        """Length of web of the full width that has as many cells."""
        return METRES_OF_RATE * cells / self._cells_per_100m

    @property
    def _cells_per_100m(self) -> float:
        rows = self.geometry.lines(METRES_OF_RATE) / self.stride
        return rows * -(-self.geometry.columns // self.stride)
