"""A line camera over an endless procedural web with known defects; knows no pace and no stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Interval, LineBlock, PixelArray, require
from streamer.ports import WebFormat
from streamer.sources.ground_truth import Change, GroundTruth
from streamer.sources.lattice import CHUNK_LINES
from streamer.sources.planting import Planted, Planting
from streamer.sources.sensor import Sensor
from streamer.sources.surfaces import open_surface
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from streamer.config import SimulatorSource, Web
    from streamer.sources.lattice import Floats


@dataclass(frozen=True, slots=True)
class _Chunk:
    """CHUNK_LINES rendered lines and what the defects changed in them."""

    number: int
    pixels: PixelArray
    changes: tuple[Change, ...]


class SimulatedWeb:
    """A LineSource whose pixels follow from the settings and the line number alone.

    Any line is the same whatever was read before and in whatever block sizes: lines are rendered
    in fixed chunks and copied from there. Defects change nothing but the pixels in their boxes.
    """

    def __init__(self, settings: SimulatorSource, web: Web, first_line: int = 0) -> None:
        """Start at `first_line`; the web ends after `settings.length_m` from line 0.

        Raises:
            ValueError: `first_line` is negative.
        """
        require(first_line >= 0, "first_line must be >= 0", first_line)
        geometry = WebGeometry(settings.columns, web.pixel_mm, web.down_mm, web.web_speed_m_min)
        self._settings = settings
        self._next_line = first_line
        self._end_line = geometry.lines(settings.length_m)
        self._surface = open_surface(settings, web)
        self._planting = Planting(settings, web)
        self._sensor = Sensor(settings)
        self._truth = GroundTruth(settings.camera, geometry)
        self._unknown_lines = min(first_line, self._end_line)  # before the first one delivered
        self._chunk: _Chunk | None = None

    @property
    def format(self) -> WebFormat:
        """As configured."""
        chosen = self._settings
        name = f"simulated {chosen.surface}, seed {chosen.seed}"
        return WebFormat(chosen.columns, chosen.channels, chosen.bits, name)

    @property
    def truth(self) -> bytes:
        """JSON: every defect from line 0 to the last delivered one, its exact box in pixels and mm.

        Of a web that started later, the defects before are rendered when this is first asked for.
        """
        self._recall()
        return self._truth.to_json()

    @property
    def next_line(self) -> int:
        """First line that nobody has seen yet."""
        return self._next_line

    @property
    def end_line(self) -> int:
        """First line after the end of the web."""
        return self._end_line

    def read_into(self, buffer: PixelArray) -> LineBlock | None:
        """The next lines, as many as `buffer` holds or the web still has; None at its end.

        Raises:
            ValueError: `buffer` does not hold a line of this format.
        """
        self._require_fits(buffer)
        first, end = self._next_line, min(self._next_line + len(buffer), self._end_line)
        if first >= end:
            return None
        self.see(first, buffer[: end - first])
        return LineBlock(
            camera=self._settings.camera,
            first_line=first,
            pixels=buffer[: end - first],
            valid_lines=end - first,
            captured_ns=time.time_ns(),
            encoder_first=first,
            encoder_last=end - 1,
        )

    def see(self, first_line: int, space: PixelArray) -> None:
        """Fill `space` with the lines from `first_line` on, seen before or not.

        Lines that nobody had seen yet enter the truth; none may be skipped.
        """
        line, end = first_line, first_line + len(space)
        while line < end:
            line += self._copy_from_chunk(line, space[line - first_line :])

    def close(self) -> None:
        """End the web here; the truth stays."""
        self._end_line = self._next_line
        self._chunk = None

    def _recall(self) -> None:
        """Enter the defects of the lines that another source delivered before this one's start."""
        end, self._unknown_lines = self._unknown_lines, 0
        if end == 0:
            return
        self._truth.deliver(Interval(0, end), ())
        for number in range(-(-end // CHUNK_LINES)):
            first = number * CHUNK_LINES
            lines = Interval(first, min(first + CHUNK_LINES, end))
            if self._planting.between(lines.first, lines.end):  # a clean chunk is not rendered
                self._truth.deliver(lines, self._render(number).changes)

    def _require_fits(self, buffer: PixelArray) -> None:
        colours = () if self._settings.channels == 1 else (3,)
        shape, dtype = (self._settings.columns, *colours), np.dtype(f"u{self._settings.bits // 8}")
        fits = len(buffer) > 0 and buffer.shape[1:] == shape and buffer.dtype == dtype
        rule = f"buffer must be (lines >= 1, {', '.join(map(str, shape))}) {dtype}"
        require(fits, rule, (*buffer.shape, str(buffer.dtype)))

    def _copy_from_chunk(self, line: int, space: PixelArray) -> int:
        """Copy the rest of the chunk from `line` on, as far as `space` goes; how many lines."""
        number, start = divmod(line, CHUNK_LINES)
        if self._chunk is None or self._chunk.number != number:
            self._chunk = self._render(number)
        count = min(len(space), CHUNK_LINES - start)
        space[:count] = self._chunk.pixels[start : start + count]
        if line + count > self._next_line:
            fresh = Interval(max(line, self._next_line), line + count)
            self._truth.deliver(fresh, self._chunk.changes)
            self._next_line = fresh.end
        return count

    def _render(self, number: int) -> _Chunk:
        noise = self._sensor.noise(number)
        reflectance = self._surface.reflectance(number)
        chunk = _Chunk(number, self._sensor.expose(reflectance, noise, slice(None)), ())
        first = number * CHUNK_LINES
        planted = self._planting.between(first, first + CHUNK_LINES)
        changes = tuple(self._blemish(chunk, reflectance, noise, defect) for defect in planted)
        return replace(chunk, changes=changes)

    def _blemish(
        self, chunk: _Chunk, reflectance: Floats, noise: tuple[Floats, ...], defect: Planted
    ) -> Change:
        """Expose the part of `defect` in `chunk` again, with the same noise, and paste it."""
        first = chunk.number * CHUNK_LINES
        start, end = max(first, defect.first_line), min(first + CHUNK_LINES, defect.end_line)
        rows = slice(start - defect.first_line, end - defect.first_line)
        columns = slice(defect.first_column, defect.end_column)
        here = slice(start - first, end - first), columns
        spoiled = reflectance[here] * defect.patch.gain[rows] + defect.patch.offset[rows]
        after = self._sensor.expose(spoiled, tuple(layer[here] for layer in noise), columns)
        before = chunk.pixels[here].copy()
        chunk.pixels[here] = after
        return Change(defect, start, before, after)
