"""Frames as a camera sends them, with its counters as they are; knows no web coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamer.message import GapReason, PixelArray, require, require_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from streamer.ports import WebFormat


@dataclass(frozen=True, slots=True)
class Frame:
    """A block of lines (line scan) or a picture (area scan) with what the camera says of it.

    `pixels` is (lines, columns[, 3]) uint8 or uint16 and nobody writes to it any more; only the
    first `valid_lines` were exposed, the rest is filler (blank, or left from an older frame).
    `captured_ns` is UTC, of the last valid line. Counters are raw, as the camera counts: they wrap
    (`CounterBits`) and start anew after a reboot; None where the camera has no such counter.
    `frame_id` counts frames, `line_id` is the count of the first line, `encoder_first` and
    `encoder_last` are the encoder's counts at the first and the last valid line; `encoder_lines`,
    (valid_lines,) integers, is its count at every valid line, from cameras that stamp each line
    (SFNC: a chunk of the encoder value with ChunkScanLineSelector).
    """

    camera: str
    pixels: PixelArray
    valid_lines: int
    captured_ns: int
    frame_id: int | None = None
    line_id: int | None = None
    encoder_first: int | None = None
    encoder_last: int | None = None
    encoder_lines: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        require_pixels("Frame.pixels", self.pixels)
        inside = 0 <= self.valid_lines <= self.pixels.shape[0]
        require(inside, "Frame.valid_lines must be within the pixels", self.valid_lines)
        if self.encoder_lines is not None:
            shape = self.encoder_lines.shape
            rule = f"Frame.encoder_lines must be ({self.valid_lines},)"
            require(shape == (self.valid_lines,), rule, shape)


@dataclass(frozen=True, slots=True)
class FrameBreak:
    """Frames that never come, how many unknown; after it the counters may start anew.

    The stream stood still from `since_ns` (UTC, the last good frame) to `captured_ns`. While
    `is_ongoing` the camera is still away: what has passed by now is lost, and more will be.
    """

    camera: str
    since_ns: int
    captured_ns: int
    reason: GapReason = GapReason.CAMERA_LOSS
    detail: str = ""
    is_ongoing: bool = False

    def __post_init__(self) -> None:
        rule = "FrameBreak must have since_ns <= captured_ns"
        require(self.since_ns <= self.captured_ns, rule, (self.since_ns, self.captured_ns))


@dataclass(frozen=True, slots=True)
class CounterBits:
    """Width of a camera's counters in bits, after which they wrap."""

    frame: int = 16
    line: int = 16
    encoder: int = 32


class FrameSource(Protocol):
    """Delivers the frames of one camera as they arrive, each once.

    It does NOT promise that counters are consecutive, nor that frames arrive in order: what they
    mean for the web is decided by the one who turns frames into lines.
    """

    @property
    def format(self) -> WebFormat:
        """Width, channels and bits of the frames; constant over the life of the source."""
        ...

    @property
    def truth(self) -> bytes:
        """JSON ground truth of what was delivered so far; b"" when there is none."""
        ...

    @property
    def health(self) -> Mapping[str, float]:
        """What the camera and its link say of themselves, by name (counters, temperature)."""
        ...

    def read_frame(self, timeout_s: float) -> Frame | FrameBreak | None:
        """Next frame; a break when the camera was lost; None when nothing came within the time.

        Raises:
            EOFError: the stream has ended and nothing more will come.
        """
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...
