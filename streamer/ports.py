"""What the stages expect of the parts around them; names no concrete class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from streamer.message import Alarm, LineBlock, LineLoss, PixelArray, ScoreArray


@dataclass(frozen=True, slots=True)
class WebFormat:
    """What a source delivers: web width in pixels, 1 or 3 channels, 8 or 16 bits."""

    columns: int
    channels: int
    bits: int
    description: str


class LineSource(Protocol):
    """Delivers the lines of one camera, in order.

    The host owns the memory: it hands over a buffer of (lines, *columns_and_channels) and the
    source fills the front of it. It does NOT promise to fill it, nor to return within any time
    when paced; it promises that line numbers never repeat or fall and that every missing line is
    either named by a LineLoss or seen as a jump of `first_line`.
    """

    @property
    def format(self) -> WebFormat:
        """Constant over the life of the source."""
        ...

    @property
    def truth(self) -> bytes:
        """JSON ground truth of what was delivered so far; b"" when there is none."""
        ...

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next lines (pixels are a view of `buffer`), a known loss, or None at the end."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice, and from the end of a failed open."""
        ...


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What the rest must know of a feature extractor.

    `stride` is the total stride in pixels, `radius` the radius of the receptive field in pixels,
    `value_range` the fixed range of the features when the activation bounds them, else None.
    `engine` says what really runs ("onnxruntime:CPUExecutionProvider").
    """

    name: str
    stride: int
    radius: int
    channels: int
    digest: str
    engine: str
    value_range: tuple[float, float] | None


class Backbone(Protocol):
    """Turns pixels into features; holds no state between calls."""

    @property
    def spec(self) -> BackboneSpec:
        """Constant over the life of the backbone."""
        ...

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """(lines, columns[, 3]) uint8 or uint16 -> float32 (channels, lines/s, columns/s).

        Lines and columns must be multiples of the stride. 16-bit pixels use the full 16-bit range.
        """
        ...

    def close(self) -> None:
        """Release the engine; may be called twice."""
        ...


class AlarmOutput(Protocol):
    """Publishes alarms; never blocks the sink, and says nothing about who listens."""

    def publish(self, alarm: Alarm) -> None:
        """Hand over one alarm."""
        ...

    def poll(self) -> None:
        """Answer peers that wait (snapshot requests); returns at once."""
        ...

    def close(self) -> None:
        """Flush within a bounded time and release; may be called twice."""
        ...


class MapOutput(Protocol):
    """Takes the stitched map strip by strip, down-web, each row once."""

    def append(self, scores: ScoreArray) -> None:
        """Append (rows, columns) float32; NaN where not inspected or masked."""
        ...

    def close(self) -> None:
        """Write what is buffered and release; may be called twice."""
        ...


class Inlet(Protocol):
    """Receives messages; the mirror image of Outlet."""

    def receive(self, timeout_ms: int) -> object | None:
        """Next message, or None after the timeout; malformed ones are counted and dropped."""
        ...

    def close(self) -> None:
        """Release; may be called twice."""
        ...


class Outlet(Protocol):
    """Sends messages; does NOT promise that they arrive, nor that anybody listens."""

    def send(self, message: object) -> bool:
        """Queue a message; False when the peer's queue is full or nobody is connected."""
        ...

    def close(self) -> None:
        """Flush within a bounded time and release; may be called twice."""
        ...


class Exchange(Inlet, Outlet, Protocol):
    """Both directions over one connection."""


class TileServer(Protocol):
    """Capture's side of the tile connection: many workers, addressed by name."""

    def receive(self, timeout_ms: int) -> tuple[str, object] | None:
        """Next (worker, message), or None after the timeout."""
        ...

    def send(self, worker: str, message: object) -> bool:
        """False when the worker is gone or its queue is full."""
        ...

    def close(self) -> None:
        """Release; may be called twice."""
        ...


class Clock(Protocol):
    """Time as the stages see it; tests bring their own."""

    def now_ns(self) -> int:
        """UTC nanoseconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class TileScorer(Protocol):
    """Backbone, profile and scoring method of one worker, as the score stage sees them."""

    @property
    def description(self) -> str:
        """What runs where, for heartbeat and manifest."""
        ...

    def score(self, tiles: Sequence[object]) -> Sequence[object]:
        """Tiles in, ScoreMaps (and ProfileStates) out, in order."""
        ...
