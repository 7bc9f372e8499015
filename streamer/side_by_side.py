"""Cameras side by side: their places on the web and their strips joined; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Interval, ScoreArray, require
from streamer.web import LaneCoverage, Strip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """The web columns that a camera inspects, and the web's number of its first lane."""

    camera: str
    columns: Interval
    first_lane: int = 0


def find_seams(views: Sequence[Interval], alignment: int) -> tuple[int, ...]:
    """Web columns at which one camera takes over from the one to its left.

    `views` are the web columns that each camera sees, left to right. A seam lies nearest to the
    middle of the overlap and on a multiple of `alignment` (stride times window stride), so that
    all cameras share one grid; what a camera sees beyond its seams is dropped.

    Raises:
        ValueError: cameras do not overlap, or no grid column lies in an overlap.
    """
    require(len(views) > 0 and views[0].first == 0, "the first camera must be at 0", views)
    return tuple(_seam(left, right, alignment) for left, right in pairwise(views))


def _seam(left: Interval, right: Interval, alignment: int) -> int:
    rule = "cameras must come left to right and overlap or touch, in pixels"
    require(left.first < right.first <= left.end < right.end, rule, (left, right))
    middle = (right.first + left.end) / 2
    seam = round(middle / alignment) * alignment
    candidates = [c for c in (seam, seam - alignment, seam + alignment) if right.first <= c]
    inside = [c for c in candidates if c <= left.end]
    rule = f"cameras must overlap at a multiple of {alignment} columns; move one or widen the lap"
    require(bool(inside), rule, Interval(right.first, left.end))
    return inside[0]


@dataclass(frozen=True, slots=True)
class JoinState:
    """Strips of each camera that wait for those beside them; all before `next_line` have left."""

    places: tuple[CameraPlace, ...]
    stride: int
    next_line: int = 0
    waiting: tuple[tuple[Strip, ...], ...] = ()

    def __post_init__(self) -> None:
        require(len(self.places) > 0, "there must be a camera", self.places)
        for left, right in pairwise(self.places):
            adjoin = left.columns.end == right.columns.first
            require(adjoin, "cameras must share the web without a hole", (left, right))
        firsts = [place.columns.first for place in self.places]
        aligned = all(first % self.stride == 0 for first in firsts)
        require(aligned, f"seams must be multiples of {self.stride}", firsts)

    @property
    def columns(self) -> int:
        """Width of the web in pixels."""
        return self.places[-1].columns.end

    @property
    def reached(self) -> tuple[int, ...]:
        """The line up to which each camera's strips have come."""
        strips = self.waiting or ((),) * len(self.places)
        return tuple(_end(w[-1]) if w else self.next_line for w in strips)


def add_strip(state: JoinState, camera: int, strip: Strip) -> JoinState:
    """Take the next strip of the camera with this index, in the camera's own columns and lanes.

    Raises:
        ValueError: it lies before strips of this camera that have come already.
    """
    waiting = list(state.waiting or ((),) * len(state.places))
    reached = state.reached[camera]
    require(strip.first_line >= reached, f"strip must begin at {reached} or later", strip)
    waiting[camera] = (*waiting[camera], strip)
    return replace(state, waiting=tuple(waiting))


def take_joined(state: JoinState) -> tuple[JoinState, tuple[Strip, ...]]:
    """Strips of the whole web, down-web, as far as every camera has come.

    They are cut wherever a strip of any camera begins or ends, so that what comes out depends on
    the web alone and not on when it came in. A camera's row that is cut off its grid counts for
    both of the rows that it touches: a defect is shown a row too long rather than not at all.
    """
    end = min(state.reached)
    if end <= state.next_line:
        return state, ()
    if len(state.places) == 1:
        return replace(state, next_line=end, waiting=((),)), state.waiting[0]
    bounds = {line for w in state.waiting for s in w for line in (s.first_line, _end(s))}
    lines = sorted({state.next_line, end} | {b for b in bounds if state.next_line < b < end})
    joined = tuple(_join(state, Interval(*pair)) for pair in pairwise(lines))
    joined = tuple(strip for strip in joined if strip.coverage)  # lines that no camera knows of
    left = tuple(tuple(s for s in w if _end(s) > end) for w in state.waiting)
    return replace(state, next_line=end, waiting=left), joined


def _join(state: JoinState, lines: Interval) -> Strip:
    rows, columns = -(-lines.size // state.stride), -(-state.columns // state.stride)
    scores = np.full((rows, columns), np.nan, np.float32)
    parts = list(_parts(state, lines))
    for place, strip in parts:
        first = place.columns.first // state.stride
        scores[:, first : first + strip.scores.shape[1]] = _rows(strip, lines, state.stride)
    starts = [s.starts_piece and s.first_line == lines.first for _, s in parts]
    return Strip(
        first_line=lines.first,
        line_count=lines.size,
        stride=state.stride,
        scores=scores,
        starts_piece=all(starts),
        captured_ns=max((strip.captured_ns for _, strip in parts), default=0),
        coverage=tuple(_on_web(place, c) for place, strip in parts for c in strip.coverage),
        scored_ns=max((strip.scored_ns for _, strip in parts), default=0),
    )


def _parts(state: JoinState, lines: Interval) -> Iterator[tuple[CameraPlace, Strip]]:
    """The strip of each camera over these lines, if it has one."""
    for place, waiting in zip(state.places, state.waiting, strict=True):
        for strip in waiting:
            if strip.first_line <= lines.first and lines.end <= _end(strip):
                yield place, strip


def _rows(strip: Strip, lines: Interval, stride: int) -> ScoreArray:
    """The rows of a strip over `lines`, on the grid that begins at the first of them."""
    count = -(-lines.size // stride)
    offset = lines.first - strip.first_line
    first, phase = divmod(offset, stride)
    upper: ScoreArray = strip.scores[first : first + count]
    if phase == 0:
        return upper
    last = strip.scores.shape[0] - 1
    lower: ScoreArray = strip.scores[np.minimum(np.arange(first + 1, first + count + 1), last)]
    both: ScoreArray = np.fmax(upper, lower)
    return both


def _on_web(place: CameraPlace, part: LaneCoverage) -> LaneCoverage:
    shift, columns = place.columns.first, part.columns
    return replace(
        part,
        lane=part.lane + place.first_lane,
        columns=Interval(columns.first + shift, columns.end + shift),
        camera=place.camera,
    )


def _end(strip: Strip) -> int:
    return strip.first_line + strip.line_count
