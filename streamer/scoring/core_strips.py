"""Cores of tiles joined to strips of web: windows reach over their borders; knows no lane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamer.message import Interval, Tile


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """The features (C, rows, columns) of a tile's core, and which web they are of.

    `place` are the columns of the core and those without web. `continues`: the tile before it in
    its lane, `sequence` - 1, shows the web that lies before it.
    """

    sequence: int
    features: torch.Tensor
    place: tuple[int, int, tuple[Interval, ...]] = (0, 0, ())
    continues: bool = False

    @classmethod
    def of(cls, tile: Tile, features: torch.Tensor) -> Core:
        """The core of a tile, which has no halo above where a piece of web begins."""
        place = tile.first_column, tile.column_count, tile.masked
        return cls(tile.sequence, features, place, tile.halo.top > 0)

    def with_features(self, features: torch.Tensor) -> Core:
        """The same core with other features of the same cells."""
        return replace(self, features=features)

    def follows(self, other: Core) -> bool:
        """Whether its web continues that of another, in the same columns."""
        adjoins = self.continues and self.sequence == other.sequence + 1
        same = self.place == other.place and self.features.shape[2] == other.features.shape[2]
        return adjoins and same


def join_cores(cores: Iterable[Core]) -> list[torch.Tensor]:
    """Strips (C, rows, columns) of the cores of one lane, in any order, each as long as they go on.

    A core that is scored alone has fewer windows at its borders than the same web on the line.
    """
    groups: list[list[Core]] = []
    for core in sorted(cores, key=lambda one: one.sequence):
        if groups and core.follows(groups[-1][-1]):
            groups[-1].append(core)
        else:
            groups.append([core])
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Core]) -> torch.Tensor:
    if len(group) == 1:
        return group[0].features
    return torch.cat([core.features for core in group], dim=1)
