"""The share of a camera's view that it inspects; knows no other camera."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from streamer.message import Interval, LineBlock, LineLoss, require
from streamer.ports import health_of
from streamer.sources.line_buffer import new_buffer
from streamer.web import intersect_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.message import PixelArray
    from streamer.ports import LineSource, WebFormat


@dataclass(frozen=True, slots=True)
class Share:
    """What of a camera's view is inspected by it.

    `kept` are columns of its own, which begin at `web_column` of the web; its first
    `skipped_lines` lines lie before the roll.
    """

    kept: Interval
    web_column: int = 0
    skipped_lines: int = 0

    def __post_init__(self) -> None:
        smallest = min(self.web_column, self.skipped_lines)
        require(smallest >= 0 and self.kept.size > 0, "Share must hold columns, none < 0", self)


class CroppedSource:
    """The share of a source that is inspected.

    See ports.LineSource; blocks are views of the inner source's pixels, nothing is copied.
    """

    def __init__(self, source: LineSource, share: Share) -> None:
        """Cut `source`, which is this object's to close from now on.

        Raises:
            ValueError: the source does not have these columns.
        """
        rule = f"source must show its columns {share.kept.first} to {share.kept.end}, a width"
        require(share.kept.end <= source.format.columns, rule, source.format.columns)
        self._source, self._share = source, share
        self._kept, self._skipped = share.kept, share.skipped_lines

    @property
    def format(self) -> WebFormat:
        """See ports.LineSource."""
        return replace(self._source.format, columns=self._kept.size)

    @property
    def truth(self) -> bytes:
        """See ports.LineSource; of what lies in the share, in coordinates of the whole web."""
        if not (given := self._source.truth):
            return b""
        truth = json.loads(given)
        moved = (self._on_web(defect, truth) for defect in truth["defects"])
        defects = [defect for defect in moved if defect is not None]
        end_line = max(truth["end_line"] - self._skipped, 0)
        return json.dumps({**truth, "end_line": end_line, "defects": defects}).encode()

    def _on_web(self, defect: dict[str, Any], truth: dict[str, Any]) -> dict[str, Any] | None:
        """A defect's box within the share; None when it lies beside or before it."""
        first = max(defect["first_column"], self._kept.first)
        end = min(defect["end_column"], self._kept.end)
        end_line = defect["end_line"] - self._skipped
        if first >= end or end_line <= 0:
            return None
        shift = self._share.web_column - self._kept.first
        lines = max(defect["first_line"] - self._skipped, 0), end_line
        columns = first + shift, end + shift
        places = dict(zip(("first_line", "end_line"), lines, strict=True))
        places |= dict(zip(("first_column", "end_column"), columns, strict=True))
        down, cross = truth["line_mm"], truth["pixel_mm"]
        sizes = dict(zip(("down_first_mm", "down_end_mm"), (n * down for n in lines), strict=True))
        sizes |= dict(
            zip(("cross_first_mm", "cross_end_mm"), (n * cross for n in columns), strict=True)
        )
        return {**defect, **places, **sizes}

    @property
    def health(self) -> Mapping[str, float]:
        """What the source says of its camera; empty when it has none."""
        return health_of(self._source)

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """See ports.LineSource."""
        while True:
            piece = self._source.read_into(new_buffer(self._source.format, len(buffer)))
            if piece is None:
                return None
            cut = self._lose(piece) if isinstance(piece, LineLoss) else self._crop(piece)
            if cut is not None:
                return cut

    def close(self) -> None:
        """See ports.LineSource."""
        self._source.close()

    def _lose(self, loss: LineLoss) -> LineLoss | None:
        first, end = loss.first_line - self._skipped, loss.first_line + loss.line_count
        count = end - self._skipped - max(first, 0)
        return replace(loss, first_line=max(first, 0), line_count=count) if count > 0 else None

    def _crop(self, block: LineBlock) -> LineBlock | None:
        before = min(max(self._skipped - block.first_line, 0), len(block.pixels))
        if before == len(block.pixels) and before:
            return None
        kept = self._kept
        masked = intersect_intervals(block.masked, kept)
        return replace(
            block,
            # One of no lines may lie before the roll: nothing has come yet.
            first_line=max(block.first_line + before - self._skipped, 0),
            pixels=block.corrected(slice(before, None), kept),
            correction=None,
            valid_lines=max(block.valid_lines - before, 0),
            masked=tuple(Interval(i.first - kept.first, i.end - kept.first) for i in masked),
        )
