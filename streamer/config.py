"""The whole configuration, its sections and how they fit; knows no file and no configured part."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml
from pydantic import model_validator

from streamer.camera_sections import GenicamSource, GentlSource
from streamer.correction_sections import Correction, Edges, IgnoreZone, Light
from streamer.decision_section import Decision
from streamer.gateway_sections import Gateways
from streamer.grading_section import Grading, PieceRange
from streamer.presets import PresetName, overridden, with_preset
from streamer.section import Section
from streamer.sections import (
    Alarms,
    Backbone,
    Calibration,
    Kernels,
    Limits,
    Method,
    Profile,
    Recorder,
    Roll,
    Score,
    Scoring,
    Supervisor,
    Tiles,
    Transport,
    Web,
)
from streamer.source_sections import ReplaySource, SideCamera, SimulatorSource, Source, StreamSource

__all__ = [
    "Alarms",
    "Backbone",
    "Calibration",
    "Config",
    "ConfigError",
    "Correction",
    "Decision",
    "Edges",
    "Gateways",
    "GenicamSource",
    "GentlSource",
    "Grading",
    "IgnoreZone",
    "Kernels",
    "Light",
    "Limits",
    "Method",
    "PieceRange",
    "Profile",
    "Recorder",
    "ReplaySource",
    "Roll",
    "Score",
    "Scoring",
    "Section",
    "SideCamera",
    "SimulatorSource",
    "Source",
    "StreamSource",
    "Supervisor",
    "Tiles",
    "Transport",
    "Web",
]


class ConfigError(ValueError):
    """The configuration cannot be used; the text has one line per fault."""


class Config(Section):
    """Everything; `config.yaml` documents each key."""

    roll: Roll = Roll()
    web: Web = Web()
    source: Source = SimulatorSource()
    cameras: tuple[SideCamera, ...] = ()
    tiles: Tiles = Tiles()
    backbone: Backbone = Backbone()
    scoring: Scoring = Scoring()
    profile: Profile = Profile()
    calibration: Calibration = Calibration()
    decision: Decision = Decision()
    kernels: Kernels = Kernels()
    score: Score = Score()
    supervisor: Supervisor = Supervisor()
    transport: Transport = Transport()
    alarms: Alarms = Alarms()
    limits: Limits = Limits()
    edges: Edges = Edges()
    correction: Correction = Correction()
    light: Light = Light()
    recorder: Recorder = Recorder()
    gateways: Gateways = Gateways()
    grading: Grading = Grading()
    preset: PresetName | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, content: Any) -> Any:
        return with_preset(content) if isinstance(content, dict) else content

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        supervisor, tiles = self.supervisor, self.tiles
        beat_ms, drain_ms = supervisor.beat_ms, tiles.drain_timeout_ms
        # An idle worker shows itself once per beat; a drain must not be cut short by a kill.
        for name, given, least, what in (
            ("supervisor.stall_ms", supervisor.stall_ms, 3 * beat_ms, "3 * supervisor.beat_ms"),
            (
                "tiles.worker_timeout_ms",
                tiles.worker_timeout_ms,
                2 * beat_ms,
                "2 * supervisor.beat_ms",
            ),
            (
                "tiles.verdict_timeout_ms",
                tiles.verdict_timeout_ms,
                self.score.tile_timeout_ms,
                "score.tile_timeout_ms",
            ),
            (
                "supervisor.stop_timeout_ms",
                supervisor.stop_timeout_ms,
                drain_ms,
                "tiles.drain_timeout_ms",
            ),
        ):
            if given < least:
                msg = f"{name} must be >= {what} = {least}, got {given}"
                raise ValueError(msg)
        self._require_bands()
        self._require_known_detectors()
        self._require_places()
        simulated = self.source.shown_columns if isinstance(self.source, SimulatorSource) else None
        columns = None if self.cameras else self.web.columns
        if columns is not None and simulated not in (None, columns):
            what = "source.view's" if getattr(self.source, "view", None) else "source.columns ="
            msg = f"web.columns must be {what} {simulated}, got {columns}"
            raise ValueError(msg)
        return self

    def _require_places(self) -> None:
        """Cameras stand left to right, and what a saved profile knows by place is of one camera."""
        names = [self.source.camera, *(camera.source.camera for camera in self.cameras)]
        if len(set(names)) < len(names):
            msg = f"source.camera must differ between cameras, got {', '.join(names)}"
            raise ValueError(msg)
        firsts = [0.0, *(camera.first_mm for camera in self.cameras)]
        if firsts != sorted(set(firsts)):
            given = ", ".join(f"{first:g}" for first in firsts[1:])
            msg = f"cameras must come left to right, by first_mm, got {given}"
            raise ValueError(msg)
        if self.cameras and self.edges.selvedge_mm:
            msg = (
                "edges.selvedge_mm must be 0 with several cameras, got "
                f"{self.edges.selvedge_mm:g}; an inner camera shows no selvedge. Use edges.stream: "
                "fixed and margins"
            )
            raise ValueError(msg)
        blind = [side.source.camera for side in self.cameras if side.light is None]
        if self.light.file is not None and blind:
            msg = (
                f"light.file is of {self.source.camera} alone; cameras.light must be set for "
                f"{', '.join(blind)}, got null; calibrate each with `linescan calibrate-light`"
            )
            raise ValueError(msg)
        by_place = self.profile.band_width is not None or self.calibration.lanes == "pooled"
        if self.cameras and self.profile.file is not None and by_place:
            msg = (
                "profile.file with several cameras needs profile.band_features: null or 0 and "
                f"calibration.lanes: shared, got {self.profile.band_features} and "
                f"{self.calibration.lanes}; what it knows of columns and lanes is of one camera"
            )
            raise ValueError(msg)

    def _require_bands(self) -> None:
        """Only the median of the fast form can be learnt band by band, and go on learning."""
        is_rolling, scoring = self.profile.mode == "rolling", self.scoring
        if not is_rolling and self.profile.band_width is None:
            return
        key = "profile.mode: rolling" if is_rolling else "profile.band_features"
        advice = "; use profile.mode: fixed or per_tile" if is_rolling else ""
        if scoring.method != "fca_fast":
            msg = f"{key} needs scoring.method: fca_fast, got {scoring.method}{advice}"
            raise ValueError(msg)
        if scoring.reference != "median":
            msg = f"{key} needs scoring.reference: median, got {scoring.reference}{advice}"
            raise ValueError(msg)

    def _require_known_detectors(self) -> None:
        """A tile that is judged against itself has no columns of its own past; lines learn once."""
        profile, scoring = self.profile, self.scoring
        if scoring.brightness == "on" and profile.mode == "per_tile":
            msg = (
                "scoring.brightness: on needs profile.mode: fixed or rolling, got per_tile; "
                "use one of them or scoring.brightness: off"
            )
            raise ValueError(msg)
        if scoring.lines == "on" and profile.mode != "fixed":
            msg = (
                f"scoring.lines: on needs profile.mode: fixed, got {profile.mode}; "
                "use profile.mode: fixed or scoring.lines: off"
            )
            raise ValueError(msg)
        if scoring.lines == "on" and profile.band_width is not None and profile.file is None:
            msg = (
                "scoring.lines: on with profile.band_features needs profile.file, got null; "
                "name a file there and learn it with `linescan calibrate --out`"
            )
            raise ValueError(msg)

    @property
    def beyond_preset(self) -> list[str]:
        """The keys that the preset sets and that have another value here."""
        return overridden(self.preset, self.model_dump(include={"backbone", "scoring", "profile"}))

    @property
    def digest(self) -> str:
        """SHA-256 over the sections that decide verdicts, as 64 hexadecimal digits."""
        sections = {
            "web",
            "source",
            "cameras",
            "tiles",
            "backbone",
            "scoring",
            "profile",
            "calibration",
            "decision",
            "edges",
            "correction",
            "light",
        }
        content = self.model_dump(mode="json", include=sections)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The effective configuration as YAML that `load_config` accepts."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
