"""What the stages expect of the parts around them; names no concrete class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from streamer.message import (
        Alarm,
        Defect,
        LineBlock,
        LineLoss,
        PixelArray,
        ProfileState,
        ScoreArray,
        ScoreMap,
        Tile,
    )
    from streamer.repeats import Repeat
    from streamer.web import Coverage, Strip


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
    source fills the front of it; or, if it is a camera, returns a view of a frame's own memory,
    which nobody writes to again. It does NOT promise to fill the buffer, nor that a block is no
    longer than it, nor to return within any time when paced; it promises that line numbers never
    repeat or fall and that every missing line is either named by a LineLoss or seen as a jump of
    `first_line`. A live source returns at least once a second: a block of no lines says that
    nothing has come yet.
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
        """Next lines (a view of `buffer` or of its own memory), a loss, None at the end."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice, and from the end of a failed open."""
        ...


@runtime_checkable
class ReportsHealth(Protocol):
    """A source, or a wrapper around one, that says how camera and link are."""

    @property
    def health(self) -> Mapping[str, float]:
        """Figures by name; `connected` is 0 while the camera is away. Any thread may ask."""
        ...


def health_of(source: LineSource) -> Mapping[str, float]:
    """What a source says of its camera; empty when it has none."""
    return source.health if isinstance(source, ReportsHealth) else {}


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


class MapOutput(Protocol):
    """Takes the stitched map strip by strip, down-web, each row once."""

    def append(self, scores: ScoreArray) -> None:
        """Append (rows, columns) float32; NaN where not inspected or masked."""
        ...

    def close(self) -> None:
        """Write what is buffered and release; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class RollSummary:
    """What is known at the end of a roll, for the manifest.

    `self_judged_px` is the inspected area that was judged by its tiles' own profiles,
    `capture_starts` how many captures have announced themselves.
    Lines and areas in pixels, latencies in seconds from the capture of a tile's last line to its
    verdict in the sink. `profile_digests` are the last ones used, by lane. `outcome` is "complete"
    or what ended the roll early. `truth` is the JSON ground truth of a simulated web, or b"".
    `profile_drift` is how far each lane's profile moved within its article, as share of the feature
    range; `new_articles` are the first lines of articles that came after the first, by lane.
    `camera_health` are the last figures of camera and link, counted since capture last started.
    """

    roll: str
    camera: str
    source: str
    last_line: int
    columns: int
    coverage: Coverage
    started_ns: int
    ended_ns: int
    latency_p50_s: float
    latency_p99_s: float
    defects: int
    engine: str
    workers: tuple[str, ...]
    capture_starts: int
    self_judged_px: int
    model_digests: tuple[str, ...]
    profile_digests: dict[str, str]
    outcome: str
    truth: bytes
    profile_drift: dict[str, float] = field(default_factory=dict)
    new_articles: dict[str, list[int]] = field(default_factory=dict)
    camera_health: dict[str, float] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether every pixel up to the last line was captured and is accounted for."""
        return self.coverage.is_exact and self.coverage.captured == self.last_line * self.columns


class RollRecord(Protocol):
    """Everything about a roll that is kept in its folder; raises OSError when it cannot be."""

    @property
    def backlog(self) -> int:
        """How much of what was added is not written yet."""
        ...

    def add_strip(self, strip: Strip) -> None:
        """Next strip of the stitched map with its coverage, in down-web order."""
        ...

    def add_evidence(self, score_map: ScoreMap) -> None:
        """A score map that carries evidence pixels."""
        ...

    def add_defect(self, defect: Defect) -> None:
        """A defect is new, has grown or has ended."""
        ...

    def add_repeat(self, repeat: Repeat) -> None:
        """Defects turned out to be marks that come again at a constant pitch."""
        ...

    def add_alarm(self, alarm: Alarm) -> None:
        """An alarm was published."""
        ...

    def finish(self, summary: RollSummary, on_step: Callable[[], object]) -> None:
        """Write what is buffered, the manifest and the report.

        May last as long as the roll did; calls `on_step` at least every few seconds once the
        report is there.
        """
        ...

    def close(self) -> None:
        """Release without finishing; may be called twice."""
        ...


class WebRecord(Protocol):
    """Keeps lines of one camera on disk; raises OSError when it cannot, and is then of no use.

    What was appended survives the death of this process. It does NOT promise to keep everything: a
    ring forgets.
    """

    @property
    def end_line(self) -> int:
        """First line after what was appended, in this process or one before; 0: nothing was."""
        ...

    def append(self, form: WebFormat, item: LineBlock | LineLoss) -> None:
        """Next block, all of it valid, or loss; not before `end_line`, and of the same form."""
        ...

    def keep(self, alarm: Alarm) -> None:
        """Keep for good what surrounds an alarm that is new, has grown or has ended."""
        ...

    def close(self, truth: bytes) -> None:
        """Finish, with the ground truth if there is one, and force everything to the disk."""
        ...


class Inlet(Protocol):
    """Receives messages; the mirror image of Outlet."""

    def receive(self) -> object | None:
        """Next message, or None when none waits; malformed ones are counted and dropped."""
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


class Link(Inlet, Outlet, Protocol):
    """Both directions over one connection."""


class Switchboard(Protocol):
    """The bound end of many links; peers are addressed by name."""

    def receive(self) -> tuple[str, object] | None:
        """Next (peer, message), or None when none waits."""
        ...

    def send(self, peer: str, message: object) -> bool:
        """False when the peer is gone or its queue is full."""
        ...

    def close(self) -> None:
        """Flush within a bounded time and release; may be called twice."""
        ...


class Clock(Protocol):
    """Time as a parent sees it; tests bring their own."""

    def now_ns(self) -> int:
        """UTC nanoseconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Waiting(Protocol):
    """Sleeps until something can be received."""

    def __call__(self, timeout_ms: int) -> None:
        """Return as soon as a message waits on any inlet of the stage, or after the timeout."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What scoring one tile gave: the map, and the lane's profile when it was just made.

    `figures` are about the lane's profile, by name, for the display.
    """

    score_map: ScoreMap
    profile: ProfileState | None
    figures: Mapping[str, float] = field(default_factory=dict)


class TileScorer(Protocol):
    """Backbone, profile and scoring method of one worker; keeps the profile of each lane."""

    @property
    def description(self) -> str:
        """What runs where, for heartbeat and manifest."""
        ...

    def score(self, tile: Tile) -> Verdict:
        """Score one tile; tiles of a lane come in order."""
        ...

    def adopt(self, state: ProfileState) -> None:
        """Take over the profile of a lane from another worker."""
        ...
