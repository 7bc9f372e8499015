"""Sections of the configuration for cameras on a bus or network; knows no driver and no whole."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from streamer.section import Level, Section

FeatureValue: TypeAlias = StrictBool | StrictInt | float | StrictStr


def _off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


TriggerSource = Annotated[str, BeforeValidator(_off), Field(min_length=1)]


class ChunkNames(Section):
    """Which chunk of a frame holds which counter, and after how many bits it wraps.

    null: the camera sends none; frames are then counted by the transport.
    """

    frame: str | None = None
    line: str | None = None
    encoder_first: str | None = None
    encoder_last: str | None = None
    frame_bits: int = Field(default=64, ge=8, le=64)
    line_bits: int = Field(default=32, ge=8, le=64)
    encoder_bits: int = Field(default=32, ge=8, le=62)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are configured, each once."""
        given = (self.frame, self.line, self.encoder_first, self.encoder_last)
        return tuple(dict.fromkeys(name for name in given if name is not None))


class CameraSettings(Section):
    """What is set in a camera before it streams; null leaves the camera's own value."""

    pixel_format: str | None = None
    columns: int | None = Field(default=None, ge=1, le=1 << 16)
    first_column: int | None = Field(default=None, ge=0, le=1 << 16)
    frame_lines: int | None = Field(default=None, ge=1, le=1 << 16)
    exposure_us: Level | None = None
    gain: float | None = None
    line_rate_hz: Level | None = None
    trigger_selector: str | None = None
    trigger_source: TriggerSource | None = None
    trigger_activation: str | None = None
    encoder_selector: str | None = None
    encoder_source_a: str | None = None
    encoder_source_b: str | None = None
    features: dict[str, FeatureValue] = Field(default_factory=dict)
    tolerance: float = Field(default=0.01, ge=0, le=0.5)
    chunks: ChunkNames = ChunkNames()
    encoder_counts_per_line: float | None = None
    wait_for_camera_s: float = Field(default=0.0, ge=0, le=86400)
    stall_s: float | None = Field(default=None, ge=0.1, le=3600)
    silence: Literal["auto", "loss", "standing"] = "auto"
    reconnect_max_s: float = Field(default=5.0, ge=0.1, le=600)
    buffer_frames: int = Field(default=32, ge=2, le=4096)
    block_lines: int = Field(default=256, ge=1, le=65536)

    @model_validator(mode="after")
    def _encoder_counts(self) -> CameraSettings:
        given = self.encoder_counts_per_line
        if given == 0:
            msg = f"encoder_counts_per_line must not be 0, got {given}; null: no encoder"
            raise ValueError(msg)
        if given is not None and self.chunks.encoder_first is None:
            msg = (
                "encoder_counts_per_line needs chunks.encoder_first, got null; "
                "name the chunk that holds the encoder's count"
            )
            raise ValueError(msg)
        return self

    @property
    def pace(self) -> Literal["fast"]:
        """A camera has the pace of its web."""
        return "fast"

    @property
    def web_may_stand(self) -> bool:
        """Whether a camera that answers but sends no frame is in order."""
        if self.silence == "auto":
            triggered = self.trigger_source not in (None, "off")
            return triggered or self.encoder_source_a is not None
        return self.silence == "standing"


class GenicamSource(CameraSettings):
    """A GigE Vision or USB3 Vision camera."""

    kind: Literal["genicam"] = "genicam"
    camera: str = Field(default="cam0", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    transport: Literal["gige", "usb3"] = "gige"
    address: IPv4Address | None = None
    serial: str | None = Field(default=None, min_length=1)
    interface: str | None = Field(default=None, min_length=1)
    packet_size: Literal["auto", "camera"] | Annotated[int, Field(ge=576, le=65535)] = "auto"
    packet_delay_ns: int | None = Field(default=None, ge=0)
    resend: bool = True

    @model_validator(mode="after")
    def _is_named(self) -> GenicamSource:
        if self.address is None and self.serial is None:
            msg = (
                "address or serial must be set, got neither; "
                "`linescan cameras` lists the cameras that answer"
            )
            raise ValueError(msg)
        if self.transport == "usb3" and self.address is not None:
            msg = f"address must be null for usb3, got {self.address}; name the camera by serial"
            raise ValueError(msg)
        return self


class GentlSource(CameraSettings):
    """A camera behind the GenTL producer (.cti) of its vendor."""

    kind: Literal["gentl"] = "gentl"
    camera: str = Field(default="cam0", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    producer: Path
    serial: str = Field(min_length=1)
