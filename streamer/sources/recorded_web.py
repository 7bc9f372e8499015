"""Replays a recording with its seams, masks and losses as a line source; knows no file layout."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.sources.line_buffer import require_fits
from streamer.sources.pieces import CorruptPieceError, check_bits
from streamer.sources.recording import BlockRow, end_of
from streamer.sources.recording_reader import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer import config
    from streamer.message import PixelArray
    from streamer.ports import WebFormat
    from streamer.sources.recording import LossRow

_log = logging.getLogger(__name__)


def open_recorded(
    settings: config.ReplaySource, web: config.Web, first_line: int = 0
) -> RecordedWeb:
    """Open the recording in `settings.path`.

    Raises:
        ValueError: not a recording of this program, an empty one, bad ground truth, or settings for
            images.
    """
    for key in ("transpose", "seams"):
        if getattr(settings, key):
            msg = f"source.{key} must be false for a recording, which stores its own, got true"
            raise ValueError(msg)
    opened = Recording(settings.path)
    if opened.is_empty:
        msg = f"{settings.path}: recording must hold lines, got none that its ledger names"
        raise ValueError(msg)
    check_bits(str(settings.path), opened.header.bits, settings.bits)
    recorded = (opened.header.pixel_mm, opened.header.line_mm)
    if recorded != (web.pixel_mm, web.down_mm):
        _log.warning(
            "%s was recorded with %s x %s mm per pixel, web says %s x %s: positions follow web",
            settings.path,
            *recorded,
            web.pixel_mm,
            web.down_mm,
        )
    return RecordedWeb(opened, settings.camera, first_line)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A block whose pixels are known to be whole, of which `taken` lines are delivered."""

    row: BlockRow
    pixels: PixelArray
    taken: int

    def encoder(self, line: int) -> int:
        """Encoder count at `line` of the block, between those of its first and last line."""
        counts = self.row.encoder_last - self.row.encoder_first
        return self.row.encoder_first + counts * line // max(self.row.line_count - 1, 1)


class RecordedWeb:
    """Delivers a recording block by block; a buffer shorter than a block gets it in parts.

    Line numbers count from the beginning of the recording. `captured_ns` is the time of the replay,
    so that latencies measured behind it are real; the time of the recording stays in its ledger.
    """

    def __init__(self, opened: Recording, camera: str, first_line: int = 0) -> None:
        self._recording = opened
        self._truth = opened.truth
        self._origin = opened.header.first_line
        self._camera = camera
        self._first_line = self._end_line = first_line
        self._rows: Iterator[BlockRow | LossRow] | None = opened.rows()
        self._hand: _Checked | None = None

    @property
    def format(self) -> WebFormat:
        """As recorded."""
        return self._recording.header.web_format

    @property
    def truth(self) -> bytes:
        """Ground truth of the lines delivered so far, when `truth.json` tells lines apart."""
        return truth_between(self._truth, Interval(self._first_line, self._end_line))

    def close(self) -> None:
        """Release the ledger; may be called twice."""
        self._rows = self._hand = None

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next block as recorded, or its next part; damaged pixels are a LineLoss."""
        require_fits(buffer, self.format)
        item = self._next_item(buffer)
        if item is not None:
            self._end_line = _end_line(item)
        return item

    def _next_item(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        if self._hand is None:
            row = self._next_row()
            if row is None:
                return None
            skipped = max(self._first_line - row.first_line, 0)
            if not isinstance(row, BlockRow):
                return self._recorded_loss(row, skipped)
            try:
                self._hand = _Checked(row, self._recording.pixels(row), skipped)
            except CorruptPieceError as error:
                return self._damage(row, skipped, str(error))
        return self._part(buffer, self._hand)

    def _next_row(self) -> BlockRow | LossRow | None:
        for stored in self._rows or ():
            row = structs.replace(stored, first_line=stored.first_line - self._origin)
            if end_of(row) > self._first_line or row.first_line >= self._first_line:
                return row
        return None

    def _part(self, buffer: PixelArray, hand: _Checked) -> LineBlock:
        row = hand.row
        end = min(hand.taken + len(buffer), row.line_count)
        count = end - hand.taken
        buffer[:count] = hand.pixels[hand.taken : end]
        self._hand = replace(hand, taken=end) if end < row.line_count else None
        flags = LineFlag(row.flags)
        return LineBlock(
            self._camera,
            row.first_line + hand.taken,
            buffer[:count],
            count,
            time.time_ns(),
            flags & ~LineFlag.SEAM if hand.taken else flags,
            tuple(Interval(first, end) for first, end in row.masked),
            hand.encoder(hand.taken),
            hand.encoder(end - 1) if count else row.encoder_last,
        )

    def _recorded_loss(self, row: LossRow, skipped: int) -> LineLoss:
        first_line, count = row.first_line + skipped, row.line_count - skipped
        return self._loss(first_line, count, row.reason, row.detail)

    def _damage(self, row: BlockRow, skipped: int, detail: str) -> LineLoss:
        _log.warning("%d lines are lost: %s", row.line_count - skipped, detail)
        reason = GapReason.CORRUPT_INPUT
        return self._loss(row.first_line + skipped, row.line_count - skipped, reason, detail)

    def _loss(self, first_line: int, count: int, reason: GapReason, detail: str) -> LineLoss:
        return LineLoss(self._camera, first_line, count, reason, time.time_ns(), detail)


def truth_between(truth: bytes, lines: Interval) -> bytes:
    """The ground truth cut to `lines`: defects that reach into them, with their whole boxes.

    No truth stays none.
    """
    if not truth:
        return truth
    content = json.loads(truth)
    if lines.first <= content["first_line"] and content["end_line"] <= lines.end:
        return truth
    inside = [
        defect
        for defect in content["defects"]
        if defect["first_line"] < lines.end and defect["end_line"] > lines.first
    ]
    first, end = max(lines.first, content["first_line"]), min(lines.end, content["end_line"])
    return json.dumps({**content, "first_line": first, "end_line": end, "defects": inside}).encode()


def _end_line(item: LineBlock | LineLoss) -> int:
    lines = item.valid_lines if isinstance(item, LineBlock) else item.line_count
    return item.first_line + lines
