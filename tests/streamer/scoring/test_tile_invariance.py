"""The promise: with a fixed profile, the map is the same however the web is cut (real backbone)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import config
from streamer.backbones import open_backbone
from streamer.compose.geometry import UNJUDGED_EDGES, tile_grid, web_geometry
from streamer.config import Config
from streamer.message import LineBlock
from streamer.scoring.image_scorer import score_image
from streamer.scoring.lesson import Lesson
from streamer.scoring.tile_scorer import open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile
from streamer.tiling import Origin, cut, finish, start_tiling

if TYPE_CHECKING:
    from streamer.message import Tile
    from streamer.ports import Backbone

LINES, COLUMNS = 300, 332  # neither is a multiple of the stride


@dataclass(frozen=True)
class Case:
    backbone: Backbone
    settings: Config
    pixels: np.ndarray
    whole: np.ndarray  # the map of the web at once

    def tiles(self, lines: int, columns: int, halo: int | None) -> list[Tile]:
        changed = self.settings.model_copy(
            update={
                "tiles": self.settings.tiles.model_copy(update={"lines": lines, "columns": columns})
            }
        )
        grid = tile_grid(changed, COLUMNS)
        grid = grid if halo is None else replace(grid, halo=halo)
        state = start_tiling(Origin("roll", "cam0", "d"), grid)
        state, rows = cut(state, LineBlock("cam0", 0, self.pixels, LINES, 0))
        return [tile for row in (*rows, *finish(state)[1]) for tile in row.tiles]

    def difference(
        self, lines: int, columns: int, seed: int, halo: int | None = None
    ) -> np.ndarray:
        """Between whole and stitched map, tiles in any order, in shares of the maximum."""
        scorer = open_tile_scorer(
            self.backbone, self.settings, web_geometry(self.settings, COLUMNS), "w1"
        )
        tiles = self.tiles(lines, columns, halo)
        stitched = np.full_like(self.whole, np.nan)
        for index in np.random.default_rng(seed).permutation(len(tiles)):
            found = scorer.score(tiles[index]).score_map
            top, left = found.first_line // 8, found.first_column // 8
            place = (
                slice(top, top + found.scores.shape[0]),
                slice(left, left + found.scores.shape[1]),
            )
            assert np.isnan(stitched[place]).all()  # every cell is covered once
            stitched[place] = found.scores
        return np.abs(stitched - self.whole) / self.whole.max()


@pytest.fixture(scope="module", params=sorted(set(get_args(config.Method)) - UNJUDGED_EDGES))
def case(request, tmp_path_factory) -> Case:
    """A woven web with a stain, its profile in a file, and its map."""
    torch.set_num_threads(1)
    y, x = np.mgrid[0:LINES, 0:COLUMNS]
    texture = 120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7) + 10 * np.sin(x / 40 + y / 60)
    noisy = texture + np.random.default_rng(0).normal(0, 8, texture.shape)
    noisy[150:190, 160:200] -= 60
    pixels = noisy.clip(0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("profile") / "web.safetensors"
    # Most take long with T = 9; T = 3 shows the same with a smaller halo.
    patch = 9 if request.param == "fca_fast" else 3
    chosen = Config.model_validate(
        {
            "backbone": {"engine": "torch", "threads": 1},
            "scoring": {"method": request.param, "patch_size": patch},
            "profile": {"mode": "fixed", "file": str(path)},
        }
    )
    backbone = open_backbone(chosen.backbone)
    lesson = Lesson.of(chosen, web_geometry(chosen, COLUMNS), backbone.spec)
    verdict = score_image(pixels, backbone, lesson)
    verdict.profile.save(path)
    return Case(backbone, chosen, pixels, verdict.scores)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([64, 96, 128, 304]), st.sampled_from([64, 112, 336]), st.integers(0, 99))
def test_map_is_the_same_however_the_web_is_cut(case, lines, columns, seed) -> None:
    difference = case.difference(lines, columns, seed)
    assert np.quantile(difference, 0.999) <= 1e-4
    assert difference.max() <= 1e-3


def test_a_halo_that_is_too_small_shows(case) -> None:
    """The tolerance is tight enough to notice a halo without the receptive field."""
    halo = 80 if case.settings.scoring.method == "fca_fast" else 32
    assert np.quantile(case.difference(96, 112, 0, halo), 0.999) > 1e-4


@pytest.fixture(scope="module", params=["fca_fast", "grnr"])
def bright(request, tmp_path_factory) -> Case:
    """A web of even texture with a dark bar and a faint line; all detectors judge it."""
    torch.set_num_threads(1)
    y, x = np.mgrid[0:LINES, 0:COLUMNS]
    texture = (120 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)) * (1 - 0.3 * x / COLUMNS)
    noisy = texture + np.random.default_rng(1).normal(0, 8, texture.shape)
    barred = noisy.copy()
    barred[120:180] *= 0.8
    barred[:, 260:262] *= 1.25
    path = tmp_path_factory.mktemp("profile") / "bright.safetensors"
    chosen = Config.model_validate(
        {
            "backbone": {"engine": "torch", "threads": 1},
            "scoring": {"method": request.param, "brightness": "on", "lines": "on"},
            "profile": {"mode": "fixed", "file": str(path)},
        }
    )
    clean, pixels = (one.clip(0, 255).astype(np.uint8) for one in (noisy, barred))
    backbone = open_backbone(chosen.backbone)
    geometry = web_geometry(chosen, COLUMNS)
    case = Case(backbone, chosen, clean, np.zeros(0))
    lesson = Lesson.of(chosen, geometry, backbone.spec)
    learn_web_profile(case.tiles(304, 336, None), backbone, lesson).save(path)
    case = replace(case, pixels=pixels)
    found = open_tile_scorer(backbone, chosen, geometry, "w1").score(*case.tiles(304, 336, None))
    assert found.score_map.scores[16:21].min() > found.score_map.alarm_level
    assert found.score_map.scores[30:, 32].min() > found.score_map.alarm_level
    return replace(case, whole=found.score_map.scores)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([16, 64, 128]), st.sampled_from([80, 112, 336]), st.integers(0, 99))
def test_the_detectors_see_the_same_however_the_web_is_cut(bright, lines, columns, seed) -> None:
    assert bright.difference(lines, columns, seed).max() <= 1e-4
