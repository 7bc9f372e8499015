"""Finds the border between margin and web in a profile, seen from the left; pure, keeps nothing.

As in a still, a margin is unlike the web all over and a border that is abrupt ends it. Once it is
known what the margin looks like, web and margin are told apart by what lies nearer to which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.correction.edge_profile import EdgeProfile
    from streamer.correction.side_cells import Flags, Floats

MOST_CELLS = 128  # that a material is learnt from
TO_SIGMA = 0.7413  # standard deviations in the distance of the quartiles, for normal values
LEAST_LEVEL_SPREAD, LEAST_TEXTURE_SPREAD = 0.008, 0.08
LEVEL_SPREADS = 2.7  # standard deviations of the web's levels that a margin is away at least
MOST_ROOM = 0.8  # of the web's level: where margin is taken for web at first, the spread is huge
BRIGHTEST, DARKEST = 1.35, 0.35  # times the web's level that web may have, at least
# Most deviation of bright and of smooth margins as share of the web's, as in stills. Dark web (the
# flank of a rail) has little, too, but as a share of its level it has as much as the rest.
BRIGHT_TEXTURE, SMOOTH_TEXTURE, DARK_CONTRAST = np.log((0.85, 1 / 2.6, 0.5))
BLACK = 0.02  # added to levels, so that the noise of black pixels is no contrast
SPECK_WEIGHT = 3  # foreign cells that make up for one that looks like web
LEAST_DEPTH = 2  # cells of the thinnest margin
LARGEST_SHARE = 0.55  # of the cells that a margin takes
LEAST_SEPARATION, MOST_SEPARATION = 1.0, 5.0  # spreads between two materials: no say, full say
WEB_CELLS = 64  # of web beside the border that it is compared with: there the light is the same
STEP_CELLS = 3  # within which the border is crossed
LEAST_STEP = 1.2  # of 2, the way from web to margin
UNLIT, UNLIT_SHARE = 0.03, 0.25  # level and share of the web's below which nothing can be seen
LEAST_CONFIDENCE = 0.6
LEAST_DIFFERENCE = 4.0  # separations of level and texture together, of margin from web
_WEIGHTS = np.array([-SPECK_WEIGHT, 1], np.int32)
SHARP = 3.0  # spreads of level from which on the border is looked for pixel by pixel


@dataclass(frozen=True, slots=True)
class Material:
    """How cells of one kind look: level 0..1, logarithm of the deviation, and usual differences."""

    level: float
    texture: float
    level_spread: float
    texture_spread: float

    def blended(self, newer: Material, share: float) -> Material:
        """With `share` of what was seen later."""
        older = (self.level, self.texture, self.level_spread, self.texture_spread)
        later = (newer.level, newer.texture, newer.level_spread, newer.texture_spread)
        return Material(*(a + share * (b - a) for a, b in zip(older, later, strict=True)))


@dataclass(frozen=True, slots=True)
class Sighting:
    """A border `depth_px` from the side; `confidence` 0..1 is how purely it parts the cells.

    `margin` is what lies before it.
    """

    depth_px: float
    margin: Material
    confidence: float


def material_of(profile: EdgeProfile, cells: slice) -> Material:
    """Typical of some cells (at least one), robustly."""
    first, end, _ = cells.indices(profile.level.size)
    step = max((end - first) // MOST_CELLS, 1)
    level, level_spread = _typical(profile.level[first:end:step])
    texture, texture_spread = _typical(profile.texture[first:end:step])
    return Material(
        level,
        texture,
        max(level_spread, LEAST_LEVEL_SPREAD),
        max(texture_spread, LEAST_TEXTURE_SPREAD),
    )


def find_near(profile: EdgeProfile, edge_px: float) -> Sighting | None:
    """The border of a margin that ended at `edge_px` before; None: it is nowhere near."""
    depth = round(edge_px / profile.cell_px)
    return _confirm(profile, depth) if depth >= LEAST_DEPTH else None


def find_border(profile: EdgeProfile, web: Material, known: Material | None) -> Sighting | None:
    """The border of the margin at the left; None: there is none, or none that is certain.

    `web` is typical of the web, `known` of the margin that was seen here before.
    """
    depths = [_depth(flags) for flags in _foreign(profile, web, known)]
    largest = int(LARGEST_SHARE * profile.level.size)
    for depth in sorted(set(depths), reverse=True):
        if LEAST_DEPTH <= depth <= largest and (sighting := _confirm(profile, depth)):
            return sighting
    return None


def outer_is_web(profile: EdgeProfile, web: Material, known: Material) -> bool:
    """Whether the outermost cells do not clearly look like the margin that is known."""
    outer = _closeness(profile, web, known)[: 4 * LEAST_DEPTH]
    return float(outer.mean()) < 0.5


def separations(web: Material, margin: Material) -> tuple[float, float]:
    """Spreads between the levels and between the textures of two materials, cut to a full say.

    What differs by less than the spreads says nothing: 0.
    """
    level = abs(margin.level - web.level) / (web.level_spread + margin.level_spread)
    texture = abs(margin.texture - web.texture) / (web.texture_spread + margin.texture_spread)
    cut = (min(z, MOST_SEPARATION) * (z >= LEAST_SEPARATION) for z in (level, texture))
    return next(cut), next(cut)


def _typical(values: Floats) -> tuple[float, float]:
    """Median, and standard deviation by the distance of the quartiles."""
    ranked = np.sort(values)
    last = ranked.size - 1
    low, median, high = (float(ranked[last * n // 4]) for n in (1, 2, 3))
    return median, (high - low) * TO_SIGMA


def _foreign(profile: EdgeProfile, web: Material, known: Material | None) -> Iterator[Flags]:
    """Cells that are unlike the web, by each way to be so; a margin keeps to one of them."""
    if known is not None:
        yield _closeness(profile, web, known) > 0
        return
    level, texture = profile.level, profile.texture - np.float32(web.texture)
    room = min(LEVEL_SPREADS * web.level_spread, MOST_ROOM * web.level)
    bright = (level > max(web.level + room, BRIGHTEST * web.level)) & (texture < BRIGHT_TEXTURE)
    contrast = texture - np.log((level + BLACK) / (web.level + BLACK))
    dim = level < min(web.level - room, DARKEST * web.level)
    dark = dim & ((contrast < DARK_CONTRAST) | (level < UNLIT))
    smooth = (contrast < SMOOTH_TEXTURE) & (texture < SMOOTH_TEXTURE)
    yield from (bright, dark, smooth, smooth | bright, smooth | dark)


def _closeness(
    profile: EdgeProfile, web: Material, margin: Material, cells: slice = slice(None)
) -> Floats:
    """(cells,): -1 is like the web, 1 like the margin, each property with its separation's say."""
    by_level, by_texture = separations(web, margin)
    total = by_level + by_texture
    if total == 0:
        return np.full(profile.level[cells].size, -1, np.float32)
    # Written so that one property alone, as beside a white table, needs no sum.
    parts = [
        _place(values[cells], a, b) * np.float32(say / total)
        for say, values, a, b in (
            (by_level, profile.level, web.level, margin.level),
            (by_texture, profile.texture, web.texture, margin.texture),
        )
        if say
    ]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _place(values: Floats, web: float, margin: float) -> Floats:
    """-1 at the web's value, 1 at the margin's, cut to twice of that."""
    scale = 2 / (margin - web)
    place = values * np.float32(scale)
    place -= np.float32(scale * (web + margin) / 2)
    np.minimum(place, np.float32(2), out=place)
    np.maximum(place, np.float32(-2), out=place)
    return place


