"""A toy line camera for tests: every pixel of a line is the number of the web line it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.message import LineBlock, LineLoss
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.frame_lines import LineRules, LineState, finish_lines, start_lines, take_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = 16
RATE_HZ = 1000.0
NS_PER_LINE = 1_000_000
STALE = 65535
COUNTS = 4  # of the encoder per line
ENCODER = LineRules(RATE_HZ, counts_per_line=COUNTS)
PLAIN = LineRules(RATE_HZ)
Told = list[LineBlock | LineLoss]


def shown(lines: Sequence[int], valid: int | None = None) -> np.ndarray:
    """(lines, 3) uint16 pixels of web lines, behind `valid` filler."""
    pixels = np.repeat((np.asarray(lines) % 65536).astype(np.uint16)[:, None], 3, axis=1)
    pixels[len(lines) if valid is None else valid :] = STALE
    return pixels


def frame(number: int, lines: Sequence[int], valid: int | None = None, **counters: Any) -> Frame:
    """Frame `number` of web `lines`, captured when a steady camera would have done so."""
    count = len(lines) if valid is None else valid
    captured_ns = counters.pop("captured_ns", (number * LINES + count) * NS_PER_LINE)
    return Frame("cam0", shown(lines, valid), count, captured_ns, **counters)


def numbered(number: int, valid: int | None = None, **changes: Any) -> Frame:
    """Frame `number` of a steady web, with a 16-bit frame counter."""
    lines = range(number * LINES, (number + 1) * LINES)
    return frame(number, lines, valid, **{"frame_id": number % 65536} | changes)


def encoded(number: int, lines: Sequence[int], **changes: Any) -> Frame:
    """Frame `number` with frame counter and the encoder at its first and last line."""
    counts = {"encoder_first": lines[0] * COUNTS, "encoder_last": lines[-1] * COUNTS}
    return frame(number, lines, **{"frame_id": number} | counts | changes)


def stamped(number: int, lines: Sequence[int], **changes: Any) -> Frame:
    """Frame `number` with the encoder at every line."""
    counts = np.asarray(lines, np.int64) * COUNTS
    return frame(number, lines, **{"frame_id": number, "encoder_lines": counts} | changes)


def told(rules: LineRules, items: Sequence[Frame | FrameBreak]) -> tuple[LineState, Told]:
    """Everything that the frames come to, to the end of the stream."""
    state, everything = start_lines(rules), []
    for item in items:
        state, pieces = take_frame(state, item)
        everything += pieces
    state, pieces = finish_lines(state)
    return state, [*everything, *pieces]


def summary(pieces: Told) -> list[tuple[Any, ...]]:
    """(first, end) of blocks joined, (first, end, reason) of losses; checks every pixel."""
    rows: list[tuple[Any, ...]] = []
    for piece in pieces:
        if isinstance(piece, LineLoss):
            end = piece.first_line + piece.line_count
            rows.append((piece.first_line, end, piece.reason.value))
            continue
        first, end = piece.first_line, piece.first_line + piece.valid_lines
        assert np.array_equal(piece.pixels, shown(range(first, end)))
        if rows and len(rows[-1]) == 2 and rows[-1][1] == first:
            first = rows.pop()[0]
        rows.append((first, end))
    return rows
