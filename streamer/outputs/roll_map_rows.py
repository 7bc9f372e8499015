"""Where lines, millimetres and defects lie in the cells of a roll map; pure, knows no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.outputs.defect_log import LoggedDefect, Piece
    from streamer.outputs.roll_map_format import MapFormat


def rows_of_lines(
    lines: ScoreArray, pieces: Sequence[Piece], stride: int
) -> tuple[ScoreArray, ScoreArray]:
    """The row of level 0 that holds each line, and whether the line is in the map at all.

    Without pieces the roll is one, without an end.
    """
    lines = np.asarray(lines, np.int64)
    if not pieces:
        return lines // stride, lines >= 0
    first_lines = np.array([piece.first_line for piece in pieces])
    first_rows = np.array([piece.first_row for piece in pieces])
    counts = np.array([piece.line_count for piece in pieces])
    piece = np.maximum(np.searchsorted(first_lines, lines, side="right") - 1, 0)
    into = lines - first_lines[piece]
    known = (into >= 0) & (into < counts[piece])
    last = np.maximum(counts[piece] - 1, 0)
    return first_rows[piece] + np.clip(into, 0, last) // stride, known


def cells_of(
    defect: LoggedDefect, pieces: Sequence[Piece], form: MapFormat
) -> tuple[int, int, int, int]:
    """First and end row, first and end column of the cells that a defect's box touches."""
    lines = np.array([defect.first_line, max(defect.end_line - 1, defect.first_line)])
    rows, _ = rows_of_lines(lines, pieces, form.stride)
    first = round(defect.cross_first_mm / form.pixel_mm)
    end = max(round(defect.cross_end_mm / form.pixel_mm), first + 1)
    columns = first // form.stride, min(-(-end // form.stride), form.columns)
    return int(rows[0]), int(rows[1]) + 1, *columns


def end_line(pieces: Sequence[Piece], map_rows: int, stride: int) -> int:
    """First line after the last one in the map, at most what its rows hold."""
    if not pieces:
        return map_rows * stride
    inside = [piece for piece in pieces if piece.first_row < map_rows]
    ends = [
        piece.first_line + min(piece.line_count, (map_rows - piece.first_row) * stride)
        for piece in inside
    ]
    return max(ends, default=0)
