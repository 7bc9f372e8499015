"""One texture profile for a whole web from its tiles; knows no source and no file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Interval, require
from streamer.scoring.bands import BandPlace, LanePlace, join_lanes, learn_bands
from streamer.scoring.cells import core_cells, core_web, masked_cells
from streamer.scoring.features import embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import complete_profile, learn_profile, require_bands
from streamer.scoring.seen_tile import Levels, SeenTile, pieces, rescore, strips

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import Tile
    from streamer.ports import Backbone
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.method import Method
    from streamer.scoring.profile import TextureProfile


def learn_web_profile(tiles: Iterable[Tile], backbone: Backbone, lesson: Lesson) -> TextureProfile:
    """The profile of the cores of `tiles`, whatever lanes they are of.

    Every core is held as quantised features, 1/64 of its pixels times the channels in bytes for a
    stride of 8; as float features, four times that, unless the backbone bounds their range.

    Raises:
        ValueError: no core holds a window.
        RuntimeError: the engine returned NaN or infinity.
    """
    scale = fixed_scale(backbone.spec)
    if lesson.band_width is not None:
        return _learn_bands([_seen(tile, backbone, lesson, scale) for tile in tiles], lesson, scale)
    method, stride = lesson.method, backbone.spec.stride
    cores = []
    for tile in tiles:
        features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
        core = core_web(tile, features, stride)
        cores.append(core.clone() if scale is None else method.quantise(core, scale))
    if scale is None:
        scale = learn_scale(cores)
        cores = [method.quantise(core, scale) for core in cores]
    return learn_profile(cores, scale, lesson)


@dataclass(frozen=True, slots=True, eq=False)
class _LaneTile:
    """A tile's core, quantised or not, that teaches wherever `scores` is a number."""

    place: LanePlace
    seen: SeenTile

    def quantised(self, method: Method, scale: ChannelScale) -> _LaneTile:
        """With levels in place of the features."""
        levels = method.quantise(self.seen.features, scale)
        return _LaneTile(self.place, replace(self.seen, features=levels))


def _seen(tile: Tile, backbone: Backbone, lesson: Lesson, scale: ChannelScale | None) -> _LaneTile:
    stride = backbone.spec.stride
    features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
    rows, columns = core_cells(tile, stride)
    core = features[:, rows, columns]
    masked = masked_cells(tile, stride)[columns]
    place = LanePlace(tile.first_column // stride, core.shape[2], lesson.band_width)
    seen = SeenTile(
        tile.sequence,
        Interval(tile.first_line, tile.first_line + tile.line_count),
        tile.halo.top == 0,
        core.clone() if scale is None else lesson.method.quantise(core, scale),
        np.where(masked, np.float32(np.nan), np.zeros(core.shape[1:], np.float32)),
        Levels(0.0, 1.0),
    )
    return _LaneTile(place, seen)


def _learn_bands(
    tiles: list[_LaneTile], lesson: Lesson, scale: ChannelScale | None
) -> TextureProfile:
    method, size = require_bands(lesson.method), lesson.method.patch_size
    require(len(tiles) > 0, f"maps must hold a window of {size} x {size} features", [])
    if scale is None:
        scale = learn_scale([tile.seen.web for tile in tiles])
        tiles = [tile.quantised(method, scale) for tile in tiles]
    lanes: dict[LanePlace, list[SeenTile]] = {}
    for tile in tiles:
        lanes.setdefault(tile.place, []).append(tile.seen)
    learnt = [(place, learn_bands(strips(own), place, method)) for place, own in lanes.items()]
    known = [(place, medians) for place, medians in learnt if medians is not None]
    sizes = [tuple(tile.seen.features.shape) for tile in tiles]
    require(len(known) > 0, f"maps must hold a window of {size} x {size} features", sizes)
    first, reference = join_lanes(known)
    bands = BandPlace(lesson.band_width or 0, first)
    raw = complete_profile(scale, reference, [], lesson, bands)
    scores = [
        np.concatenate(rescore(piece, raw, method, place.first_column))
        for place, own in lanes.items()
        for piece in pieces(own)
    ]
    return complete_profile(scale, reference, scores, lesson, bands)
