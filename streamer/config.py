"""The configuration: frozen sections, loaded and checked once; knows no part that it configures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Pace = Literal["fast", "line_rate"]
Bits = Literal[8, 16]
Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ConfigError(ValueError):
    """The configuration cannot be used; the text has one line per fault."""


class Section(BaseModel):
    """Base of all sections: immutable, and every unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Roll(Section):
    """Where the results of a roll go."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    folder: Path = Path("rolls")


class Web(Section):
    """Geometry of the web."""

    pixel_mm: Level = 0.5
    line_mm: Level | None = None
    web_speed_m_min: Level = 60.0
    columns: int | None = Field(default=None, ge=1, le=1 << 20)

    @property
    def down_mm(self) -> float:
        """Millimetres of web per line."""
        return self.line_mm or self.pixel_mm

    @property
    def line_rate_hz(self) -> float:
        """Lines per second at the configured speed."""
        return self.web_speed_m_min * 1000 / 60 / self.down_mm


class SimulatorSource(Section):
    """An endless procedural web with known defects."""

    kind: Literal["simulator"] = "simulator"
    camera: str = Field(default="cam0", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    surface: Literal["fabric", "rail"] = "fabric"
    columns: int = Field(default=1024, ge=72, le=65536)
    channels: Literal[1, 3] = 1
    bits: Bits = 8
    seed: int = Field(default=1, ge=0)
    length_m: Level = 10.0
    clean_m: float = Field(default=2.0, ge=0)
    defects_per_m: float = Field(default=0.5, ge=0, le=20)
    noise: float = Field(default=1.0, ge=0, le=20)
    rolloff: float = Field(default=0.15, ge=0, le=0.9)
    pace: Pace = "fast"
    block_lines: int = Field(default=256, ge=1, le=65536)


class ReplaySource(Section):
    """Images, a video, raw arrays or a recording."""

    kind: Literal["replay"] = "replay"
    camera: str = Field(default="cam0", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    path: Path
    glob: str = "*"
    transpose: bool = False
    seams: bool = False
    width: Literal["error", "pad"] = "error"
    bits: Bits | None = None
    allow_lossy: bool = False
    pace: Pace = "fast"
    block_lines: int = Field(default=256, ge=1, le=65536)


Source = Annotated[SimulatorSource | ReplaySource, Field(discriminator="kind")]


class Tiles(Section):
    """How capture cuts, keeps and drops tiles."""

    lines: int = Field(default=512, ge=8, le=65536)
    columns: int = Field(default=1024, ge=8, le=65536)
    overload: Literal["block", "drop_oldest", "skip_lanes"] = "block"
    capacity: int = Field(default=8, ge=2, le=4096)
    max_attempts: int = Field(default=2, ge=1, le=10)
    worker_timeout_ms: int = Field(default=3000, ge=100)
    verdict_timeout_ms: int = Field(default=60000, ge=500)
    drain_timeout_ms: int = Field(default=30000, ge=100)


class Backbone(Section):
    """The feature extractor and what it runs on."""

    name: str = "efficientnet_lite0"
    engine: Literal["onnxruntime", "torch"] = "onnxruntime"
    provider: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    allow_fallback: bool = False
    threads: int = Field(default=2, ge=1, le=256)
    cache: Path | None = None
    onnx_file: Path | None = None
    onnx_stride: int | None = Field(default=None, ge=1, le=64)
    onnx_radius: int | None = Field(default=None, ge=0, le=4096)

    @model_validator(mode="after")
    def _onnx_is_complete(self) -> Backbone:
        given = [self.onnx_file, self.onnx_stride, self.onnx_radius]
        if any(value is not None for value in given) and None in given:
            msg = "onnx_file, onnx_stride and onnx_radius must be given together"
            raise ValueError(msg)
        return self


class Scoring(Section):
    """The anomaly score."""

    method: Literal["fca_fast", "fca"] = "fca_fast"
    patch_size: int = Field(default=9, ge=3, le=25)
    levels: int = Field(default=16, ge=4, le=32)
    window_stride: int = Field(default=2, ge=1, le=4)
    sigma_p: Level = 3.0
    sigma_s: Level | None = 1.0
    sigma_blur: Level = 1.0
    ties: Literal["first", "mid", "mean"] = "mid"
    threads: int = Field(default=1, ge=1, le=256)

    @property
    def halo_features(self) -> int:
        """Features around a core that its scores depend on: the windows, and the map's blur."""
        return self.patch_size - 1 + 2

    @model_validator(mode="after")
    def _patch_is_odd(self) -> Scoring:
        if self.patch_size % 2 == 0:
            msg = f"patch_size must be odd, got {self.patch_size}"
            raise ValueError(msg)
        return self


