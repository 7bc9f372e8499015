"""Holds a source back to the line rate of a real camera; knows nothing of what it delivers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from streamer.message import LineBlock, LineLoss, PixelArray, require
from streamer.ports import health_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.ports import LineSource, WebFormat

_NS_PER_S = 1_000_000_000


class PacedSource:
    """A LineSource that delivers no line before a camera would have exposed it.

    The schedule starts with the first read and is never moved: whoever reads late gets what has
    piled up without waiting.
    """

    def __init__(
        self,
        source: LineSource,
        line_rate_hz: float,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Own `source`; `line_rate_hz` lines pass per second.

        Raises:
            ValueError: `line_rate_hz` is not positive.
        """
        require(line_rate_hz > 0, "line_rate_hz must be > 0", line_rate_hz)
        self._source = source
        self._line_rate_hz = line_rate_hz
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._start_ns: int | None = None
        self._start_line: int | None = None

    @property
    def format(self) -> WebFormat:
        """Of the source."""
        return self._source.format

    @property
    def truth(self) -> bytes:
        """Of the source."""
        return self._source.truth

    @property
    def health(self) -> Mapping[str, float]:
        """Of the source."""
        return health_of(self._source)

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """What the source has next, once its last line has passed; captured at that moment."""
        if self._start_ns is None:
            self._start_ns = self._monotonic_ns()
        got = self._source.read_into(buffer)
        if got is None:
            return None
        lines = got.line_count if isinstance(got, LineLoss) else got.valid_lines
        waited_ns = self._wait_for(got.first_line, lines, self._start_ns)
        return replace(got, captured_ns=got.captured_ns + waited_ns)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _wait_for(self, first_line: int, lines: int, start_ns: int) -> int:
        """Sleep until line `first_line + lines` begins; nanoseconds slept."""
        if self._start_line is None:
            self._start_line = first_line
        passed = first_line + lines - self._start_line
        due_ns = start_ns + round(passed / self._line_rate_hz * _NS_PER_S)
        before_ns = self._monotonic_ns()
        if due_ns <= before_ns:
            return 0
        self._sleep((due_ns - before_ns) / _NS_PER_S)
        return self._monotonic_ns() - before_ns
