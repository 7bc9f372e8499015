"""The rolling texture profile of a lane: learnt from its last metres; knows no transport."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import ProfileState
from streamer.scoring.band_prototypes import combine_prototypes, learn_prototypes
from streamer.scoring.bands import BandPlace, BandReference, combine_bands, learn_bands
from streamer.scoring.features import learn_scale
from streamer.scoring.profile import complete_profile, require_bands
from streamer.scoring.rolling_state import Change, RollingState
from streamer.scoring.seen_light import (
    columns_of,
    first_brightness,
    lit,
    next_brightness,
    segment_light,
    without_alarmed,
)
from streamer.scoring.seen_tile import (
    Levels,
    SeenTile,
    maps,
    pieces,
    rescore,
    strips,
    without_alarms,
)
from streamer.scoring.segment import Segment

if TYPE_CHECKING:
    from streamer.message import ScoreArray
    from streamer.scoring.bands import BandMedians
    from streamer.scoring.brightness import BrightnessProfile
    from streamer.scoring.fca import FcaFast
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.lane import LaneKey
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.profile import TextureProfile
    from streamer.scoring.rolling_brightness import SegmentLight
    from streamer.scoring.rolling_plan import RollingPlan


@dataclass(slots=True)
class RollingLane:
    """What one lane has learnt, and the tiles since; ask for the profile, judge, then `take`.

    Everything follows from the plan and from the tiles that were taken, in order. What is held is
    bounded: the cores of one segment (of the bootstrap, while there is no profile) and, of each of
    `plan.segments` + `plan.delay_segments` segments, one reference and the score maps.
    `known_scale` is the scale that the backbone fixes for all webs, or None.
    """

    plan: RollingPlan
    lesson: Lesson
    known_scale: ChannelScale | None
    state: RollingState = field(default_factory=RollingState)
    tiles: dict[int, SeenTile] = field(default_factory=dict)
    next_sequence: int = 0
    news: RollingState | None = None

    @property
    def scale(self) -> ChannelScale | None:
        """Of the profile, or of the backbone; None while it is still to be learnt."""
        return self.state.profile.scale if self.state.profile is not None else self.known_scale

    def profile_for(self, sequence: int) -> TextureProfile | None:
        """The profile that judges this tile, None: its own texture does; learns what is due."""
        if self.tiles and sequence >= self._learning_end:
            if (profile := self.state.profile) is None:
                self._end_bootstrap(sequence)
            else:
                self._refresh(sequence, profile)
        return self.state.profile if sequence >= self.state.since else None

    @property
    def figures(self) -> dict[str, float]:
        """For the display: how far the profile moved in the last refresh and since the first."""
        return {"profile_step": self.state.step, "profile_drift": self.state.drift}

    @property
    def _learning_end(self) -> int:
        """The first tile that is judged by what is being collected now."""
        first = min(self.tiles)
        if self.state.profile is None:
            return self.plan.bootstrap_end(first)
        return (self.plan.segment_of(first) + 1) * self.plan.refresh_tiles

    def take(self, tile: SeenTile) -> bool:
        """Remember a tile that was judged; True if it shows that a new article has begun.

        A tile that comes again teaches nothing again.
        """
        is_fixed = self.state.profile is not None and not self.plan.refreshes
        if tile.sequence < self.next_sequence or is_fixed:
            return False
        self.next_sequence = tile.sequence + 1
        if self.state.learnt_from is None:
            self.state = replace(self.state, learnt_from=tile.sequence)
        if self.state.profile is not None:
            tile = lit(tile, self.state.profile.brightness)
        if self.state.profile is not None and self._is_foreign(tile):
            if self.state.change.lines >= self.plan.change_lines:
                self._start_article()
                return True
            return False
        # A copy: a view would keep the whole tile with its halo.
        self.tiles[tile.sequence] = replace(tile, features=tile.features.clone())
        return False

    def _is_foreign(self, tile: SeenTile) -> bool:
        """Whether most of a tile is not what the lane knows; such tiles in a row are counted."""
        plan, change = self.plan, self.state.change
        foreign = tile.foreign_share(plan.gate) > plan.change_share
        first = change.first_line if change.lines else tile.lines.first
        counted = Change(first, change.lines + tile.lines.size) if foreign else Change()
        self.state = replace(self.state, change=counted)
        return foreign

    def _start_article(self) -> None:
        """Forget the article before; what comes is judged by itself until it is known."""
        self.tiles = {}
        self.state = RollingState(
            since=self.next_sequence,
            article_line=self.state.change.first_line,
            learnt_from=self.state.learnt_from,
        )
        self.news = self.state

    def _end_bootstrap(self, sequence: int) -> None:
        """Learn the first profile, without what it shows to be foreign itself."""
        tiles = [self.tiles[key] for key in sorted(self.tiles)]
        self.tiles = {}
        scale, tiles = self._scaled(tiles)
        profile: TextureProfile | None = None
        segments: tuple[Segment, ...] = ()
        for gate in (np.inf, self.plan.gate):
            groups = self._by_segment(tiles)
            medians = {number: self._learn(group, gate) for number, group in groups.items()}
            known = [one for one in medians.values() if one is not None]
            if not known:
                break  # nothing but masks, or nothing that would pass the gate
            reference = self._combine(known)
            tiles = self._judge_again(tiles, self._profile(scale, reference, []))
            groups = self._by_segment(tiles)
            normal, lights = first_brightness([*groups.values()], gate, self.lesson.target)
            segments = tuple(
                Segment.of(number, medians[number], maps(group), light)
                for (number, group), light in zip(groups.items(), lights, strict=True)
            )
            profile = self._profile(scale, reference, [m for s in segments for m in s.scores])
            profile = replace(profile, brightness=normal)
            levels = Levels(profile.calibration.background, profile.calibration.alarm_level)
            tiles = [lit(replace(tile, levels=levels), normal) for tile in tiles]
        if profile is not None:
            self._use(sequence, profile, segments)

    def _by_segment(self, tiles: list[SeenTile]) -> dict[int, list[SeenTile]]:
        groups: dict[int, list[SeenTile]] = {}
        for tile in tiles:
            groups.setdefault(self.plan.segment_of(tile.sequence), []).append(tile)
        return groups

    def _scaled(self, tiles: list[SeenTile]) -> tuple[ChannelScale, list[SeenTile]]:
        """The scale of all that is web, and the tiles as levels."""
        if self.known_scale is not None:
            return self.known_scale, tiles
        scale = learn_scale([tile.web for tile in tiles])
        quantise = self.lesson.method.quantise
        return scale, [replace(t, features=quantise(t.features, scale)) for t in tiles]

    def _learn(self, tiles: list[SeenTile], gate: float) -> BandMedians | None:
        """From tiles in order."""
        method, width, rule = self._method, self.plan.band_width, self.plan.prototypes
        if width is None or rule.count == 1:
            return learn_bands(strips(tiles, gate), width, method)
        return learn_prototypes(strips(tiles, gate), width, rule, method)

    def _combine(
        self, parts: list[BandMedians], previous: BandReference | None = None
    ) -> BandReference:
        if self.plan.prototypes.count == 1:
            return combine_bands(parts, previous)
        return combine_prototypes(parts, previous, self.plan.prototypes, self._method)

    @property
    def _method(self) -> FcaFast:
        return require_bands(self.lesson.method)

    def _judge_again(self, tiles: list[SeenTile], profile: TextureProfile) -> list[SeenTile]:
        """With the scores that `profile` gives, segment by segment; NaN where no window fits."""
        groups = self._by_segment(tiles).values()
        return [
            replace(tile, scores=scores)
            for piece in (piece for group in groups for piece in pieces(group))
            for tile, scores in zip(piece, rescore(piece, profile, self.lesson.method), strict=True)
        ]

    def _refresh(self, sequence: int, present: TextureProfile) -> None:
        """Close the segment that is complete and make the profile of the next one."""
        plan, state, size = self.plan, self.state, self.lesson.method.patch_size
        alarm_level = present.calibration.alarm_level
        tiles = [self.tiles[key] for key in sorted(self.tiles)]
        self.tiles = {}
        closed = Segment.of(
            plan.segment_of(tiles[0].sequence),
            self._learn(tiles, plan.gate),
            [without_alarms(one, alarm_level, size) for one in maps(tiles)],
            self._light(tiles, present.brightness),
        )
        segments = (*state.segments, closed)[-(plan.segments + plan.delay_segments) :]
        newest = plan.segment_of(sequence) - plan.delay_segments
        usable = [one for one in segments if one.number < newest][-plan.segments :]
        known = [one.medians for one in usable if one.medians is not None]
        before = _bands_of(present)
        reference = self._combine(known, before) if known else before
        scores = [one for segment in usable for one in segment.scores]
        profile = self._profile(present.scale, reference, scores)
        if not any(np.isfinite(one).any() for one in scores):
            # All of it was masked, or is not old enough: a level of nothing would never alarm.
            profile = replace(profile, calibration=present.calibration)
        if present.brightness is not None:
            lights = [one.light for one in usable if one.light is not None]
            normal = next_brightness(lights, present.brightness, self.lesson.target)
            profile = replace(profile, brightness=normal)
        self._use(sequence, profile, segments)

    def _light(
        self, tiles: list[SeenTile], normal: BrightnessProfile | None
    ) -> SegmentLight | None:
        """What a segment leaves of its light, if that is judged."""
        if normal is None:
            return None
        light = segment_light(tiles, columns_of(tiles, self.plan.gate), normal)
        return without_alarmed(light, tiles, self.lesson.method.patch_size)

    def _use(self, sequence: int, profile: TextureProfile, segments: tuple[Segment, ...]) -> None:
        """Judge by `profile` from tile `sequence` on, and let others know."""
        levels, state = self._method.levels, self.state
        reference = _bands_of(profile)
        before = reference if state.profile is None else _bands_of(state.profile)
        first = reference if state.first is None else state.first
        self.news = self.state = replace(
            state,
            since=sequence,
            profile=profile,
            first=first,
            segments=segments,
            step=reference.distance(before, levels),
            drift=reference.distance(first, levels),
        )

    def _profile(
        self, scale: ChannelScale, known: BandReference, maps: list[ScoreArray]
    ) -> TextureProfile:
        width = self.plan.band_width
        if width is None:
            return complete_profile(scale, known.reference[0], maps, self.lesson)
        bands = BandPlace(width, known.first)
        return complete_profile(scale, known.reference, maps, self.lesson, bands=bands)

    def adopt(self, state: RollingState) -> None:
        """Continue as another worker would that came as far as `state`."""
        self.state, self.tiles = state, {}
        self.next_sequence, self.news = state.since, None

    def take_news(self, key: LaneKey) -> ProfileState | None:
        """The state for others, once."""
        state, self.news = self.news, None
        if state is None:
            return None
        content = state.to_bytes()
        digest = hashlib.sha256(content).hexdigest()
        place = (key.roll, key.camera, key.lane, state.since)
        learnt_from = state.learnt_from if self.plan.refreshes else None
        return ProfileState(*place, digest, content, learnt_from)


def _bands_of(profile: TextureProfile) -> BandReference:
    """One band if the profile has none."""
    if profile.bands is None:
        return BandReference(profile.reference[None])
    return BandReference(profile.reference, profile.bands.first)
