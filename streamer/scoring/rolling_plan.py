"""When a rolling profile learns, forgets and starts anew, in tiles; knows no feature, no tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.message import require

if TYPE_CHECKING:
    from streamer import config
    from streamer.web import WebGeometry

SPARE_TILES = 8  # on their way to a worker or to the sink when a profile is made


@dataclass(frozen=True, slots=True)
class PrototypeRule:
    """How many references a band has at most; each stands for `least_share` of its windows."""

    count: int = 1
    least_share: float = 0.2


@dataclass(frozen=True, slots=True)
class RollingPlan:
    """Everything happens at sequence numbers that follow from these figures and the web alone.

    Segment n of a lane is its tiles [n * refresh_tiles, (n + 1) * refresh_tiles). The profile of a
    tile is made of the `segments` newest that ended `delay_segments` before its own segment began.
    Until `bootstrap_segments` are there, tiles are judged by themselves. `band_width` is in
    features, None: one band.

    Scores above `gate` (in units of the alarm level) are not learnt. When more than `change_share`
    of the cells of every tile in `change_lines` lines is above it, the web is a new article.
    `own_reference`: a cell may also be normal by its own tile's texture. Without `refreshes` the
    first profile is the last one. `change_tiles` are those that hold `change_lines`. `prototypes`:
    how many references each band may have.
    """

    refresh_tiles: int
    bootstrap_segments: int
    segments: int
    delay_segments: int = 0
    band_width: int | None = 8
    gate: float = 0.8
    change_share: float = 0.5
    change_lines: int = 2000
    own_reference: bool = False
    refreshes: bool = True
    change_tiles: int = 0
    prototypes: PrototypeRule = PrototypeRule()

    def __post_init__(self) -> None:
        require(self.refresh_tiles > 0, "refresh_tiles must be > 0", self.refresh_tiles)
        least = min(self.bootstrap_segments, self.segments)
        require(least > 0, "bootstrap_segments and segments must be > 0", least)

    @classmethod
    def of(cls, settings: config.Config, geometry: WebGeometry) -> RollingPlan:
        """As configured; metres are rounded up to whole tiles and segments."""
        profile, tile_lines = settings.profile, settings.tiles.lines
        refreshes = profile.mode == "rolling"
        refresh = -(-geometry.lines(profile.refresh_m) // tile_lines) if refreshes else 1

        def segments(metres: float) -> int:
            return -(-geometry.lines(metres) // (tile_lines * refresh)) if metres > 0 else 0

        return cls(
            refresh_tiles=refresh,
            bootstrap_segments=segments(profile.bootstrap_m),
            segments=segments(profile.window_m),
            delay_segments=segments(profile.delay_m),
            band_width=profile.band_width,
            gate=profile.gate,
            change_share=profile.change_share,
            change_lines=geometry.lines(profile.change_m),
            own_reference=profile.own_reference,
            refreshes=refreshes,
            change_tiles=-(-geometry.lines(profile.change_m) // tile_lines),
            prototypes=PrototypeRule(profile.prototypes, profile.prototype_share),
        )

    def segment_of(self, sequence: int) -> int:
        """The segment that a tile belongs to."""
        return sequence // self.refresh_tiles

    def bootstrap_end(self, first: int) -> int:
        """The first sequence number after a bootstrap that began with tile `first`."""
        return (-(-first // self.refresh_tiles) + self.bootstrap_segments) * self.refresh_tiles

    @property
    def replay_tiles(self) -> int:
        """Tiles of a lane, at most, that another worker needs besides the last state.

        A bootstrap, or what is counted while the web looks foreign: no state is made of it.
        """
        bootstrap = (self.bootstrap_segments + 1) * self.refresh_tiles
        return max(bootstrap, 2 * self.refresh_tiles + self.change_tiles) + SPARE_TILES
