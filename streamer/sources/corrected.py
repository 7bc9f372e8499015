"""A line source with its light corrected; knows the file of the light and no camera."""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kernels.light import LightTable, LineCorrection, SampleFill
from streamer.correction.bad_pixels import ColumnRepair
from streamer.correction.flat_field import FlatField, black_level_field, flat_field_of
from streamer.correction.lamp_drift import SAMPLED_EVERY, DriftPlan, LampWatch
from streamer.correction.light_file import LightFile
from streamer.message import Interval, LineBlock, LineLoss, PixelArray, require
from streamer.ports import health_of
from streamer.sources.line_slices import filler_of, slice_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamer import config
    from streamer.ports import LineSource, WebFormat

_LOG = logging.getLogger(__name__)
SEGMENT_M = 1.0
MM_PER_M = 1000


def open_corrected(source: LineSource, light: config.Light, web: config.Web) -> CorrectedSource:
    """`source` with the light of the configured file; it is closed when that does not fit.

    Raises:
        ValueError: the file is no light file or another one than configured, or it is for
            another width, number of channels or bit depth than the source has.
        OSError: the file cannot be read.
    """
    try:
        field, digest = _field_for(source.format, light)
        plan = _drift_plan(source.format, light, web)
        return CorrectedSource(source, _used(field, light), plan, digest)
    except (ValueError, OSError):
        source.close()
        raise


@dataclass(frozen=True, slots=True, eq=False)
class LightCorrection:
    """What is due to raw lines, a `message.Correction`: light, then bad columns.

    Bad columns are filled from corrected levels of good ones, wherever those lie: a part of a web
    has the bits of the whole.
    """

    correct: LineCorrection
    channels: int

    def __call__(self, raw: PixelArray, first_column: int, memory: PixelArray) -> None:
        """Correct raw lines from a column on into `memory`, as many columns as that has."""
        if self.channels == 1:
            self.correct(raw, first_column, memory)
        else:
            self.correct(_flat(raw), first_column * self.channels, _flat(memory))


def _fill_of(repair: ColumnRepair, channels: int) -> SampleFill:
    """Of columns to that of their samples, each from its own channel."""
    within = np.arange(channels)
    filled, left, right = (
        (columns[:, None] * channels + within).reshape(-1)
        for columns in (repair.bad, repair.left, repair.right)
    )
    return SampleFill(filled, left, right, np.repeat(repair.right_share, channels))


