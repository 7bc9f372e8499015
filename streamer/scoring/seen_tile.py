"""Tiles that were judged and what may be learnt of them; knows no profile and learns nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import max_pool2d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.message import Interval, ScoreArray, ScoreMap


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
    """The core of a tile that was judged, `lines` of the web.

    `features` (C, rows, columns) are levels, or float32 while the lane has no scale. `scores`
    (rows, columns) are raw, NaN where there is no web. `starts_piece`: the web before it is not its
    neighbour.
    """

    sequence: int
    lines: Interval
    starts_piece: bool
    features: torch.Tensor
    scores: ScoreArray
    levels: Levels

    @property
    def normalised(self) -> ScoreArray:
        """The scores in units of the alarm level."""
        levels = self.levels
        return (self.scores - levels.background) / (levels.alarm_level - levels.background)

    def may_be_learnt(self, gate: float) -> NDArray[np.bool_]:
        """(rows, columns): web that scored no higher than `gate`."""
        learnt: NDArray[np.bool_] = np.isfinite(self.scores) & (self.normalised <= gate)
        return learnt

    def foreign_share(self, gate: float) -> float:
        """Share of the web's cells that scored above `gate`; 0 where there is no web."""
        web = np.isfinite(self.scores)
        return float((self.normalised[web] > gate).mean()) if web.any() else 0.0


def pieces(tiles: Sequence[SeenTile]) -> list[list[SeenTile]]:
    """Tiles in order, grouped where each continues the web of the one before."""
    grouped: list[list[SeenTile]] = []
    for tile in tiles:
        follows = grouped and grouped[-1][-1].lines.end == tile.lines.first
        if follows and not tile.starts_piece:
            grouped[-1].append(tile)
        else:
            grouped.append([tile])
    return grouped


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
