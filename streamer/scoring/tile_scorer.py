"""One worker's way from a tile to its score map; knows no transport and no concrete backbone."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Interval, ScoreMap, require
from streamer.ports import Verdict
from streamer.scoring.cells import (
    core_cells,
    core_pixels,
    core_web,
    hide_masked,
    masked_cells,
    widest_web,
)
from streamer.scoring.core_strips import Core
from streamer.scoring.detectors import add_detectors, look
from streamer.scoring.features import Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.kernel_gate import running_kernel
from streamer.scoring.lane import LaneKey, LaneLearner
from streamer.scoring.lesson import Lesson
from streamer.scoring.profile import (
    TextureProfile,
    complete_profile,
    holds_window,
    learn_reference,
    require_fit,
)
from streamer.scoring.rolling_lanes import RollingLanes
from streamer.scoring.rolling_plan import RollingPlan
from streamer.scoring.seen_tile import Levels, SeenTile
from streamer.web import intersect_intervals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from streamer import config
    from streamer.message import PixelArray, ProfileState, ScoreArray, Tile
    from streamer.ports import Backbone, BackboneSpec
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.rolling import RollingLane
    from streamer.web import WebGeometry


@dataclass(frozen=True, slots=True)
class ScoringPolicy:
    """What a worker must know besides its backbone.

    `saved` is a profile for all lanes. `bootstrap_tiles` is how many sequence numbers a lane
    learns from; 0: it never learns, and every tile is judged by itself. `rolling`: it learns
    bands, or goes on learning, after this plan. `evidence_level` is in units of the alarm level.
    """

    lesson: Lesson
    bootstrap_tiles: int
    evidence_level: float
    worker: str
    saved: TextureProfile | None = None
    rolling: RollingPlan | None = None

    @classmethod
    def of(
        cls, settings: config.Config, geometry: WebGeometry, spec: BackboneSpec, worker: str
    ) -> ScoringPolicy:
        """As configured, for the features of `spec`.

        Raises:
            ValueError: the profile file cannot be read, is none, is damaged, or fits neither
                backbone nor method nor lanes.
        """
        lesson, profile = Lesson.of(settings, geometry, spec), settings.profile
        lines = geometry.lines(profile.bootstrap_m)
        tiles = -(-lines // settings.tiles.lines) if profile.mode == "fixed" else 0
        saved = _load(profile.file, lesson) if profile.file is not None else None
        if saved is not None:
            _require_lanes(saved, geometry.columns, settings.tiles.columns)
        banded = profile.mode == "fixed" and saved is None and profile.band_width is not None
        learns_bands = profile.mode == "rolling" or banded
        rolling = RollingPlan.of(settings, geometry) if learns_bands else None
        return cls(lesson, tiles, settings.decision.evidence_level, worker, saved, rolling)


class TileScorer:
    """Scores the tiles of any number of lanes, each lane in order; see `ports.TileScorer`.

    A lane's profile depends on the tiles of that lane alone. One roll is remembered at a time.
    Not for use from several threads.
    """

    def __init__(
        self,
        backbone: Backbone,
        policy: ScoringPolicy,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._backbone, self._policy, self._now_ns = backbone, policy, now_ns
        self._method = policy.lesson.method
        self._stride = backbone.spec.stride
        self._scale = fixed_scale(backbone.spec)
        self._lanes: dict[LaneKey, LaneLearner] = {}
        plan, lesson = policy.rolling, policy.lesson
        self._rolling = RollingLanes(plan, lesson, self._scale) if plan is not None else None
        self._device = "cpu"

    @property
    def description(self) -> str:
        """What runs where, for heartbeat and manifest; the device is that of the last features."""
        spec, method = self._backbone.spec, self._method
        kernel = running_kernel(method, self._device).path
        beside = " and ".join(self._policy.lesson.detectors)
        further = f", with {beside}" if beside else ""
        return f"{spec.name} on {spec.engine}, {method.name} on {kernel}{further}"

    def warm_up(self, shape: tuple[int, ...], bits: int) -> None:
        """Pay for everything that is slow the first time, with a tile of this shape and depth."""
        noise = np.random.default_rng(0).integers(0, 2**bits, shape)
        features = self._embed(noise.astype(np.uint8 if bits == 8 else np.uint16), Edges())
        quantised = self._method.quantise(features, self._scale or learn_scale([features]))
        self._method.score(quantised, learn_reference([quantised], self._method))

    def adopt(self, state: ProfileState) -> None:
        """Continue a lane with the profile that another worker has learnt.

        Raises:
            ValueError: the profile is damaged or fits neither backbone nor method.
        """
        if self._rolling is not None:
            self._rolling.adopt(state)
            return
        profile = TextureProfile.from_bytes(state.profile)
        require_fit(profile, self._method, self._backbone.spec)
        key = LaneKey(state.roll, state.camera, state.lane)
        self._learner(key).adopt(profile, state.sequence)

    def score(self, tile: Tile) -> Verdict:
        """Score one tile.

        Raises:
            ValueError: the tile is smaller than a window.
            RuntimeError: the engine returned NaN or infinity.
        """
        features = self._embed(tile.pixels, self._policy.lesson.edges(tile.halo))
        if self._rolling is not None:
            return self._score_rolling(tile, features, self._rolling.of(tile))
        learner = self._learner(LaneKey.of(tile))
        if learner.is_due(tile.sequence):
            learner.learn(tile.sequence, self._scale, self._policy.lesson)
        profile = self._policy.saved or learner.profile_for(tile.sequence)
        if profile is None:
            scale = self._scale or learn_scale([features])
            quantised = self._method.quantise(features, scale)
            kept = features if self._scale is None else quantised
            core = Core.of(tile, core_web(tile, kept, self._stride))
            lesson = self._policy.lesson
            learner.remember(core, lesson, look(tile, lesson))
            score_map = self._score_by_itself(tile, quantised, scale)
        else:
            score_map = self._score_by(profile, tile, features)
        return Verdict(score_map, learner.take_news(LaneKey.of(tile)))

    def _score_rolling(self, tile: Tile, features: torch.Tensor, lane: RollingLane) -> Verdict:
        """Judge a tile by what its lane has learnt before it, then let the lane learn from it."""
        profile = lane.profile_for(tile.sequence)
        scale = lane.scale or learn_scale([features])
        quantised = self._method.quantise(features, scale)
        rows, columns = core_cells(tile, self._stride)
        if profile is None:
            score_map = self._score_by_itself(tile, quantised, scale)
            texture = score_map.scores
        else:
            scores = self._texture(profile, tile, quantised)
            score_map = self._score_map(tile, scores, profile)
            texture = hide_masked(tile, scores, self._stride)[rows, columns].copy()
        kept = features if lane.scale is None else quantised
        light = look(tile, self._policy.lesson).light
        lane.take(
            SeenTile(
                tile.sequence,
                Interval(tile.first_line, tile.first_line + tile.line_count),
                tile.first_column // self._stride,
                tile.halo.top == 0,
                kept[:, rows, columns],
                texture,
                Levels.of(score_map),
                light.light if light is not None else None,
            )
        )
        state = lane.state
        score_map = replace(score_map, article_line=state.article_line, profile_drift=state.drift)
        return Verdict(score_map, lane.take_news(LaneKey.of(tile)), lane.figures)

    def _embed(self, pixels: PixelArray, edges: Edges) -> torch.Tensor:
        features = embed_web(self._backbone, pixels, edges)
        size, least = tuple(features.shape[1:]), self._method.patch_size
        require(min(size) >= least, f"tile must hold {least} x {least} features", size)
        self._device = features.device.type
        return features

    def _learner(self, key: LaneKey) -> LaneLearner:
        if any(known.roll != key.roll for known in self._lanes):
            self._lanes = {}
        return self._lanes.setdefault(key, LaneLearner(self._policy.bootstrap_tiles))

    def _score_by_itself(
        self, tile: Tile, quantised: torch.Tensor, scale: ChannelScale
    ) -> ScoreMap:
        """What is normal is the tile's own texture."""
        reference = self._own_reference(tile, quantised)
        scores = self._method.score(quantised, reference)
        seen = hide_masked(tile, scores, self._stride)
        own = complete_profile(scale, reference, [seen], self._policy.lesson)
        return replace(self._score_map(tile, scores, own), self_judged=True)

    def _own_reference(self, tile: Tile, quantised: torch.Tensor) -> torch.Tensor:
        """Of the tile's widest stretch of web, or of all of it where that holds no window."""
        web = quantised[:, :, widest_web(masked_cells(tile, self._stride))]
        return learn_reference(
            [web if holds_window(web, self._method) else quantised], self._method
        )

    def _score_by(self, profile: TextureProfile, tile: Tile, features: torch.Tensor) -> ScoreMap:
        quantised = self._method.quantise(features, profile.scale)
        return self._score_map(tile, self._texture(profile, tile, quantised), profile)

    def _texture(self, profile: TextureProfile, tile: Tile, quantised: torch.Tensor) -> ScoreArray:
        """Scores of the whole tile; brightness has no part in them."""
        column = (tile.first_column - tile.halo.left) // self._stride
        scores = profile.score(self._method, quantised, column)
        if self._policy.rolling is not None and self._policy.rolling.own_reference:
            own = self._method.score(quantised, self._own_reference(tile, quantised))
            scores = np.minimum(scores, own)
        return scores

    def _score_map(self, tile: Tile, scores: ScoreArray, profile: TextureProfile) -> ScoreMap:
        calibration = profile.calibration.for_lane(tile.lane)
        scores = add_detectors(tile, scores, profile, self._policy.lesson)
        seen = hide_masked(tile, scores, self._stride)
        core = np.ascontiguousarray(seen[core_cells(tile, self._stride)])
        peak = calibration.normalise(core[np.isfinite(core)]).max(initial=-np.inf)
        web = Interval(tile.first_column, tile.first_column + tile.column_count)
        return ScoreMap(
            roll=tile.roll,
            camera=tile.camera,
            lane=tile.lane,
            sequence=tile.sequence,
            first_line=tile.first_line,
            line_count=tile.line_count,
            first_column=tile.first_column,
            column_count=tile.column_count,
            stride=self._stride,
            scores=core,
            background=calibration.background,
            alarm_level=calibration.alarm_level,
            profile_digest=profile.digest,
            model_digest=self._backbone.spec.digest,
            captured_ns=tile.captured_ns,
            scored_ns=self._now_ns(),
            worker=self._policy.worker,
            masked=intersect_intervals(tile.masked, web),
            evidence=core_pixels(tile) if peak >= self._policy.evidence_level else None,
        )


