"""Masked columns from edges, fixed margins and ignore zones; pure, knows no pixel's value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.message import Interval, require
from streamer.web import intersect_intervals, merge_intervals

COARSEST_GRID = 16  # columns
GRIDS_PER_GUARD = 2  # so that a mask on the grid always fits in


@dataclass(frozen=True, slots=True)
class MaskRule:
    """How much is masked beside an edge, in pixels.

    `selvedge_px` of web are never inspected; the mask ends at most `guard_px` beyond that, and
    stays where it is as long as it does. `least_px` are masked at the left and right in any case.
    """

    guard_px: float
    selvedge_px: float = 0.0
    least_px: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        require(self.guard_px >= 0, "guard_px must be >= 0", self.guard_px)
        require(self.selvedge_px >= 0, "selvedge_px must be >= 0", self.selvedge_px)
        require(min(self.least_px) >= 0, "least_px must be >= 0", self.least_px)

    @property
    def grid_px(self) -> int:
        """Masks end at multiples of this, counted from their side: a power of two."""
        room = self.guard_px / GRIDS_PER_GUARD
        return min(1 << max(int(math.log2(room)), 0), COARSEST_GRID) if room >= 1 else 1


@dataclass(frozen=True, slots=True)
class IgnoreZone:
    """Columns that are not inspected within some lines, whatever is there."""

    lines: Interval
    columns: Interval


def next_mask(mask_px: int, edge_px: float, rule: MaskRule) -> int:
    """Columns masked at one side, where `mask_px` were until now and the edge is at `edge_px`.

    Within [edge + selvedge, edge + selvedge + guard] nothing changes; else the mask goes to the
    middle, rounded to the grid. An edge at the side of the picture needs no mask.
    """
    if edge_px <= 0:
        return 0
    least = edge_px + rule.selvedge_px
    if least <= mask_px <= least + rule.guard_px:
        return mask_px
    centred = rule.grid_px * math.floor((least + rule.guard_px / 2) / rule.grid_px + 0.5)
    return centred if least <= centred <= least + rule.guard_px else math.ceil(least)


def masked_columns(sides: tuple[int, int], web: Interval, rule: MaskRule) -> tuple[Interval, ...]:
    """What is masked of the columns `web` that a camera sees, by columns masked at both sides."""
    left, right = (min(max(a, b), web.size) for a, b in zip(sides, rule.least_px, strict=True))
    return merge_intervals(
        (Interval(web.first, web.first + left), Interval(web.end - right, web.end))
    )


def ignored_columns(zones: tuple[IgnoreZone, ...], line: int, columns: int) -> tuple[Interval, ...]:
    """What the zones ignore at `line` of a web of `columns`."""
    at = (z.columns for z in zones if z.lines.first <= line < z.lines.end)
    return intersect_intervals(at, Interval(0, columns))


def next_change(zones: tuple[IgnoreZone, ...], line: int) -> int | None:
    """The first line after `line` at which a zone begins or ends; None: there is none."""
    ends = (end for z in zones for end in (z.lines.first, z.lines.end) if end > line)
    return min(ends, default=None)
