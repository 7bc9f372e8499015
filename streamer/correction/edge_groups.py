"""Judges groups of lines one after the other: edges, masks and lines without web; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.blank_lines import blank_samples, find_blank
from streamer.correction.edge_mask import next_mask
from streamer.correction.edge_profile import profile_of, sampled_lines
from streamer.correction.edge_tracker import TrackState, track

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.correction.edge_mask import MaskRule
    from streamer.correction.edge_profile import EdgeProfile
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray

GROUP_LINES = 256  # small enough for edges that wander, large enough to cost little
LEAST_LINES = 32  # of web that tell where its edges are, when that is known already


@dataclass(frozen=True, slots=True)
class GroupState:
    """What is known of a piece of web after a group.

    `sides_px` are masked at the left and the right, `is_blank` says that the last line was.
    """

    tracked: TrackState = field(default_factory=TrackState)
    sides_px: tuple[int, int] = (0, 0)
    is_blank: bool = False

    def after_break(self) -> GroupState:
        """After lines that were not seen."""
        return replace(self, tracked=self.tracked.after_break(), is_blank=False)


@dataclass(frozen=True, slots=True)
class GroupLines:
    """`count` lines of a group: the sampled ones (samples, columns[, 3]), and all on demand."""

    count: int
    sampled: PixelArray
    load_all: Callable[[], PixelArray]


def group_end(first_line: int) -> int:
    """Where the group ends that begins at `first_line`: where it does however lines arrive.

    That is a multiple of GROUP_LINES; a group would rather be too long than less than a half.
    """
    end = first_line - first_line % GROUP_LINES + GROUP_LINES
    return end if end - first_line >= GROUP_LINES // 2 else end + GROUP_LINES


def judge(state: GroupState, lines: GroupLines, rule: MaskRule) -> tuple[GroupState, Flags]:
    """The state after a group, and (lines,) True where a line shows no web.

    Raises:
        ValueError: the web is too narrow for edges to be found on it.
    """
    profile = profile_of(lines.sampled)
    samples = blank_samples(profile, state.tracked)
    if not (samples.any() or state.is_blank):
        return _seen(state, profile, lines.count, rule), _no(lines)
    if state.is_blank and samples.all():
        return state, ~_no(lines)
    pixels = lines.load_all()
    blank = find_blank(pixels, state.tracked, goes_on=state.is_blank)
    web = np.flatnonzero(~blank)
    state = state.after_break() if blank.any() else state
    state = replace(state, is_blank=bool(blank[-1]))
    if web.size == 0:
        return state, blank
    web_profile = profile_of(pixels[web[list(sampled_lines(web.size))]])
    return _seen(state, web_profile, web.size, rule), blank


def _seen(state: GroupState, profile: EdgeProfile, count: int, rule: MaskRule) -> GroupState:
    """After `count` lines of web; few say nothing when the edges are known."""
    if count < LEAST_LINES and state.tracked.web is not None:
        return state
    tracked = track(state.tracked, profile)
    sides = zip(state.sides_px, tracked.margins_px, strict=True)
    left, right = (next_mask(mask, edge, rule) for mask, edge in sides)
    return replace(state, tracked=tracked, sides_px=(left, right))


def _no(lines: GroupLines) -> Flags:
    return np.zeros(lines.count, bool)
