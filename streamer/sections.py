"""The sections of a configuration, each checked by itself; knows no file and no whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, assert_never

from pydantic import BeforeValidator, Field, model_validator

from streamer.section import Level, OnOrOff, Section, switched_off

Method = Literal[
    "fca_fast",
    "fca",
    "quantized_fca",
    "sww",
    "histogram",
    "moments",
    "aota",
    "aota_original",
    "grnr",
]
DEFAULT_BAND = 8  # features: the width that gained most on real webs
LINE_HALO = 11  # features: half a line, or half a surround and what a line leans
MOST_SEGMENTS = 32  # what a lane remembers is sent in one message


class Roll(Section):
    """Where the results of a roll go."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    folder: Path = Path("rolls")
    tiff: OnOrOff = "off"


class Web(Section):
    """Geometry of the web."""

    pixel_mm: Level = 0.5
    line_mm: Level | None = None
    web_speed_m_min: Level = 60.0
    columns: int | None = Field(default=None, ge=1, le=1 << 20)
    seams: tuple[Annotated[int, Field(ge=1)], ...] = ()

    @property
    def down_mm(self) -> float:
        """Millimetres of web per line."""
        return self.line_mm or self.pixel_mm

    @property
    def line_rate_hz(self) -> float:
        """Lines per second at the configured speed."""
        return self.web_speed_m_min * 1000 / 60 / self.down_mm


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
    engine: Literal["onnxruntime", "openvino", "torch"] = "onnxruntime"
    provider: Literal["cpu", "cuda", "tensorrt"] = "cpu"
    allow_fallback: bool = False
    threads: int = Field(default=2, ge=1, le=256)
    cache: Path | None = None
    onnx_file: Path | None = None
    onnx_stride: int | None = Field(default=None, ge=1, le=64)
    onnx_radius: int | None = Field(default=None, ge=0, le=4096)
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    channels: int | None = Field(default=None, ge=1, le=65536)
    int8_file: Path | None = None
    reduce: Literal[1, 2, 4] = 1

    @model_validator(mode="after")
    def _engine_can(self) -> Backbone:
        able: dict[str, tuple[str, ...]] = {
            "onnxruntime": ("fp32", "int8"),
            "openvino": ("fp32", "bf16", "int8"),
            "torch": ("fp32",),
        }
        if self.precision not in able[self.engine]:
            engines = [name for name, precisions in able.items() if self.precision in precisions]
            msg = (
                f"precision must be one of {', '.join(able[self.engine])} with engine: "
                f"{self.engine}, got {self.precision}; set engine: {' or '.join(engines)}"
            )
            raise ValueError(msg)
        if self.provider != "cpu" and (self.engine == "openvino" or self.precision != "fp32"):
            msg = (
                "provider must be cpu with engine: openvino or a precision below fp32, "
                f"got {self.provider}"
            )
            raise ValueError(msg)
        if self.int8_file is not None and self.precision != "int8":
            msg = f"int8_file needs precision: int8, got precision: {self.precision}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _onnx_is_complete(self) -> Backbone:
        given = [self.onnx_file, self.onnx_stride, self.onnx_radius]
        if any(value is not None for value in given) and None in given:
            msg = "onnx_file, onnx_stride and onnx_radius must be given together"
            raise ValueError(msg)
        return self


_WITH_WINDOWS = ("fca", "fca_fast", "quantized_fca", "sww")
_WITH_PROTOTYPES = ("fca", "sww")  # The others would have to choose one per window.


class Scoring(Section):
    """The anomaly score."""

    method: Method = "fca_fast"
    patch_size: int = Field(default=9, ge=3, le=25)
    levels: int = Field(default=12, ge=4, le=32)
    window_stride: int = Field(default=2, ge=1, le=4)
    sigma_p: Level = 3.0
    sigma_s: Level | None = 1.0
    sigma_blur: Level = 0.8
    ties: Literal["first", "mid", "mean"] = "mid"
    precision: Literal["exact", "u8"] = "exact"
    threads: int = Field(default=1, ge=1, le=256)
    reference: Literal["median", "random", "all", "knn", "prototypes"] = "median"
    references: int | None = Field(default=None, ge=1, le=4096)
    reference_seed: int = Field(default=0, ge=0, lt=1 << 63)
    brightness: OnOrOff = "off"
    lines: OnOrOff = "off"

    @property
    def halo_features(self) -> int:
        """Features around a core that its scores, and lines through it, depend on."""
        return max(self._method_reach, LINE_HALO if self.lines == "on" else 0)

    @property
    def _method_reach(self) -> int:
        """What `scoring.method.Method.reach` says, without importing a method.

        Windows on both sides and the blur of FCA, half a window where a position has one window,
        the cut or the neighbours where there are no windows.
        """
        match self.method:
            case "fca_fast" | "fca" | "quantized_fca":
                return self.patch_size - 1 + 2
            case "sww" | "histogram" | "moments" | "aota":
                return self.patch_size // 2
            case "aota_original":
                return 3
            case "grnr":
                return 2
            case _:
                assert_never(self.method)

    @model_validator(mode="after")
    def _patch_is_odd(self) -> Scoring:
        if self.patch_size % 2 == 0:
            msg = f"patch_size must be odd, got {self.patch_size}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _reference_fits_the_method(self) -> Scoring:
        chosen = f"reference: {self.reference} with method: {self.method}"
        if self.reference != "median" and self.method not in _WITH_WINDOWS:
            methods = ", ".join(_WITH_WINDOWS)
            msg = f"reference must be median, or method one of {methods}, got {chosen}"
            raise ValueError(msg)
        if self.reference == "prototypes" and self.method not in _WITH_PROTOTYPES:
            methods = " or ".join(_WITH_PROTOTYPES)
            msg = f"reference: prototypes needs method: {methods}, got {chosen}"
            raise ValueError(msg)
        if self.references is not None and self.reference in ("median", "all"):
            msg = f"references needs reference: random, knn or prototypes, got {chosen}"
            raise ValueError(msg)
        return self


