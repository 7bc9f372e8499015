"""One texture profile for a whole web from its tiles; knows no source and no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.scoring.cells import core_web
from streamer.scoring.features import embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import learn_profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import Tile
    from streamer.ports import Backbone
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.profile import TextureProfile


def learn_web_profile(tiles: Iterable[Tile], backbone: Backbone, lesson: Lesson) -> TextureProfile:
    """The profile of the cores of `tiles`, whatever lanes they are of.

    Every core is held as quantised features, 1/64 of its pixels times the channels in bytes for a
    stride of 8; as float features, four times that, unless the backbone bounds their range.

    Raises:
        ValueError: no core holds a window.
        RuntimeError: the engine returned NaN or infinity.
    """
    method, stride, scale = lesson.method, backbone.spec.stride, fixed_scale(backbone.spec)
    cores, lanes = [], []
    for tile in tiles:
        lanes.append(tile.lane)
        features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
        core = core_web(tile, features, stride)
        cores.append(core.clone() if scale is None else method.quantise(core, scale))
    if scale is None:
        scale = learn_scale(cores)
        cores = [method.quantise(core, scale) for core in cores]
    return learn_profile(cores, scale, lesson, lanes)
