"""Tiles that were judged, joined to pieces of web, and what may be learnt of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import max_pool2d

from streamer.scoring.bands import LevelStrip
from streamer.scoring.profile import holds_window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.message import Interval, ScoreArray, ScoreMap
    from streamer.scoring.method import Method
    from streamer.scoring.profile import TextureProfile


@dataclass(frozen=True, slots=True)
class Levels:
    """What raw scores of a map mean: typical texture, and where the alarm starts."""

    background: float
    alarm_level: float

    @classmethod
    def of(cls, score_map: ScoreMap) -> Levels:
        """Those that a map was judged with."""
        return cls(score_map.background, score_map.alarm_level)


@dataclass(frozen=True, slots=True, eq=False)
class SeenTile:
    """The core of a tile that was judged, `lines` of the web, from feature `first_column` on.

    `features` (C, rows, columns) are levels, or float32 while the lane has no scale. `scores`
    (rows, columns) are raw, NaN where there is no web. `starts_piece`: the web before it is not its
    neighbour. `light` is the log brightness of the cells, NaN where there is no web, if it is
    judged, and `brightness` how far it is from what is normal, in units of its alarm level.
    """

    sequence: int
    lines: Interval
    first_column: int
    starts_piece: bool
    features: torch.Tensor
    scores: ScoreArray
    levels: Levels
    light: ScoreArray | None = None
    brightness: ScoreArray | None = None

    @property
    def normalised(self) -> ScoreArray:
        """Texture or brightness, whichever is farther from normal, in units of its alarm level."""
        levels = self.levels
        texture = (self.scores - levels.background) / (levels.alarm_level - levels.background)
        return texture if self.brightness is None else np.fmax(texture, self.brightness)

    def follows(self, other: SeenTile) -> bool:
        """Whether the web of this tile continues that of another, in the same columns."""
        columns = (self.first_column, self.scores.shape[1])
        same = columns == (other.first_column, other.scores.shape[1])
        return same and self.lines.first == other.lines.end and not self.starts_piece

    @property
    def web(self) -> torch.Tensor:
        """(C, 1, cells): the features of the cells that have a score."""
        seen = torch.from_numpy(np.isfinite(self.scores).ravel())
        return self.features.flatten(1)[:, seen].unsqueeze(1)

    def may_be_learnt(self, gate: float) -> NDArray[np.bool_]:
        """(rows, columns): web that scored no higher than `gate`."""
        learnt: NDArray[np.bool_] = np.isfinite(self.scores) & (self.normalised <= gate)
        return learnt

    def foreign_share(self, gate: float) -> float:
        """Share of the web's cells that scored above `gate`; 0 where there is no web."""
        web = np.isfinite(self.scores)
        return float((self.normalised[web] > gate).mean()) if web.any() else 0.0


def pieces(tiles: Sequence[SeenTile]) -> list[list[SeenTile]]:
    """Tiles in order, grouped where each continues the web of the one before, as wide as it."""
    grouped: list[list[SeenTile]] = []
    for tile in tiles:
        if grouped and tile.follows(grouped[-1][-1]):
            grouped[-1].append(tile)
        else:
            grouped.append([tile])
    return grouped


def strips(tiles: Sequence[SeenTile], gate: float = np.inf) -> list[LevelStrip]:
    """What may be learnt of tiles in order: web that scored no higher than `gate`."""
    return [
        LevelStrip(
            tile.features,
            torch.from_numpy(tile.may_be_learnt(gate)),
            tile.first_column,
            index > 0,
        )
        for piece in pieces(tiles)
        for index, tile in enumerate(piece)
    ]


def rescore(piece: Sequence[SeenTile], profile: TextureProfile, method: Method) -> list[ScoreArray]:
    """What `profile` scores each tile of a piece of web, NaN where no window fits or no web is.

    The features are levels.
    """
    ends = np.cumsum([tile.scores.shape[0] for tile in piece])
    levels = torch.cat([tile.features for tile in piece], dim=1)
    seen = np.concatenate([tile.scores for tile in piece])
    scores = np.full_like(seen, np.nan)
    if holds_window(levels, method):
        scores = profile.score(method, levels, piece[0].first_column)
    return np.split(np.where(np.isfinite(seen), scores, np.float32(np.nan)), ends[:-1])


def maps(tiles: Sequence[SeenTile]) -> list[ScoreArray]:
    """The raw scores of each piece of web in one (rows, columns), however it was cut into tiles."""
    return [np.concatenate([tile.scores for tile in piece]) for piece in pieces(tiles)]


def without_alarms(scores: ScoreArray, alarm_level: float, patch_size: int) -> ScoreArray:
    """Scores that may calibrate; NaN in place of those above the alarm level, and near them.

    Normal web hardly ever scores so high, and a defect that comes again and again must not lift the
    level above itself. A window that holds one reaches `patch_size` features beyond it.
    """
    alarms = torch.from_numpy(np.nan_to_num(scores, nan=-np.inf) > alarm_level).float()
    near = max_pool2d(alarms[None], 2 * patch_size + 1, 1, patch_size)[0] > 0
    return np.where(near.numpy(), np.float32(np.nan), scores)