class Profile(Section):
    """What counts as normal texture."""

    mode: Literal["per_tile", "fixed"] = "fixed"
    file: Path | None = None
    bootstrap_m: Level = 1.5

    @model_validator(mode="after")
    def _file_needs_fixed(self) -> Profile:
        if self.file is not None and self.mode != "fixed":
            msg = f"file needs mode: fixed, got mode: {self.mode}"
            raise ValueError(msg)
        return self


class Calibration(Section):
    """Where the alarm level comes from."""

    false_alarms_per_100m: Level = 1.0
    alarm_level: Level | None = None


class Decision(Section):
    """From the map to defects; levels are in units of the alarm level."""

    grow_ratio: float = Field(default=0.6, gt=0, le=1)
    min_area_mm2: float = Field(default=0.0, ge=0)
    reannounce_m: Level = 1.0
    evidence_level: Level = 1.0
    max_open_regions: int = Field(default=10000, ge=1)


class Score(Section):
    """The score stage."""

    workers: int = Field(default=1, ge=1, le=64)
    tile_timeout_ms: int = Field(default=30000, ge=100)


class Supervisor(Section):
    """Starting, watching and stopping the stages."""

    beat_ms: int = Field(default=200, ge=20, le=5000)
    stall_ms: int = Field(default=3000, ge=200)
    start_timeout_ms: int = Field(default=120000, ge=1000)
    restarts: int = Field(default=5, ge=0, le=1000)
    restart_window_s: Level = 300.0
    stop_timeout_ms: int = Field(default=40000, ge=100)


class Transport(Section):
    """Between the stages; an empty endpoint is made by the parent."""

    tiles: str = ""
    results: str = ""
    ledger: str = ""
    beats: str = ""


class Alarms(Section):
    """Where alarms are published; subscribers first ask the snapshot socket."""

    publish: str = "tcp://127.0.0.1:5571"
    snapshot: str = "tcp://127.0.0.1:5572"


class Limits(Section):
    """When a roll that ended counts as failed."""

    not_inspected_percent: float = Field(default=0.0, ge=0, le=100)


class Config(Section):
    """Everything; `config.yaml` documents each key."""

    roll: Roll = Roll()
    web: Web = Web()
    source: Source = SimulatorSource()
    tiles: Tiles = Tiles()
    backbone: Backbone = Backbone()
    scoring: Scoring = Scoring()
    profile: Profile = Profile()
    calibration: Calibration = Calibration()
    decision: Decision = Decision()
    score: Score = Score()
    supervisor: Supervisor = Supervisor()
    transport: Transport = Transport()
    alarms: Alarms = Alarms()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if self.supervisor.stall_ms < 3 * self.supervisor.beat_ms:
            msg = (
                f"supervisor.stall_ms must be >= 3 * supervisor.beat_ms, got "
                f"{self.supervisor.stall_ms} and {self.supervisor.beat_ms}"
            )
            raise ValueError(msg)
        # An idle worker shows itself once per beat.
        if self.tiles.worker_timeout_ms < 2 * self.supervisor.beat_ms:
            msg = (
                f"tiles.worker_timeout_ms must be >= 2 * supervisor.beat_ms, got "
                f"{self.tiles.worker_timeout_ms} and {self.supervisor.beat_ms}"
            )
            raise ValueError(msg)
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over the sections that decide verdicts, as 64 hexadecimal digits."""
        sections = {
            "web",
            "source",
            "tiles",
            "backbone",
            "scoring",
            "profile",
            "calibration",
            "decision",
        }
        content = self.model_dump(mode="json", include=sections)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """The effective configuration as YAML that `load_config` accepts."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


FROM_COMMAND_LINE = 0


@dataclass(frozen=True, slots=True)
class _Document:
    """A parsed YAML file and where each key stands in it: its line, or FROM_COMMAND_LINE."""

    name: str
    content: dict[str, Any]
    lines: dict[tuple[str, ...], int]


