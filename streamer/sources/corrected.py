"""A line source with its light corrected; knows the file of the light and no camera."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kernels.light import LightTable, flat_field
from streamer.correction.bad_pixels import ColumnRepair
from streamer.correction.flat_field import FlatField, black_level_field, flat_field_of
from streamer.correction.lamp_drift import SAMPLED_EVERY, DriftPlan, LampWatch
from streamer.correction.light_file import LightFile
from streamer.message import LineBlock, LineLoss, PixelArray, require
from streamer.ports import health_of

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


class CorrectedSource:
    """A LineSource that corrects the lines of another one, in the host's buffer.

    Lines that already lie there are corrected in place; lines that the source left in memory of its
    own (a camera's) are corrected on their way into the buffer. Filler is left as it came.
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
        self._repair = ColumnRepair.of(field.bad, form.columns)
        self._light = f", light {digest[:12]}" if digest else ""
        self._factor = 1.0
        self._table = self._table_of(1.0)

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
        """The source's next lines, corrected, with what the lamp wants of its keeper."""
        got = self._source.read_into(buffer)
        if not isinstance(got, LineBlock):
            return got
        apart = not np.may_share_memory(got.pixels, buffer)
        pixels = buffer[: len(got.pixels)] if apart else got.pixels
        for lines in self._stretches(got):
            self._correct(got.pixels[lines], pixels[lines], got.first_line + lines.start)
        if apart:
            pixels[got.valid_lines :] = got.pixels[got.valid_lines :]
        return replace(got, pixels=pixels, notices=(*got.notices, *self._watch.notices))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _stretches(self, block: LineBlock) -> Iterator[slice]:
        """The valid lines of a block, cut where a segment ends."""
        size, first = self._watch.plan.segment_lines, block.first_line
        end = first + block.valid_lines
        starts = [first, *range((first // size + 1) * size, end, size), end]
        for start, stop in zip(starts[:-1], starts[1:], strict=True):
            if start < stop:
                yield slice(start - first, stop - first)

    def _correct(self, raw: PixelArray, into: PixelArray, first_line: int) -> None:
        """Lines of one segment."""
        self._watch.enter(first_line)
        self._observe(raw[-first_line % SAMPLED_EVERY :: SAMPLED_EVERY])
        if self._watch.factor != self._factor:
            self._factor = self._watch.factor
            self._table = self._table_of(self._factor)
        flat = len(raw), -1
        flat_field(np.ascontiguousarray(raw).reshape(flat), self._table, into.reshape(flat))
        self._repair.apply(into)

    def _observe(self, sampled: PixelArray) -> None:
        """Add lines to the watch, as they are when corrected but for the factor."""
        if not len(sampled):
            return
        gain, offset = self._field.gain, self._field.offset
        # Flat: numpy sums along an axis of one sample many times slower.
        sums = sampled.reshape(len(sampled), -1).sum(axis=0, dtype=np.float64)
        levels = np.maximum(sums * gain.reshape(-1) - len(sampled) * offset.reshape(-1), 0)
        columns = levels if gain.shape[1] == 1 else levels.reshape(gain.shape).mean(axis=1)
        self._watch.add(columns, len(sampled))

    def _table_of(self, factor: float) -> LightTable:
        gain, offset = self._field.gain * factor, self._field.offset * factor
        return LightTable.of(gain.reshape(-1), offset.reshape(-1), self._source.format.bits)


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
