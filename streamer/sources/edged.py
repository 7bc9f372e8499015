"""Masks what a source shows beside the web, and names lines without web; knows no kind of source.

Lines wait for the end of their group, at most GROUP_LINES and a half, since only then it is known
where the edges are.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.edge_groups import GroupLines, GroupState, group_end, judge
from streamer.correction.edge_mask import (
    IgnoreZone,
    MaskRule,
    ignored_columns,
    masked_columns,
    next_change,
)
from streamer.correction.edge_profile import LEAST_CELLS, cell_pixels, sampled_lines
from streamer.correction.web_grid import true_runs
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss, require
from streamer.ports import health_of
from streamer.sources.line_slices import filler_of, slice_lines
from streamer.web import covered, merge_intervals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamer import config
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray
    from streamer.ports import LineSource, WebFormat

_LOG = logging.getLogger(__name__)
NEVER = 1 << 62  # a line that no roll reaches


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """What is masked, in pixels; `tracks`: the edges are looked for."""

    rule: MaskRule
    zones: tuple[IgnoreZone, ...]
    tracks: bool
    pixel_mm: float

    @classmethod
    def of(cls, edges: config.Edges, web: config.Web) -> EdgePlan:
        """From the settings in millimetres and metres."""
        mm = web.pixel_mm
        margins = edges.margin_left_mm, edges.margin_right_mm
        least = math.ceil(margins[0] / mm), math.ceil(margins[1] / mm)
        rule = MaskRule(edges.guard_mm / mm, edges.selvedge_mm / mm, least)
        zones = tuple(_zone(zone, web) for zone in edges.ignore)
        return cls(rule, zones, edges.stream == "auto", mm)


class EdgedSource:
    """A LineSource that owns another one and says of its lines where there is no web.

    The pixels are what the source delivers, in memory of its own: lines that wait must outlive the
    buffer that the caller brings for the next ones. Masks are the same however the lines arrive.
    """

    def __init__(self, source: LineSource, plan: EdgePlan) -> None:
        """Own `source`.

        Raises:
            ValueError: the fixed margins leave no web to inspect.
        """
        margins, columns = sum(plan.rule.least_px), source.format.columns
        rule = (
            f"edges.margin_left_mm and edges.margin_right_mm must leave some of the {columns} "
            "columns of the web, in columns"
        )
        require(margins < columns, rule, margins)
        self._source = source
        self._plan = plan
        self._state = GroupState()
        self._waiting: list[LineBlock] = []  # consecutive, of one group, masked alike
        self._next_line: int | None = None
        self._given: tuple[Interval, ...] = ()  # what the source masks itself
        self._ready: deque[LineBlock | LineLoss] = deque()
        self._ended = False
        self._no_web_lines = 0
        self._inspected_px = 0

    @property
    def format(self) -> WebFormat:
        """Of the source."""
        return self._source.format

    @property
    def truth(self) -> bytes:
        """Of the source."""
        return self._source.truth

    @property
    def health(self) -> Mapping[str, float]:
        """Of the source if it says anything, and where the edges are; millimetres, 0..1, lines."""
        left, right = self._state.tracked.margins_px
        mm, columns = self._plan.pixel_mm, self.format.columns
        tracked = {
            "edge_left_mm": float(left * mm),
            "edge_right_mm": float((columns - right) * mm),
            "edge_confidence": float(self._state.tracked.confidence),
        }
        return {
            **health_of(self._source),
            **(tracked if self._plan.tracks else {}),
            "inspected_width_mm": self._inspected_px * mm,
            "no_web_lines": float(self._no_web_lines),
        }

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next lines with their masks, at most as many as `buffer` holds; None at the end."""
        while not self._ready and not self._ended:
            item = self._source.read_into(np.empty_like(buffer))
            if item is None:
                self._flush()
                self._ended = True
            elif isinstance(item, LineLoss):
                self._break(LineFlag.NONE)
                self._ready.append(item)
            elif len(item.pixels) == 0:
                # Nothing has come yet: what waits goes on waiting, the reader does not.
                waiting = self._waiting[0].first_line if self._waiting else item.first_line
                return replace(item, first_line=waiting)
            else:
                self._take(item)
        return self._ready.popleft() if self._ready else None

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _take(self, block: LineBlock) -> None:
        self._join(block)
        rest: LineBlock | None = replace(block, pixels=block.pixels[: block.valid_lines])
        while rest is not None and rest.valid_lines:
            self._waiting.append(rest)
            rest = self._close_group() if self._plan.tracks else None
        is_partial = block.valid_lines < len(block.pixels)
        if is_partial or not self._plan.tracks:
            self._flush()
        if is_partial:
            self._break(LineFlag.NONE)
            self._ready.append(filler_of(block))

    def _join(self, block: LineBlock) -> None:
        """End the piece before `block` if it does not continue it."""
        # Another width of web comes as another mask: what was known of the edges is void.
        if block.flags & LineFlag.SEAM or block.masked != self._given:
            self._break(LineFlag.SEAM)
        elif block.first_line != self._next_line:
            self._break(LineFlag.NONE)
        self._next_line = block.first_line + len(block.pixels)
        self._given = block.masked

    def _break(self, flags: LineFlag) -> None:
        """End the piece; after a seam another web may follow."""
        self._flush()
        is_seam = bool(flags & LineFlag.SEAM)
        self._state = GroupState() if is_seam else self._state.after_break()

    def _close_group(self) -> LineBlock | None:
        """Judge the group that waits if it is complete; what is left of the last block."""
        last = self._waiting[-1]
        end = group_end(self._waiting[0].first_line)
        have = last.first_line + last.valid_lines
        if have < end:
            return None
        self._waiting[-1] = slice_lines(last, Interval(last.first_line, end), last.masked)
        self._flush()
        return slice_lines(last, Interval(end, have), last.masked) if have > end else None

    def _flush(self) -> None:
        """Judge what waits as a group, and hand it over."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        web = _web_columns(waiting[0].masked, self.format.columns)
        blank = self._judge(waiting, web) if self._plan.tracks else None
        masked = (*waiting[0].masked, *masked_columns(self._state.sides_px, web, self._plan.rule))
        for block in waiting:
            self._ready.extend(self._cut(block, masked, blank, waiting[0].first_line))

    def _judge(self, waiting: list[LineBlock], web: Interval) -> Flags | None:
        """Which lines are blank, after the edges in them have been followed."""
        if web.size < LEAST_CELLS * cell_pixels(web.size):
            return None
        count = sum(block.valid_lines for block in waiting)
        lines = GroupLines(count, _sample(waiting, count, web), lambda: _all_lines(waiting, web))
        self._state, blank = judge(self._state, lines, self._plan.rule)
        return blank if blank.any() else None

    def _cut(
        self, block: LineBlock, masked: tuple[Interval, ...], blank: Flags | None, group_first: int
    ) -> Iterator[LineBlock | LineLoss]:
        """A block in pieces of one mask each, and its blank lines as losses."""
        end = block.first_line + block.valid_lines
        line = block.first_line
        for stop, is_blank in _stretches(block, blank, group_first):
            if is_blank:
                self._no_web_lines += stop - line
                yield _no_web(block, Interval(line, stop))
                line = stop
            while line < stop:
                zones = self._plan.zones
                change = min(next_change(zones, line) or end, stop)
                ignored = ignored_columns(zones, line, block.columns)
                everything = merge_intervals((*masked, *ignored))
                self._inspected_px = block.columns - covered(everything)
                yield slice_lines(block, Interval(line, change), everything)
                line = change


def _zone(zone: config.IgnoreZone, web: config.Web) -> IgnoreZone:
    """Outward to whole lines and columns."""
    line_m = web.down_mm / 1000
    end = NEVER if zone.to_m is None else math.ceil(zone.to_m / line_m)
    columns = Interval(int(zone.first_mm / web.pixel_mm), math.ceil(zone.end_mm / web.pixel_mm))
    return IgnoreZone(Interval(int(zone.from_m / line_m), end), columns)


def _web_columns(masked: tuple[Interval, ...], columns: int) -> Interval:
    """What a source does not mask itself at either side: pieces may be narrower than the web."""
    known = merge_intervals(masked)
    first = known[0].end if known and known[0].first == 0 else 0
    end = known[-1].first if known and known[-1].end >= columns else columns
    return Interval(first, max(first, end))


def _all_lines(blocks: list[LineBlock], columns: Interval) -> PixelArray:
    return np.concatenate([b.corrected(slice(b.valid_lines), columns) for b in blocks])


def _sample(blocks: list[LineBlock], count: int, columns: Interval) -> PixelArray:
    """The lines of a group that are looked at; `blocks` are its `count` lines, consecutive."""
    ends = np.cumsum([block.valid_lines for block in blocks])
    picked = []
    for line in sampled_lines(count):
        block = blocks[int(np.searchsorted(ends, line, side="right"))]
        place = blocks[0].first_line + line - block.first_line
        picked.append(block.corrected(slice(place, place + 1), columns)[0])
    return np.stack(picked)


def _stretches(
    block: LineBlock, blank: Flags | None, group_first: int
) -> Iterator[tuple[int, bool]]:
    """Where stretches of web and of blank lines end in a block, and whether they are blank."""
    end = block.first_line + block.valid_lines
    if blank is not None:
        offset = block.first_line
        inside = blank[offset - group_first : end - group_first]
        for first, stop in true_runs(inside):
            if first:
                yield offset + first, False
            yield offset + stop, True
        if inside[-1]:
            return
    yield end, False


def _no_web(block: LineBlock, lines: Interval) -> LineLoss:
    reason = GapReason.NO_WEB
    return LineLoss(block.camera, lines.first, lines.size, reason, block.captured_ns)
