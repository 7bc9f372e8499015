"""A recorded web as pictures or lossless video for other programs; knows no recording's format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from streamer.message import Interval, LineBlock, LineFlag, LineLoss
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.message import PixelArray
    from streamer.ports import LineSource

Format = Literal["png", "tiff", "ffv1"]
_SUFFIX: dict[Format, str] = {"png": "png", "tiff": "tiff", "ffv1": "mkv"}
_FRAMES_PER_S = 25.0


@dataclass(slots=True)
class Exported:
    """What was written: files in order, lines in them, and lines that the recording lacks."""

    files: list[Path] = field(default_factory=list)
    lines: int = 0
    lost_lines: int = 0


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Which web lines go where: pieces of `piece_lines`, files named after their first line."""

    folder: Path
    form: Format
    lines: Interval
    piece_lines: int = 1000


def export_lines(
    source: LineSource,
    plan: ExportPlan,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the lines of `source` within the plan's; every pixel as it is.

    A file holds consecutive lines: what the recording lacks, and a seam, end it. Video has a frame
    for each piece, so a shorter one makes a file of its own.

    Raises:
        ValueError: the format cannot hold these pixels without loss.
        OSError: a file cannot be written.
    """
    form = source.format
    if plan.form == "ffv1" and form.channels != 1:
        msg = f"format must be png or tiff for {form.channels} channels, got ffv1: it is not exact"
        raise ValueError(msg)
    writer = _Writer(plan)
    while (piece := source.read_into(new_buffer(form, plan.piece_lines))) is not None:
        if piece.first_line >= plan.lines.end:
            break
        writer.take(piece)
        on_progress(piece.first_line)
    return writer.finish()


class _Writer:
    """Collects lines until a piece is full, or its web ends."""

    def __init__(self, plan: ExportPlan) -> None:
        self._plan = plan
        self._done = Exported()
        self._waiting: list[PixelArray] = []
        self._first = self._next = plan.lines.first

    def take(self, piece: LineBlock | LineLoss) -> None:
        count = piece.line_count if isinstance(piece, LineLoss) else piece.valid_lines
        lines = self._plan.lines
        first, end = max(piece.first_line, lines.first), min(piece.first_line + count, lines.end)
        if first >= end:
            return
        self._lose(first - self._next)
        if isinstance(piece, LineLoss):
            self._lose(end - first)
            return
        if piece.flags & LineFlag.SEAM:
            self._flush()
        self._waiting.append(piece.pixels[first - piece.first_line : end - piece.first_line])
        self._next = end
        while self._next - self._first >= self._plan.piece_lines:
            self._flush(self._plan.piece_lines)

    def finish(self) -> Exported:
        """Write what waits."""
        self._flush()
        return self._done

    def _lose(self, count: int) -> None:
        if count > 0:
            self._flush()
            self._done.lost_lines += count
            self._next += count
            self._first = self._next

    def _flush(self, lines: int | None = None) -> None:
        if not self._waiting:
            self._first = self._next
            return
        pixels = np.concatenate(self._waiting)
        head, rest = pixels[:lines], pixels[len(pixels) if lines is None else lines :]
        path = self._plan.folder / f"line-{self._first:012d}.{_SUFFIX[self._plan.form]}"
        _write(path, np.ascontiguousarray(head), self._plan.form)
        self._done.files.append(path)
        self._done.lines += len(head)
        self._waiting = [rest] if len(rest) else []
        self._first += len(head)


def _write(path: Path, pixels: PixelArray, form: Format) -> None:
    shown = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    written = _write_video(path, shown) if form == "ffv1" else cv2.imwrite(str(path), shown)
    if not written:
        msg = f"{path} must be writable, got a refusal; check the folder and the free space"
        raise OSError(msg)


def _write_video(path: Path, pixels: PixelArray) -> bool:
    lines, columns = pixels.shape
    depth = cv2.CV_16U if pixels.dtype == np.uint16 else cv2.CV_8U
    options = [cv2.VIDEOWRITER_PROP_DEPTH, depth, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    code = cv2.VideoWriter.fourcc(*"FFV1")
    size = (columns, lines)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, _FRAMES_PER_S, size, options)
    if not writer.isOpened():
        return False
    writer.write(pixels)
    writer.release()
    return True
