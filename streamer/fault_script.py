"""What may go wrong between a web and its lines, as a script by web position; injects nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Gain = Annotated[float, Field(gt=0, le=4)]


class _Fault(BaseModel):
    """It begins when line `at_m` metres from the start of the roll is first seen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    at_m: float = Field(default=0.0, ge=0)


class LostLines(_Fault):
    """The camera drops so many lines after the frame that sees `at_m`."""

    kind: Literal["lost_lines"]
    lines: int = Field(default=16, ge=1, le=20_000)


class LostFrames(_Fault):
    """So many frames never arrive."""

    kind: Literal["lost_frames"]
    frames: int = Field(default=1, ge=1, le=20_000)


class PartialFrame(_Fault):
    """Only the first `valid_share` of a frame arrives; its tail is blank or from an old frame."""

    kind: Literal["partial_frame"]
    valid_share: Share = 0.5
    tail: Literal["stale", "blank"] = "stale"


class Duplicate(_Fault):
    """A frame arrives again, so many frames later."""

    kind: Literal["duplicate"]
    frames_later: int = Field(default=0, ge=0, le=100)


class Reorder(_Fault):
    """A frame arrives so many frames late."""

    kind: Literal["reorder"]
    frames_later: int = Field(default=2, ge=1, le=100)


class Reverse(_Fault):
    """The web rolls back and goes on forwards."""

    kind: Literal["reverse"]
    back_m: Positive = 0.1


class Stop(_Fault):
    """Web and encoder stop, and with them a camera that the encoder triggers."""

    kind: Literal["stop"]
    seconds: Positive = 5.0


class EncoderStop(_Fault):
    """The web stands still and the camera goes on: the same line again and again."""

    kind: Literal["encoder_stop"]
    lines: int = Field(default=200, ge=1, le=1_000_000)


class Overspeed(_Fault):
    """The web moves `factor` lines per line of the camera."""

    kind: Literal["overspeed"]
    length_m: Positive = 0.2
    factor: float = Field(default=2.0, gt=1, le=10)


class CameraLoss(_Fault):
    """The camera is gone while the web moves on; after the reboot its counters begin anew."""

    kind: Literal["camera_loss"]
    length_m: Positive = 0.2
    encoder_survives: bool = True


class CounterStart(_Fault):
    """The counters start here, say shortly before they wrap; `at_m` has no meaning."""

    kind: Literal["counter_start"]
    frame_id: int = Field(default=65_530, ge=0)
    line_id: int = Field(default=65_000, ge=0)
    encoder: int = Field(default=(1 << 32) - 4_000, ge=0)


class LampAgeing(_Fault):
    """The light fades by so many percent per metre, to a tenth at last."""

    kind: Literal["lamp_ageing"]
    percent_per_m: Positive = 2.0


class ExposureJump(_Fault):
    """All pixels are brighter or darker for a while."""

    kind: Literal["exposure_jump"]
    length_m: Positive = 0.1
    gain: Gain = 1.3


class Dust(_Fault):
    """A speck on the lens: columns are darker from here on."""

    kind: Literal["dust"]
    column: int = Field(ge=0)
    columns: int = Field(default=3, ge=1)
    gain: Gain = 0.7


class Seam(_Fault):
    """Two webs sewn together: a dark stripe right across."""

    kind: Literal["seam"]
    length_m: Positive = 0.01
    gain: Gain = 0.5


class EdgeWander(_Fault):
    """A white margin left and right whose width wanders: `width` columns, give or take."""

    kind: Literal["edge_wander"]
    length_m: Positive = 1_000.0
    width: int = Field(default=40, ge=1)
    amplitude: int = Field(default=10, ge=0)
    period_m: Positive = 1.0


Fault = Annotated[
    LostLines
    | LostFrames
    | PartialFrame
    | Duplicate
    | Reorder
    | Reverse
    | Stop
    | EncoderStop
    | Overspeed
    | CameraLoss
    | CounterStart
    | LampAgeing
    | ExposureJump
    | Dust
    | Seam
    | EdgeWander,
    Field(discriminator="kind"),
]
MOTION = (Reverse, EncoderStop, Overspeed)  # without an encoder nobody can tell where lines lie
OPTICAL = (LampAgeing, ExposureJump, Dust, Seam, EdgeWander)