def _depth(foreign: Flags) -> int:
    """Cells up to where the foreign ones most outweigh the others among them."""
    balance = np.cumsum(_WEIGHTS[foreign.view(np.uint8)])
    deepest = int(balance.argmax())
    return deepest + 1 if balance[deepest] > 0 else 0


def _confirm(profile: EdgeProfile, depth: int) -> Sighting | None:
    """Look again with what lies at both sides of the border; None: that parts nothing."""
    margin = material_of(profile, slice(max(depth - 1 - WEB_CELLS, 0), max(depth - 1, 1)))
    web = material_of(profile, slice(depth + STEP_CELLS, depth + STEP_CELLS + WEB_CELLS))
    if sum(separations(web, margin)) < LEAST_DIFFERENCE:
        return _unlit(profile, depth, web, margin)
    place = _closeness(profile, web, margin, slice(depth + STEP_CELLS + WEB_CELLS))
    foreign = place > 0
    depth = _depth(foreign)
    if depth < LEAST_DEPTH or depth + 2 * STEP_CELLS > place.size:
        return None
    outside = np.count_nonzero(foreign[:depth]) / depth
    inside = 1 - np.count_nonzero(foreign[depth:]) / (place.size - depth)
    confidence = min(outside, inside)
    if confidence < LEAST_CONFIDENCE:
        return None
    if _is_abrupt(place, depth):
        return Sighting(_to_pixels(profile, depth, web, margin), margin, confidence)
    return _unlit(profile, depth, web, margin)


def _unlit(profile: EdgeProfile, depth: int, web: Material, margin: Material) -> Sighting | None:
    """Where web fades into the dark, only that is margin in which nothing can be seen."""
    if margin.level >= min(UNLIT, UNLIT_SHARE * web.level):
        return None
    dark = profile.level[: depth + WEB_CELLS] < UNLIT  # it may reach farther than it did
    cells = _depth(dark)
    if cells < LEAST_DEPTH:
        return None
    confidence = np.count_nonzero(dark[:cells]) / cells
    return Sighting(float(cells * profile.cell_px), margin, confidence)


def _is_abrupt(place: Floats, depth: int) -> bool:
    first, end = max(depth - 2 * STEP_CELLS, 0), depth + 2 * STEP_CELLS
    near = place[first:end]
    return near.size > STEP_CELLS and bool(
        (near[:-STEP_CELLS] - near[STEP_CELLS:]).max() >= LEAST_STEP
    )


def _to_pixels(profile: EdgeProfile, depth: int, web: Material, margin: Material) -> float:
    """The border in pixels: where the level of most lines is half-way, if it changes there."""
    by_level, _ = separations(web, margin)
    if by_level < SHARP:
        return float(depth * profile.cell_px)
    size = profile.cell_px // profile.step
    first, end = max((depth - 2) * size, 0), (depth + 2) * size
    middle = (web.level + margin.level) / 2
    beyond = (profile.grey[:, first:end] > middle) == (margin.level > middle)
    votes = beyond.sum(axis=0, dtype=np.int32) * 2 - len(beyond)
    balance = np.cumsum(np.sign(votes))
    deepest = int(balance.argmax())
    return float((first + (deepest + 1 if balance[deepest] > 0 else 0)) * profile.step)