def open_tile_scorer(
    backbone: Backbone, settings: config.Config, geometry: WebGeometry, worker: str
) -> TileScorer:
    """The scorer of one worker as configured; `geometry` is that of the whole web.

    Raises:
        ValueError: the profile file cannot be read, is none, is damaged, or fits neither backbone
            nor method.
    """
    return TileScorer(backbone, ScoringPolicy.of(settings, geometry, backbone.spec, worker))


def _load(file: Path, lesson: Lesson) -> TextureProfile:
    try:
        saved = TextureProfile.load(file)
    except OSError as error:
        msg = f"profile.file must be a file that can be read, got {file} ({error.strerror})"
        raise ValueError(msg) from None
    require_fit(saved, lesson.method, lesson.spec)
    for name in lesson.detectors:
        if getattr(saved, name) is None:
            msg = (
                f"{file}: profile must know the {name} for scoring.{name}: on, got one without; "
                f"learn it again with `linescan calibrate`, or set scoring.{name}: off"
            )
            raise ValueError(msg)
    if lesson.alarm_level is None:
        return saved
    return replace(saved, calibration=saved.calibration.with_alarm_level(lesson.alarm_level))


def _require_lanes(saved: TextureProfile, columns: int, tile_columns: int) -> None:
    """Levels of narrower lanes would be taken for those of others."""
    known = [own.lane for own in saved.calibration.lane_levels]
    lanes = -(-columns // tile_columns)
    rule = (
        f"profile must have levels of at most {lanes} lanes of {tile_columns} columns "
        "(learn it again with `linescan calibrate`, or set tiles.columns as it was then)"
    )
    require(max(known, default=0) < lanes, rule, f"levels of lanes {known}")
