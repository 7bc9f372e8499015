"""A line source over the pictures of an area-scan camera; knows no camera."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from streamer.message import LineBlock
from streamer.sources.area_scan import (
    AreaState,
    stop_pictures,
    take_break,
    take_picture,
    unseen_since,
)
from streamer.sources.frame import FrameBreak
from streamer.sources.line_buffer import new_buffer
from streamer.sources.live import RESTARTED, Live

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.message import LineLoss, PixelArray
    from streamer.ports import WebFormat
    from streamer.sources.area_scan import AreaRules
    from streamer.sources.frame import FrameSource

READ_TIMEOUT_S = 0.25


class AreaScanSource:
    """New lines of each picture, cut out and appended; see ports.LineSource.

    Blocks are views of the pictures' own memory. A block of no lines says that nothing has come,
    or that the web stands still.
    """

    def __init__(
        self,
        frames: FrameSource,
        rules: AreaRules,
        picture_lines: int,
        first_line: int = 0,
        live: Live | None = None,
    ) -> None:
        """Own `frames`, whose pictures are `picture_lines` high.

        `live`: the web runs by itself, and passes while nobody looks.
        """
        self._frames, self._lines = frames, picture_lines
        self._live = live or Live()
        self._state = AreaState(rules, first_line)
        if since_ns := self._live.since_ns:
            is_upright = rules.motion in ("up", "down")
            height = picture_lines if is_upright else frames.format.columns
            away = unseen_since(since_ns, first_line, height, RESTARTED)
            self._state = replace(self._state, away=away)
        self._told: deque[LineBlock | LineLoss] = deque()
        self._ended = False
        self._camera = ""

    @property
    def format(self) -> WebFormat:
        """Of the web: across the motion, whichever side of the picture that is."""
        form = self._frames.format
        if self._state.rules.motion in ("up", "down"):
            return form
        return replace(form, columns=self._lines)

    @property
    def truth(self) -> bytes:
        """Of the camera."""
        return self._frames.truth

    @property
    def health(self) -> Mapping[str, float]:
        """What the camera says of itself, and what became of its pictures, by name."""
        counts = self._state.counts
        return {**self._frames.health, **asdict(counts), "speed_ratio": counts.speed_ratio}

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next lines or a named loss; a block of no lines when nothing came; None at the end."""
        del buffer  # the pictures have memory of their own
        if not self._told and not self._ended:
            self._read()
        if self._told:
            return self._told.popleft()
        return None if self._ended else self._nothing()

    def close(self) -> None:
        """Release the camera; what still waits is not delivered."""
        self._ended = True
        self._told.clear()
        self._frames.close()

    def _read(self) -> None:
        if self._live.stopping():
            self._ended = True
            self._state, lines = stop_pictures(self._state, self._live.now_ns())
            self._told += lines
            return
        try:
            item = self._frames.read_frame(READ_TIMEOUT_S)
        except EOFError:
            self._ended = True
            return
        if item is None:
            return
        self._camera = item.camera
        if isinstance(item, FrameBreak):
            self._state, lines = take_break(self._state, item)
        else:
            self._state, lines = take_picture(self._state, item)
        self._told += lines

    def _nothing(self) -> LineBlock:
        empty = new_buffer(self.format, 0)
        return LineBlock(self._camera, self._state.next_line, empty, 0, 0)
