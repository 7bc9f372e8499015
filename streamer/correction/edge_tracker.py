"""Follows both edges of the web from group to group of lines; pure: state in, state out.

Knows no pixel but through a profile, no mask and no millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING

from streamer.correction.edge_search import (
    Material,
    Sighting,
    find_border,
    find_near,
    material_of,
    outer_is_web,
)

if TYPE_CHECKING:
    from streamer.correction.edge_profile import EdgeProfile

MEMORY = 3  # groups of which the median is taken: one that sees a hole does not count
CATCH_CELLS = 3  # as far as the median may be away from the edge that follows it
SLEW_CELLS = 1  # and as far as the edge follows it in a group, into the web
PATIENCE = 4  # groups for which a sudden loss of width is a defect, or a margin is hidden
LEARNING = 0.25  # share of a new group in what is known of a material
MIDDLE = 0.2  # of the web that is left out at both ends where the web is looked at


@dataclass(frozen=True, slots=True)
class SideState:
    """One edge: pixels of margin from the side, None until a group was seen.

    `recent` are the borders seen last, `held` the groups for which the edge has not followed them,
    `margin` is how the margin looks, None while there is none.
    """

    edge_px: float | None = None
    recent: tuple[float, ...] = ()
    held: int = 0
    margin: Material | None = None
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class TrackState:
    """Both edges, seen from their own sides, and how the web looks."""

    left: SideState = field(default_factory=SideState)
    right: SideState = field(default_factory=SideState)
    web: Material | None = None

    @property
    def margins_px(self) -> tuple[float, float]:
        """Pixels of margin at the left and at the right."""
        return self.left.edge_px or 0.0, self.right.edge_px or 0.0

    @property
    def confidence(self) -> float:
        """0..1 of the less certain edge."""
        return min(self.left.confidence, self.right.confidence)

    def after_break(self) -> TrackState:
        """After lines that were not seen: the edges may be elsewhere, the materials are the same.

        The next group is believed at once.
        """
        left, right = (replace(side, recent=(), held=0) for side in (self.left, self.right))
        return replace(self, left=left, right=right)


def track(state: TrackState, profile: EdgeProfile) -> TrackState:
    """After one more group of lines, which must show web."""
    web = material_of(profile, web_cells(state, profile))
    left = _follow(state.left, profile, web, 0)
    right = _follow(state.right, profile.mirrored, web, profile.rest_px)
    known = web if state.web is None else state.web.blended(web, LEARNING)
    return TrackState(left, right, known)


def web_cells(state: TrackState, profile: EdgeProfile) -> slice:
    """Cells in the middle of the web."""
    left, right = (margin / profile.cell_px for margin in state.margins_px)
    first, end = left, max(profile.level.size - right, left + 1)
    inset = MIDDLE * (end - first)
    return slice(int(first + inset), max(int(end - inset), int(first + inset) + 1))


def _follow(side: SideState, profile: EdgeProfile, web: Material, rest_px: int) -> SideState:
    """`rest_px` columns lie between the side and the first cell."""
    sighting = _find_again(side, profile, web, rest_px)
    if sighting is None:
        if _is_hidden(side, profile, web):
            return replace(side, held=side.held + 1, confidence=0.0)
        sighting = find_border(profile, web, None)
    if sighting is None:
        return _settle(side, 0.0, None, profile.cell_px)
    return _settle(side, sighting.depth_px + rest_px, sighting, profile.cell_px)


def _find_again(
    side: SideState, profile: EdgeProfile, web: Material, rest_px: int
) -> Sighting | None:
    """The border of the margin that is known: most often it is where it was."""
    if side.margin is None or side.edge_px is None:
        return None
    near = find_near(profile, side.edge_px - rest_px)
    return near or find_border(profile, web, side.margin)


def _is_hidden(side: SideState, profile: EdgeProfile, web: Material) -> bool:
    """Whether there still is a margin, only its border cannot be seen."""
    if side.margin is None or side.held >= PATIENCE:
        return False
    return not outer_is_web(profile, web, side.margin)


def _settle(side: SideState, seen_px: float, sighting: Sighting | None, cell: int) -> SideState:
    recent = (*side.recent, seen_px)[-MEMORY:]
    edge, held = _move(side, median(recent), len(recent), cell)
    margin = side.margin if edge > 0 else None
    if sighting is not None and edge > 0:
        margin = sighting.margin if margin is None else margin.blended(sighting.margin, LEARNING)
    confidence = 1.0 if sighting is None else sighting.confidence
    return SideState(edge, recent, held, margin, confidence * (1 - min(held / PATIENCE, 1)))


def _move(side: SideState, target: float, seen: int, cell: int) -> tuple[float, int]:
    """Where the edge is now, and for how many groups it has been held.

    A web that is wider than thought is believed as soon as the median says so: what is masked
    would hide defects. One that is suddenly narrower misses a piece, which is for inspection.
    """
    if side.edge_px is None or seen == 1 or target < side.edge_px - CATCH_CELLS * cell:
        return target, 0
    way = target - side.edge_px
    if way <= CATCH_CELLS * cell:
        return side.edge_px + min(max(way, -SLEW_CELLS * cell), SLEW_CELLS * cell), 0
    held = side.held + 1
    return (side.edge_px, held) if held < PATIENCE else (target, 0)
