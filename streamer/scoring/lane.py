"""How a lane gets its texture profile from its own first metres; knows no backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import ProfileState
from streamer.scoring.core_strips import Core, join_cores
from streamer.scoring.detectors import Look, learn_detectors
from streamer.scoring.features import learn_scale
from streamer.scoring.profile import holds_window, learn_profile

if TYPE_CHECKING:
    from streamer.message import Tile
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.profile import TextureProfile


@dataclass(frozen=True, slots=True)
class LaneKey:
    """One lane of one camera in one roll."""

    roll: str
    camera: str
    lane: int

    @classmethod
    def of(cls, tile: Tile) -> LaneKey:
        """The lane that a tile belongs to."""
        return cls(tile.roll, tile.camera, tile.lane)


@dataclass(slots=True)
class LaneLearner:
    """What one lane has learnt: cores of its first tiles, then a profile in their place.

    The first `tiles` sequence numbers are the bootstrap; if nothing of them came, the `tiles`
    numbers from the first usable tile on. The profile counts from `since` on and depends on
    nothing but the tiles of this lane before it, in order. Memory is bounded by `tiles` cores.
    `is_news`: the profile was learnt here, and nobody else has it yet.
    """

    tiles: int
    cores: dict[int, Core] = field(default_factory=dict)
    looks: dict[int, Look] = field(default_factory=dict)
    profile: TextureProfile | None = None
    since: int = 0
    is_news: bool = False

    def profile_for(self, sequence: int) -> TextureProfile | None:
        """The profile of the lane if it holds for this tile, else None: score it by itself."""
        known = self.profile is not None and sequence >= self.since
        return self.profile if known else None

    def adopt(self, profile: TextureProfile, since: int) -> None:
        """Use `profile` from tile `since` on and forget the bootstrap."""
        self.profile, self.since, self.is_news = profile, since, False
        self.cores, self.looks = {}, {}

    def is_due(self, sequence: int) -> bool:
        """Whether the bootstrap ends before this tile."""
        return self.profile is None and bool(self.cores) and sequence >= self._end

    def remember(self, core: Core, lesson: Lesson, seen: Look | None = None) -> None:
        """Keep the core of a bootstrap tile, if it is large enough for a window.

        And what the detectors beside the texture have `seen` of it.
        """
        if self.tiles and self.profile is None and holds_window(core.features, lesson.method):
            # A copy: a view would keep the whole tile with its halo.
            self.cores[core.sequence] = core.with_features(core.features.clone())
            if seen is not None:
                self.looks[core.sequence] = seen

    def learn(self, sequence: int, scale: ChannelScale | None, lesson: Lesson) -> None:
        """Build the profile that holds from `sequence` on; `scale` None: `cores` are not scaled."""
        strips = join_cores(self.cores.values())
        if scale is None:
            scale = learn_scale(strips)
            strips = [lesson.method.quantise(strip, scale) for strip in strips]
        profile = learn_profile(strips, scale, lesson)
        looks = [self.looks[key] for key in sorted(self.looks)]
        self.adopt(learn_detectors(profile, looks, lesson), sequence)
        self.is_news = True

    def take_news(self, key: LaneKey) -> ProfileState | None:
        """The profile for others, once."""
        if self.profile is None or not self.is_news:
            return None
        self.is_news = False
        return ProfileState(
            key.roll, key.camera, key.lane, self.since, self.profile.digest, self.profile.to_bytes()
        )

    @property
    def _end(self) -> int:
        first = min(self.cores)
        return self.tiles if first < self.tiles else first + self.tiles