class CorrectedSource:
    """A LineSource that says of the lines of another one how their light is to be corrected.

    The pixels stay where and as the source left them, and each block carries the correction that is
    due to all its lines: to correct them here would be another way through memory, as long as that
    of cutting. Blocks are cut where the correction changes.
    """

    def __init__(
        self, source: LineSource, field: FlatField, plan: DriftPlan, digest: str = ""
    ) -> None:
        """Own `source`; `field` must have its columns and channels, `digest` names it.

        Raises:
            ValueError: it has others.
        """
        form = source.format
        rule = f"field must be for {form.columns} columns and {form.channels} channels"
        require(field.gain.shape == (form.columns, form.channels), rule, field.gain.shape)
        self._source, self._field, self._watch = source, field, LampWatch(plan)
        self._fill = _fill_of(ColumnRepair.of(field.bad, form.columns), form.channels)
        self._light = f", light {digest[:12]}" if digest else ""
        self._sums, self._count = np.zeros(form.columns * form.channels, np.uint64), 0
        self._factor = 1.0
        self._correction = self._correction_for(1.0)
        self._ready: deque[LineBlock] = deque()

    @property
    def format(self) -> WebFormat:
        """Of the source; the description names the light."""
        form = self._source.format
        return replace(form, description=f"{form.description}{self._light}")

    @property
    def truth(self) -> bytes:
        """Of the source."""
        return self._source.truth

    @property
    def health(self) -> Mapping[str, float]:
        """Of the source."""
        return health_of(self._source)

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """The source's next lines, with what is due to them and what the lamp wants of its keeper.

        A block comes in pieces, by a call each, where the lamp's factor changes within.
        """
        if not self._ready:
            got = self._source.read_into(buffer)
            if not isinstance(got, LineBlock):
                return got
            self._ready.extend(self._pieces(got))
        return self._ready.popleft()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _pieces(self, block: LineBlock) -> Iterator[LineBlock]:
        """A block in pieces of one correction each; mostly it is a single one."""
        begins: list[int] = []
        corrections: list[LightCorrection] = []
        for lines in self._stretches(block):
            self._look_at(block.pixels[lines.first - block.first_line :][: lines.size], lines.first)
            if not corrections or corrections[-1] is not self._correction:
                begins.append(lines.first)
                corrections.append(self._correction)
        notices = (*block.notices, *self._watch.notices)
        if len(begins) < 2:
            yield replace(block, notices=notices, correction=self._correction)
            return
        noted = replace(block, notices=notices)
        ends = (*begins[1:], block.first_line + block.valid_lines)
        for first, end, correction in zip(begins, ends, corrections, strict=True):
            piece = slice_lines(noted, Interval(first, end), block.masked)
            yield replace(piece, correction=correction)
        if block.valid_lines < len(block.pixels):
            yield filler_of(noted)

    def _stretches(self, block: LineBlock) -> Iterator[Interval]:
        """The valid lines of a block, cut where a segment ends."""
        size, first = self._watch.plan.segment_lines, block.first_line
        end = first + block.valid_lines
        starts = [first, *range((first // size + 1) * size, end, size), end]
        for start, stop in zip(starts[:-1], starts[1:], strict=True):
            if start < stop:
                yield Interval(start, stop)

    def _look_at(self, raw: PixelArray, first_line: int) -> None:
        """Lines of one segment: what is due to them follows from those of the segments before."""
        if self._watch.ends_before(first_line):
            self._tell_watch()
        self._watch.enter(first_line)
        sampled = raw[-first_line % SAMPLED_EVERY :: SAMPLED_EVERY]
        for line in sampled:  # whole levels: the same in whatever blocks the lines came
            self._sums += line.reshape(-1)
        self._count += len(sampled)
        if self._watch.factor != self._factor:
            self._factor = self._watch.factor
            self._correction = self._correction_for(self._factor)

    def _tell_watch(self) -> None:
        """What was seen of a segment that is over, as it is when corrected but for the factor."""
        gain, offset = self._field.gain, self._field.offset
        levels = self._sums * gain.reshape(-1)
        levels -= self._count * offset.reshape(-1)
        np.maximum(levels, 0, out=levels)
        columns = levels if gain.shape[1] == 1 else levels.reshape(gain.shape).mean(axis=1)
        self._watch.add(columns, self._count)
        self._sums[:], self._count = 0, 0

    def _correction_for(self, factor: float) -> LightCorrection:
        gain, offset = self._field.gain * factor, self._field.offset * factor
        table = LightTable.of(gain.reshape(-1), offset.reshape(-1), self._source.format.bits)
        return LightCorrection(LineCorrection(table, self._fill), self._source.format.channels)


def _flat(pixels: PixelArray) -> PixelArray:
    """(lines, columns[, channels]) to (lines, samples), in the same memory where it is in order."""
    return pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))


def _field_for(form: WebFormat, light: config.Light) -> tuple[FlatField, str]:
    """The correction for a source of this format, and the digest of its file."""
    if light.file is None:
        black = light.black_level or 0.0
        return black_level_field(form.columns, form.channels, form.bits, black), ""
    try:
        read = LightFile.from_bytes(light.file.read_bytes())
    except ValueError as error:
        msg = f"light.file {light.file}: {error}"
        raise ValueError(msg) from None
    except OSError as error:
        msg = f"light.file must be readable, got {light.file}: {error.strerror}"
        raise OSError(msg) from None
    _require_fit(read, form, light)
    return flat_field_of(read.reference, light.black_level), read.digest


def _require_fit(read: LightFile, form: WebFormat, light: config.Light) -> None:
    advice = "calibrate again with this source: `linescan calibrate-light`"
    reference, name = read.reference, f"light.file {light.file}"
    same = light.digest in (None, read.digest)
    require(same, f"{name} must have light.digest {light.digest}", read.digest)
    columns, channels = reference.white.shape
    for what, ours, theirs in (
        ("columns", form.columns, columns),
        ("channels", form.channels, channels),
        ("bits", form.bits, reference.bits),
    ):
        require(ours == theirs, f"{name} must have the source's {ours} {what} ({advice})", theirs)


def _used(field: FlatField, light: config.Light) -> FlatField:
    """With the bad columns that the settings want filled."""
    rule = "light.file must show a column that sees light"
    require(len(field.bad) < len(field.gain), rule, f"{len(field.bad)} bad ones")
    if field.bad:
        named = ", ".join(map(str, field.bad[:20])) + (" ..." if field.bad[20:] else "")
        done = "filled from those beside them" if light.bad_pixels == "auto" else "left"
        _LOG.warning("light: %d bad columns are %s: %s", len(field.bad), done, named)
    return field if light.bad_pixels == "auto" else replace(field, bad=())


def _drift_plan(form: WebFormat, light: config.Light, web: config.Web) -> DriftPlan:
    percent, level = light.maintenance_percent, light.web_level
    return DriftPlan(
        max(round(SEGMENT_M * MM_PER_M / web.down_mm), 1),
        compensate=light.lamp_drift == "slow",
        maintenance_share=None if percent is None else percent / 100,
        web_level=None if level is None else level / 100 * ((1 << form.bits) - 1),
    )