class Profile(Section):
    """What counts as normal texture."""

    mode: Literal["per_tile", "rolling", "fixed"] = "fixed"
    file: Path | None = None
    bootstrap_m: Level = 1.5
    window_m: Level = 10.0
    refresh_m: Level = 1.0
    delay_m: float = Field(default=0.0, ge=0)
    band_features: int | None = Field(default=None, ge=0, le=4096)
    gate: Level = 0.8
    change_share: float = Field(default=0.5, gt=0, lt=1)
    change_m: Level = 1.0
    own_reference: bool = False
    prototypes: int = Field(default=1, ge=1, le=8)
    prototype_share: float = Field(default=0.2, gt=0, le=0.5)

    @property
    def band_width(self) -> int | None:
        """Features of a cross-web band; None: one band for a lane, or for the web."""
        if self.band_features is None:
            return DEFAULT_BAND if self.mode == "rolling" else None
        return self.band_features if self.band_features and self.mode != "per_tile" else None

    @model_validator(mode="after")
    def _file_needs_fixed(self) -> Profile:
        if self.file is not None and self.mode != "fixed":
            msg = f"file needs mode: fixed, got mode: {self.mode}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _prototypes_need_bands(self) -> Profile:
        if self.prototypes > 1 and self.mode != "rolling":
            msg = f"prototypes = {self.prototypes} needs mode: rolling, got mode: {self.mode}"
            raise ValueError(msg)
        if self.prototypes > 1 and self.band_width is None:
            msg = (
                f"prototypes = {self.prototypes} needs band_features > 0, got 0; "
                "4096 is one band for any lane"
            )
            raise ValueError(msg)
        # What a lane remembers travels in one message: K times as much for each segment.
        most = 2 * MOST_SEGMENTS / self.prototypes * self.refresh_m
        if self.prototypes > 1 and self.window_m + self.delay_m > most:
            msg = (
                f"window_m + delay_m must be <= {2 * MOST_SEGMENTS} / prototypes * refresh_m = "
                f"{most:g}, got {self.window_m + self.delay_m:g}"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _window_is_bounded(self) -> Profile:
        most = MOST_SEGMENTS * self.refresh_m
        given = (self.window_m, self.delay_m, self.bootstrap_m, self.change_m)
        if max(given) > most and self.mode == "rolling":
            msg = (
                f"window_m, delay_m, bootstrap_m and change_m must be <= {MOST_SEGMENTS} * "
                f"refresh_m = {most:g}, got {', '.join(f'{one:g}' for one in given)}"
            )
            raise ValueError(msg)
        return self


class Calibration(Section):
    """Where the alarm level comes from."""

    false_alarms_per_100m: Level = 1.0
    alarm_level: Level | None = None
    tail: Literal["exponential", "gpd"] = "exponential"
    lanes: Literal["shared", "pooled"] = "shared"


class Kernels(Section):
    """Which implementation of the scoring may run."""

    require: Literal["any", "native"] = "any"


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
    kind: Literal["sockets", "shared_memory"] = "sockets"

    @property
    def endpoints(self) -> dict[str, str]:
        """The endpoints by name."""
        return self.model_dump(include={"tiles", "results", "ledger", "beats"})

    @model_validator(mode="after")
    def _memory_is_of_one_host(self) -> Transport:
        is_local = self.tiles == "" or self.tiles.startswith("ipc://")
        if self.kind == "shared_memory" and not is_local:
            msg = (
                "kind: shared_memory needs an ipc:// endpoint in tiles, since its pixels never "
                f"leave the memory of this host, got {self.tiles}; use kind: sockets"
            )
            raise ValueError(msg)
        return self


class Alarms(Section):
    """Where alarms are published; subscribers first ask the snapshot socket."""

    publish: str = "tcp://127.0.0.1:5571"
    snapshot: str = "tcp://127.0.0.1:5572"
    max_lag_ms: int = Field(default=900, ge=100)
    actuator_mm: Level | None = None
    store: Path | None = None
    latch: Annotated[Literal["off", "low", "medium", "high"], BeforeValidator(switched_off)] = (
        "high"
    )
    debounce_ms: int = Field(default=0, ge=0, le=60_000)
    flood_per_10min: int | None = Field(default=None, ge=1, le=1000)


class Limits(Section):
    """When a roll that ended counts as failed."""

    not_inspected_percent: float = Field(default=0.0, ge=0, le=100)


class Recorder(Section):
    """The recording that is made beside the inspection."""

    mode: Annotated[Literal["off", "all", "ring", "alarms"], BeforeValidator(switched_off)] = "off"
    folder: Path | None = None
    ring_m: Level = 50.0
    before_m: float = Field(default=1.0, ge=0)
    after_m: float = Field(default=1.0, ge=0)
    max_lag_blocks: int = Field(default=64, ge=1, le=4096)
    endpoint: str = ""

    @model_validator(mode="after")
    def _ring_holds_what_is_kept(self) -> Recorder:
        least = 2 * (self.before_m + self.after_m)
        if self.mode in ("ring", "alarms") and self.ring_m < least:
            msg = (
                f"ring_m must be >= 2 * (before_m + after_m) = {least:g}, got {self.ring_m:g}; "
                "an alarm comes when its lines are past, and they must still be there"
            )
            raise ValueError(msg)
        return self
