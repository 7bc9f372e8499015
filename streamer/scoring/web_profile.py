"""One texture profile for a whole web from its tiles; knows no source and no file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Interval, require
from streamer.scoring.bands import BandPlace, join_lanes, learn_bands
from streamer.scoring.cells import core_cells, core_web, masked_cells
from streamer.scoring.core_strips import Core, join_cores
from streamer.scoring.detectors import Look, learn_detectors, look
from streamer.scoring.features import embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import complete_profile, learn_profile, require_bands
from streamer.scoring.seen_tile import Levels, SeenTile, pieces, rescore, strips

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    looks: list[Look] = []
    profile = _learn_texture(_noting(tiles, lesson, looks), backbone, lesson)
    return learn_detectors(profile, looks, lesson)


def _noting(tiles: Iterable[Tile], lesson: Lesson, looks: list[Look]) -> Iterator[Tile]:
    """The `tiles`, each as soon as it is noted what the detectors beside the texture see of it."""
    for tile in tiles:
        looks.append(look(tile, lesson))
        yield tile


def _learn_texture(tiles: Iterable[Tile], backbone: Backbone, lesson: Lesson) -> TextureProfile:
    scale = fixed_scale(backbone.spec)
    if lesson.band_width is not None:
        lanes: dict[int, list[SeenTile]] = {}
        for tile in tiles:
            lanes.setdefault(tile.lane, []).append(_seen(tile, backbone, lesson, scale))
        return _learn_bands(lanes, lesson, scale)
    method, stride = lesson.method, backbone.spec.stride
    cores: dict[int, list[Core]] = {}
    for tile in tiles:
        features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
        core = core_web(tile, features, stride)
        kept = core.clone() if scale is None else method.quantise(core, scale)
        cores.setdefault(tile.lane, []).append(Core.of(tile, kept))
    joined = [(lane, strip) for lane in sorted(cores) for strip in join_cores(cores[lane])]
    of_lanes, strips = [lane for lane, _ in joined], [strip for _, strip in joined]
    if scale is None:
        scale = learn_scale(strips)
        strips = [method.quantise(strip, scale) for strip in strips]
    return learn_profile(strips, scale, lesson, of_lanes)


def _seen(tile: Tile, backbone: Backbone, lesson: Lesson, scale: ChannelScale | None) -> SeenTile:
    """The core as if all of it were normal; float32 features without a `scale`."""
    stride = backbone.spec.stride
    features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
    rows, columns = core_cells(tile, stride)
    core = features[:, rows, columns]
    masked = masked_cells(tile, stride)[columns]
    return SeenTile(
        tile.sequence,
        Interval(tile.first_line, tile.first_line + tile.line_count),
        tile.first_column // stride,
        tile.halo.top == 0,
        core.clone() if scale is None else lesson.method.quantise(core, scale),
        np.where(masked, np.float32(np.nan), np.zeros(core.shape[1:], np.float32)),
        Levels(0.0, 1.0),
    )


def _learn_bands(
    lanes: dict[int, list[SeenTile]], lesson: Lesson, scale: ChannelScale | None
) -> TextureProfile:
    method, size = require_bands(lesson.method), lesson.method.patch_size
    sizes = [tuple(tile.features.shape) for lane in lanes.values() for tile in lane]
    rule = f"maps must hold a window of {size} x {size} features"
    require(len(sizes) > 0, rule, sizes)
    if scale is None:
        known = scale = learn_scale([tile.web for lane in lanes.values() for tile in lane])
        lanes = {n: [_quantised(t, method, known) for t in lane] for n, lane in lanes.items()}
    found = [learn_bands(strips(lane), lesson.band_width, method) for lane in lanes.values()]
    learnt = [one for one in found if one is not None]
    require(len(learnt) > 0, rule, sizes)
    joined = join_lanes(learnt)
    bands = BandPlace(lesson.band_width or 0, joined.first)
    raw = complete_profile(scale, joined.reference, [], lesson, bands=bands)
    scored = [
        (number, np.concatenate(rescore(piece, raw, method)))
        for number, lane in lanes.items()
        for piece in pieces(lane)
    ]
    of_lanes = [number for number, _ in scored]
    scores = [one for _, one in scored]
    return complete_profile(scale, joined.reference, scores, lesson, of_lanes, bands)


def _quantised(tile: SeenTile, method: Method, scale: ChannelScale) -> SeenTile:
    return replace(tile, features=method.quantise(tile.features, scale))
