"""Score maps of web without defects, simulated or real, as the line makes them; knows no level."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from real_truth import read_grey

from streamer.backbones import open_backbone
from streamer.compose.geometry import tile_grid, web_geometry
from streamer.config import Config
from streamer.scoring.cells import core_cells
from streamer.scoring.features import Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.lesson import Lesson
from streamer.scoring.profile import learn_profile
from streamer.scoring.web_profile import learn_web_profile
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.tiling import Origin, cut, finish, start_tiling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from streamer.message import PixelArray, ScoreArray, Tile
    from streamer.ports import Backbone
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.profile import TextureProfile


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Score maps to calibrate on and maps of other web, scored with the same profile, to check."""

    name: str
    learnt: tuple[ScoreArray, ...]
    fresh: tuple[ScoreArray, ...]


def simulated_config(surface: str, seed: int, metres: float, columns: int) -> Config:
    """The default line on a simulated web of one lane without a defect."""
    source = {
        "kind": "simulator",
        "surface": surface,
        "seed": seed,
        "columns": columns,
        "length_m": metres,
        "defects_per_m": 0.0,
    }
    tiles = {"columns": columns}
    fast = {"backbone": {"threads": 1}, "scoring": {"threads": 1}}
    return Config.model_validate({"source": source, "tiles": tiles, **fast})


def simulated_scores(chosen: Config) -> tuple[ScoreArray, ...]:
    """Raw scores of each tile's core, in order, with the profile of the first metres of the web."""
    with closing(open_backbone(chosen.backbone)) as backbone:
        geometry = web_geometry(chosen, chosen.tiles.columns)
        lesson = Lesson.of(chosen, geometry, backbone.spec)
        tiles = web_tiles(chosen)
        bootstrap = -(-geometry.lines(chosen.profile.bootstrap_m) // chosen.tiles.lines)
        first = list(islice(tiles, bootstrap))
        profile = learn_web_profile(first, backbone, lesson)
        return tuple(_tile_scores(t, backbone, lesson, profile) for t in chain(first, tiles))


def web_tiles(chosen: Config) -> Iterator[Tile]:
    """The tiles of the whole configured web, as capture cuts them."""
    with closing(open_source(chosen.source, chosen.web)) as source:
        state = start_tiling(
            Origin("clean", chosen.source.camera, chosen.digest),
            tile_grid(chosen, source.format.columns),
        )
        while (piece := source.read_into(new_buffer(source.format, 2048))) is not None:
            state, rows = cut(state, piece)
            yield from (tile for row in rows for tile in row.tiles)
        _, rows = finish(state)
        yield from (tile for row in rows for tile in row.tiles)


def _tile_scores(
    tile: Tile, backbone: Backbone, lesson: Lesson, profile: TextureProfile
) -> ScoreArray:
    features = embed_web(backbone, tile.pixels, lesson.edges(tile.halo))
    scores = lesson.method.score(lesson.method.quantise(features, profile.scale), profile.reference)
    return np.ascontiguousarray(scores[core_cells(tile, backbone.spec.stride)])


def clean_images(folder: Path) -> tuple[Path, ...]:
    """Images of `folder`/images that their source declares free of defects: masks all zero."""
    masked = ((image, folder / "masks" / image.name) for image in _images(folder))
    return tuple(image for image, mask in masked if mask.is_file() and not read_grey(mask).any())


def _images(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted((folder / "images").glob("*.png")))


def real_folds(data: Path, chosen: Config) -> Iterator[Fold]:
    """Every fold of the clean sets in `data`.

    Fabrics: each clean strip once as fresh web, the others learnt. Magnetic tiles: every second
    one. Textures of one image: the upper half learnt, the lower one fresh.

    Raises:
        FileNotFoundError: `data` holds no clean image.
    """
    found = False
    with closing(open_backbone(chosen.backbone)) as backbone:
        for name, learnt, fresh in _image_folds(data):
            found = True
            yield Fold(name, *_fold_scores((learnt, fresh), backbone, chosen))
    if not found:
        msg = f"data must hold clean images, got none in {data} (set LINESCAN_DATA)"
        raise FileNotFoundError(msg)


Images = tuple["PixelArray", ...]


def _image_folds(data: Path) -> Iterator[tuple[str, Images, Images]]:
    for fabric in sorted((data / "aitex").glob("*")):
        strips = tuple(read_grey(path) for path in clean_images(fabric))
        for index, strip in enumerate(strips):
            others = (*strips[:index], *strips[index + 1 :])
            yield f"aitex/{fabric.name} strip {index}", others, (strip,)
    free = tuple(read_grey(path) for path in clean_images(data / "magnetic_tile" / "free"))
    if len(free) > 1:
        yield "magnetic_tile/free", free[::2], free[1::2]
    for path in (*_images(data / "brodatz" / "clean"), *_images(data / "skimage" / "clean")):
        grey = read_grey(path)
        half = grey.shape[0] // 16 * 8
        yield path.stem, (grey[:half],), (grey[half:],)


def _fold_scores(
    images: tuple[Images, Images], backbone: Backbone, chosen: Config
) -> tuple[tuple[ScoreArray, ...], tuple[ScoreArray, ...]]:
    """Scores of the learnt and of the fresh images with the profile of the learnt ones."""
    learnt, fresh = ([_embed(image, backbone) for image in group] for group in images)
    geometry = web_geometry(chosen, images[0][0].shape[1])
    lesson = Lesson.of(chosen, geometry, backbone.spec)
    scale = fixed_scale(backbone.spec) or learn_scale(learnt)
    known = [lesson.method.quantise(features, scale) for features in learnt]
    profile = learn_profile(known, scale, lesson)
    return _score_all(learnt, scale, lesson, profile), _score_all(fresh, scale, lesson, profile)


def _score_all(
    maps: Sequence[torch.Tensor], scale: ChannelScale, lesson: Lesson, profile: TextureProfile
) -> tuple[ScoreArray, ...]:
    method = lesson.method
    return tuple(method.score(method.quantise(m, scale), profile.reference) for m in maps)


def _embed(pixels: PixelArray, backbone: Backbone) -> torch.Tensor:
    lines, columns = (size // backbone.spec.stride * backbone.spec.stride for size in pixels.shape)
    return embed_web(backbone, pixels[:lines, :columns], Edges()).clone()


def remember(
    file: Path, make: Callable[[], tuple[ScoreArray, ...]]
) -> tuple[NDArray[np.float32], ...]:
    """The arrays stored in `file`; where there is none, `make` them and store them."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, *make())
        partial.replace(file)
    with np.load(file) as stored:
        return tuple(stored[f"arr_{index}"] for index in range(len(stored.files)))
