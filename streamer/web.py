"""Web coordinates: pixels, lines, encoder and millimetres, and which area was inspected; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import GapReason, Interval, RegionMm, ScoreArray, require

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class WebGeometry:
    """Size of a pixel and of a line on the web.

    `pixel_mm` is cross-web millimetres per column, `line_mm` down-web millimetres per line,
    `speed_m_min` the web speed, `counts_per_line` encoder counts per line.
    """

    columns: int
    pixel_mm: float
    line_mm: float
    speed_m_min: float
    counts_per_line: float = 1.0

    def __post_init__(self) -> None:
        sizes = min(self.pixel_mm, self.line_mm, self.speed_m_min, self.counts_per_line)
        require(self.columns > 0 and sizes > 0, "WebGeometry must be positive", self)

    def metres(self, lines: float) -> float:
        """Length of `lines` in metres."""
        return lines * self.line_mm / 1000

    def lines(self, metres: float) -> int:
        """Smallest number of lines that is at least `metres` long."""
        return -int(-metres * 1000 // self.line_mm)

    def encoder(self, line: int) -> int:
        """Encoder count at the start of `line`."""
        return round(line * self.counts_per_line)

    def travel_mm(self, seconds: float) -> float:
        """How far the web moves in `seconds` at the configured speed."""
        return self.speed_m_min * 1000 / 60 * seconds

    def region(self, lines: Interval, columns: Interval) -> RegionMm:
        """Bounding box of a block of pixels in millimetres."""
        return RegionMm(
            lines.first * self.line_mm,
            lines.end * self.line_mm,
            columns.first * self.pixel_mm,
            columns.end * self.pixel_mm,
        )


INSPECTED, MASKED = "inspected", "masked"


@dataclass(frozen=True, slots=True)
class LaneCoverage:
    """What became of some columns of a lane in a strip.

    `status` is "inspected", "masked" or the reason of a gap, `detail` a text for people; `camera`
    is "" where the web has one camera.
    """

    lane: int
    columns: Interval
    status: str
    detail: str = ""
    camera: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    """A full-width piece of the stitched map, in down-web order.

    `scores` is (rows, grid columns) float32 in units of the alarm level (0 typical, 1 alarm), NaN
    where nothing was inspected or the web is masked. Row r holds the lines
    [first_line + r * stride, first_line + (r + 1) * stride), cut at first_line + line_count.
    `starts_piece`: the row above the first is not its neighbour on the web. `coverage` says of all
    columns what became of them; `scored_ns` is the time of its last verdict, 0: it has none.
    """

    first_line: int
    line_count: int
    stride: int
    scores: ScoreArray
    starts_piece: bool
    captured_ns: int
    coverage: tuple[LaneCoverage, ...] = ()
    scored_ns: int = 0

    def __post_init__(self) -> None:
        rows = -(-self.line_count // self.stride)
        require(
            self.scores.shape[0] == rows, f"Strip.scores must have {rows} rows", self.scores.shape
        )


def merge_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted, disjoint, non-touching intervals that cover the same members."""
    merged: list[Interval] = []
    for interval in sorted(i for i in intervals if i.size):
        if merged and interval.first <= merged[-1].end:
            merged[-1] = Interval(merged[-1].first, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return tuple(merged)


def intersect_intervals(intervals: Iterable[Interval], window: Interval) -> tuple[Interval, ...]:
    """The parts of `intervals` inside `window`, merged."""
    cut = (
        Interval(max(i.first, window.first), max(min(i.end, window.end), i.first, window.first))
        for i in intervals
    )
    return merge_intervals(cut)


def covered(intervals: Iterable[Interval]) -> int:
    """Number of members in the union of `intervals`."""
    return sum(i.size for i in merge_intervals(intervals))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Areas of the roll in pixels (lines times columns); immutable, `add_*` return a new one."""

    captured: int = 0
    inspected: int = 0
    masked: int = 0
    not_inspected: dict[GapReason, int] = field(default_factory=dict)

    def add_captured(self, area: int) -> Coverage:
        """Capture has announced `area`."""
        return replace(self, captured=self.captured + area)

    def add_inspected(self, area: int) -> Coverage:
        """A verdict covers `area`."""
        return replace(self, inspected=self.inspected + area)

    def add_masked(self, area: int) -> Coverage:
        """`area` holds no web."""
        return replace(self, masked=self.masked + area)

    def add_not_inspected(self, reason: GapReason, area: int) -> Coverage:
        """`area` has no verdict, for `reason`."""
        reasons = {**self.not_inspected, reason: self.not_inspected.get(reason, 0) + area}
        return replace(self, not_inspected=reasons)

    @property
    def not_inspected_total(self) -> int:
        """Area without a verdict, over all reasons."""
        return sum(self.not_inspected.values())

    @property
    def is_exact(self) -> bool:
        """Whether inspected, masked and not inspected together are what was captured."""
        return self.inspected + self.masked + self.not_inspected_total == self.captured

    @property
    def not_inspected_percent(self) -> float:
        """Share of the captured area without a verdict, in percent; 100 if nothing was captured."""
        if self.captured == 0:
            return 100.0
        return 100.0 * self.not_inspected_total / self.captured