def load_config(path: Path | None, settings: tuple[str, ...] = ()) -> Config:
    """Read `path` (None: all defaults) and apply `settings` of the form "section.key=value".

    Raises:
        ConfigError: one line per fault, "<file>:<line>: <key path>: <rule>, got <value>".
    """
    document = _Document("defaults", {}, {}) if path is None else _read_document(path)
    for setting in settings:
        _apply_setting(document, setting)
    _choose_source(document, settings)
    try:
        return Config.model_validate(document.content)
    except ValidationError as error:
        raise ConfigError(_fault_lines(document, error)) from None


def _read_document(path: Path) -> _Document:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        msg = f"{path}: config file must be readable, got {error.strerror}"
        raise ConfigError(msg) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or an impossible date
        msg = f"{_place_in(path, error)}: config file must be YAML in UTF-8, got: {_reason(error)}"
        raise ConfigError(msg) from None
    if not isinstance(content, dict | None):
        msg = f"{path}:1: config file must be a mapping of sections, got {type(content).__name__}"
        raise ConfigError(msg)
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(path, node, (), lines)
    # A section whose keys are all commented out reads as null.
    sections = {key: section for key, section in (content or {}).items() if section is not None}
    return _Document(str(path), sections, lines)


def _place_in(path: Path, error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return str(path) if mark is None else f"{path}:{mark.line + 1}"


def _reason(error: Exception) -> str:
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
    return problem or " ".join(str(error).split())


def _collect_lines(
    path: Path, node: yaml.Node | None, prefix: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key_node, value_node in node.value:
        key = (*prefix, str(key_node.value))
        line = key_node.start_mark.line + 1
        if key in lines:
            name = ".".join(key)
            msg = f"{path}:{line}: {name}: key must appear once, first seen in line {lines[key]}"
            raise ConfigError(msg)
        lines[key] = line
        _collect_lines(path, value_node, key, lines)


def _apply_setting(document: _Document, setting: str) -> None:
    keys, separator, value = setting.partition("=")
    path = tuple(keys.strip().split("."))
    if not separator or not all(path):
        msg = f"--set: setting must be section.key=value, got {setting!r}"
        raise ConfigError(msg)
    section: Any = document.content
    for key in path[:-1]:
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            msg = f"--set: {keys} must name a key of a section, got {setting!r}"
            raise ConfigError(msg)
    try:
        section[path[-1]] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        msg = f"--set: {keys}: value must be YAML, got {value!r}; quote text like '*' inside it"
        raise ConfigError(msg) from None
    for replaced in [key for key in document.lines if key[: len(path)] == path]:
        del document.lines[replaced]
    document.lines[path] = FROM_COMMAND_LINE


def _choose_source(document: _Document, settings: tuple[str, ...]) -> None:
    """A source is simulated unless it says otherwise; one of another kind starts from defaults.

    `--set source.kind=replay` over a file that configures the simulator would otherwise fail at
    every key of the file that a replay does not have.
    """
    source = document.content.get("source")
    if not isinstance(source, dict):
        return
    source.setdefault("kind", "simulator")
    kinds: dict[str, type[Section]] = {"simulator": SimulatorSource, "replay": ReplaySource}
    kind = kinds.get(str(source["kind"]))
    named = {setting.partition("=")[0].strip() for setting in settings}
    if kind is None or "source.kind" not in named:
        return
    for key in set(source) - set(kind.model_fields):
        if f"source.{key}" not in named:
            del source[key]


def _fault_lines(document: _Document, error: ValidationError) -> str:
    return "\n".join(_fault_line(document, dict(fault)) for fault in error.errors())


def _fault_line(document: _Document, fault: dict[str, Any]) -> str:
    keys = tuple(str(part) for part in fault["loc"] if str(part) not in ("simulator", "replay"))
    line = next(
        (document.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in document.lines),
        None,
    )
    place = f"{document.name}:{line}" if line else document.name
    if line == FROM_COMMAND_LINE:
        place = "--set"
    rule = "unknown key; `linescan schema` lists the known ones"
    if fault["type"] != "extra_forbidden":
        rule = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = "" if isinstance(given, Section | dict) else f", got {given!r}"
    return f"{place}: {'.'.join(keys) or 'config'}: {rule}{shown}"
