"""The sections about where lines come from; knows no file, no web and no whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from streamer.camera_sections import GenicamSource, GentlSource
from streamer.correction_sections import WIDEST_MM, Light
from streamer.fault_script import MOTION, Fault
from streamer.line_camera import SimulatedLineCamera
from streamer.section import Level, Section

Pace = Literal["fast", "line_rate"]
Bits = Literal[8, 16]


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
    line_camera: SimulatedLineCamera | None = None
    faults: tuple[Fault, ...] = ()
    view: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None

    @property
    def shown_columns(self) -> int:
        """Columns of the web that the camera sees."""
        return self.columns if self.view is None else self.view[1] - self.view[0]

    @model_validator(mode="after")
    def _view_is_of_the_web(self) -> SimulatorSource:
        if self.view is not None and not self.view[0] < self.view[1] <= self.columns:
            msg = (
                f"view must be [first, end] within the {self.columns} columns of the web, got "
                f"{list(self.view)}"
            )
            raise ValueError(msg)
        return self

    @property
    def camera_between(self) -> SimulatedLineCamera | None:
        """The camera that the web is seen through; None: its lines come as they are."""
        return self.line_camera or (SimulatedLineCamera() if self.faults else None)

    @model_validator(mode="after")
    def _motion_needs_an_encoder(self) -> SimulatorSource:
        camera = self.camera_between
        if camera is None or camera.counts_per_line is not None:
            return self
        for fault in self.faults:
            if isinstance(fault, MOTION):
                msg = (
                    f"faults of kind {fault.kind} need line_camera.counts_per_line, got null; "
                    "without an encoder nobody can tell where the lines lie"
                )
                raise ValueError(msg)
        return self


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


class StreamSource(Section):
    """Pictures of a network camera (RTSP, HTTP) or a desk camera (V4L2) over a moving web."""

    kind: Literal["stream"] = "stream"
    camera: str = Field(default="cam0", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    address: str = Field(pattern=r"^(rtsp|rtsps|http|https)://\S+$|^/dev/video\d+$")
    credentials_variable: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    allow_lossy: bool = False
    channels: Literal[1, 3] = 1
    motion: Literal["up", "down", "left", "right"] = "up"
    tolerance: float = Field(default=0.3, ge=0, le=1)
    least_confidence: float = Field(default=0.25, ge=0, le=1)
    open_timeout_s: Level = 10.0
    read_timeout_s: Level = 2.0
    reconnect_s: Level = 0.5
    block_lines: int = Field(default=256, ge=1, le=65536)

    @model_validator(mode="after")
    def _loss_is_known(self) -> StreamSource:
        if "://" in self.address and not self.allow_lossy:
            msg = (
                "allow_lossy must be true for a network stream, got false: its compression changes "
                "the texture, and fine defects with it"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _password_is_not_kept(self) -> StreamSource:
        if "@" in self.address.partition("://")[2].partition("/")[0]:
            msg = (
                "address must hold no user and password, for it is kept with every roll; put "
                "user:password into an environment variable and name it in credentials_variable"
            )
            raise ValueError(msg)
        return self


Source = Annotated[
    SimulatorSource | ReplaySource | StreamSource | GenicamSource | GentlSource,
    Field(discriminator="kind"),
]


class SideCamera(Section):
    """A further camera, to the right of the one before it."""

    source: Source
    first_mm: float = Field(gt=0, le=WIDEST_MM)
    later_mm: float = Field(default=0.0, ge=0, le=WIDEST_MM)
    light: Light | None = None
