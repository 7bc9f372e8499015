"""A line source over a camera's frames; knows no camera and copies no pixel."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from streamer.message import LineBlock, LineLoss
from streamer.sources.frame import CounterBits
from streamer.sources.frame_lines import (
    LineRules,
    finish_lines,
    give_up,
    start_lines,
    stop_lines,
    take_frame,
)
from streamer.sources.line_buffer import new_buffer
from streamer.sources.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.line_camera import LineCamera
    from streamer.message import PixelArray
    from streamer.ports import WebFormat
    from streamer.sections import Web
    from streamer.sources.frame import FrameSource
    from streamer.sources.frame_counters import LineCounts
    from streamer.sources.frame_lines import LineStep

READ_TIMEOUT_S = 0.25


class FrameLineSource:
    """The lines of a FrameSource as a ports.LineSource.

    Blocks are views of the frames' own memory, which nobody writes to again; the buffer of
    `read_into` is not used. When no frame comes within `read_timeout_s`, or one without new lines,
    a block of no lines is returned, so that a hung camera or a web that stands still never holds
    its reader; when nothing comes, frames that wait for a missing one are given out.
    """

    def __init__(
        self,
        frames: FrameSource,
        rules: LineRules,
        first_line: int = 0,
        restamp_ns: Callable[[], int] | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
        live: Live | None = None,
    ) -> None:
        """Own `frames`; `restamp_ns` is the clock when theirs is not the time of this machine.

        `live`: the web runs by itself, and passes while nobody looks.
        """
        self._frames = frames
        self._live = live or Live()
        self._state = start_lines(rules, first_line, self._live.since_ns)
        self._restamp_ns = restamp_ns
        self._read_timeout_s = read_timeout_s
        self._told: deque[LineBlock | LineLoss] = deque()
        self._ended = False
        self._camera = ""

    @property
    def format(self) -> WebFormat:
        """Of the camera."""
        return self._frames.format

    @property
    def truth(self) -> bytes:
        """Of the camera."""
        return self._frames.truth

    @property
    def counts(self) -> LineCounts:
        """What became of frames and lines."""
        return self._state.counts

    @property
    def health(self) -> Mapping[str, float]:
        """What the camera says of itself, and the counts of frames and lines, by name."""
        return {**self._frames.health, **asdict(self.counts)}

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next lines or a named loss; a block of no lines when nothing came; None at the end."""
        del buffer  # the frames have memory of their own
        if not self._told and not self._ended:
            self._read()
        if self._told:
            return self._stamped(self._told.popleft())
        return None if self._ended else self._nothing()

    def close(self) -> None:
        """Release the camera; what still waits is not delivered."""
        self._ended = True
        self._told.clear()
        self._frames.close()

    def _read(self) -> None:
        """Take what the camera has next, once."""
        if self._live.stopping():
            self._ended = True
            self._keep(stop_lines(self._state, self._live.now_ns()))
            return
        try:
            item = self._frames.read_frame(self._read_timeout_s)
        except EOFError:
            self._ended = True
            self._keep(finish_lines(self._state))
            return
        if item is None:
            self._keep(give_up(self._state))
            return
        self._camera = item.camera
        self._keep(take_frame(self._state, item))

    def _keep(self, step: LineStep) -> None:
        self._state, lines = step
        self._told += lines

    def _stamped(self, piece: LineBlock | LineLoss) -> LineBlock | LineLoss:
        return piece if self._restamp_ns is None else replace(piece, captured_ns=self._restamp_ns())

    def _nothing(self) -> LineBlock:
        empty = new_buffer(self.format, 0)
        return LineBlock(self._camera, self._state.next_line, empty, 0, 0)


def line_rules(camera: LineCamera, web: Web) -> LineRules:
    """The configured camera and web as the rules for its frames."""
    return LineRules(
        web.line_rate_hz,
        camera.counts_per_line,
        CounterBits(camera.frame_bits, camera.line_bits, camera.encoder_bits),
        camera.max_reorder_frames,
        camera.max_reorder_ms,
        camera.encoder_survives,
    )
