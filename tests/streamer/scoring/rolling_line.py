"""A rolling lane of one worker, and the webs that are shown to it, for several test files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamer.config import Config
from streamer.message import ScoreMap, Tile
from streamer.ports import Verdict
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.web import WebGeometry

LINES, COLUMNS = 128, 256
TILE_M = 0.512
GEOMETRY = WebGeometry(COLUMNS, 4.0, 4.0, 60.0)
PROFILE = {
    "mode": "rolling",
    "bootstrap_m": 2.0,
    "refresh_m": 1.0,
    "window_m": 8.0,
    "change_m": 2.0,
}
BOOTSTRAP_TILES, REFRESH_TILES = 4, 2


@dataclass
class Line:
    """Scores the tiles of one lane, one after the other."""

    scorer: TileScorer
    tile_of: Callable[..., Tile]
    sequence: int = 0

    def judge(self, pixels: np.ndarray, **changes: object) -> Verdict:
        verdict = self.scorer.score(self.tile_of(pixels, self.sequence, **changes))
        self.sequence += 1
        return verdict


def scorer_of(backbone, geometry=GEOMETRY, tile_lines: int = LINES, **profile) -> TileScorer:
    settings = Config.model_validate(
        {
            "tiles": {"lines": tile_lines, "columns": COLUMNS},
            "profile": PROFILE | profile,
            # Four channels need more levels than the 240 of a real backbone.
            "scoring": {"levels": 16, "sigma_blur": 1.0},
        }
    )
    return open_tile_scorer(backbone, settings, geometry, "w1")


def with_hole(pixels: np.ndarray, column: int = 136) -> np.ndarray:
    holed = pixels.copy()
    holed[56:72, column : column + 24] = 255
    return holed


def other_article(pixels: np.ndarray) -> np.ndarray:
    """The same yarn in another weave: coarse stripes along the web."""
    striped = 0.6 * pixels + 80.0 * (np.arange(COLUMNS) % 32 < 10)
    return np.clip(striped, 0, 255).astype(np.uint8)


def peak(score_map: ScoreMap) -> float:
    """In units of the alarm level."""
    span = score_map.alarm_level - score_map.background
    return float((np.nanmax(score_map.scores) - score_map.background) / span)
