"""The map of a roll as pictures for the report: max-pooled bands, coloured; knows no page."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamer.message import PixelArray, ScoreArray, require
from streamer.outputs.roll_map_format import SHARD_ROWS
from streamer.outputs.roll_map_reader import MapReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from streamer.outputs.defect_log import Piece

BAND_PIXELS = 1200
CELLS_PER_BIN = 4  # so that no score is shown further from its place than a quarter of a pixel
LARGEST_HEIGHT = 160
UNKNOWN_COLOUR = (214, 208, 203)  # BGR
# Score and colour (RGB): paper white for typical texture, amber below the alarm level, then red.
COLOURS = (
    (0.0, (250, 251, 252)),
    (0.35, (243, 244, 239)),
    (0.7, (250, 217, 130)),
    (1.0, (240, 140, 50)),
    (1.6, (205, 45, 40)),
    (3.0, (110, 10, 40)),
)
THUMBNAIL_WIDTH = 160
THUMBNAIL_QUALITY = 75


@dataclass(frozen=True, slots=True)
class PooledMap:
    """The largest score per bin: (bins down-web, bins cross-web) float32, NaN where unknown."""

    scores: ScoreArray
    lines: int


def pool_map(
    shards: Iterable[ScoreArray], pieces: Sequence[Piece], stride: int, size: PooledSize
) -> PooledMap:
    """Max-pool a map, shard by shard; small defects stay visible at any length.

    A row goes into the bin of its first line. `pieces` say which line that is. Each row of a shard
    stands for `size.rows_per_cell` rows of the map.
    """
    pooled = np.full((size.bins, size.columns), np.nan, np.float32)
    first_row = 0
    for shard in shards:
        rows = np.arange(first_row, first_row + len(shard)) * size.rows_per_cell
        first_row += len(shard)
        if not len(shard) or not size.lines:
            continue
        lines = row_lines(rows, pieces, stride)
        bins = np.minimum(lines * size.bins // size.lines, size.bins - 1)
        edges = np.arange(size.columns) * shard.shape[1] // size.columns
        narrow = np.fmax.reduceat(shard, edges, axis=1)
        starts = np.flatnonzero(np.diff(bins, prepend=-1))
        tallest = np.fmax.reduceat(narrow, starts, axis=0)
        pooled[bins[starts]] = np.fmax(pooled[bins[starts]], tallest)
    return PooledMap(pooled, size.lines)


@dataclass(frozen=True, slots=True)
class PooledSize:
    """Bins of a pooled map over `lines` lines of web, made of cells of so many rows."""

    bins: int
    columns: int
    lines: int
    rows_per_cell: int = 1

    @classmethod
    def fitting(cls, lines: int, stride: int, columns: int, bands: int) -> PooledSize:
        """At most what `bands` bands show, at most one bin per row of the map."""
        rows = max(1, lines // stride)
        bins = min(bands * BAND_PIXELS, rows)
        return cls(bins, min(columns, LARGEST_HEIGHT), lines)


def pooled_map(roll_folder: Path, pieces: Sequence[Piece], size: PooledSize) -> PooledMap:
    """Max-pool the map of a roll from the coarsest level of its pyramid that is fine enough.

    Raises:
        FileNotFoundError: there is no map in the folder.
        ValueError: it is of another version or damaged.
    """
    reader = MapReader(roll_folder)
    fits = [
        number
        for number, level in enumerate(reader.levels)
        if level.rows_per_cell == 1 or level.rows(reader.rows) >= CELLS_PER_BIN * size.bins
    ]
    chosen = reader.levels[fits[-1]]
    rows = chosen.rows(reader.rows)
    shards = (reader.scores(fits[-1], at, at + SHARD_ROWS) for at in range(0, rows, SHARD_ROWS))
    stride = reader.form.stride
    return pool_map(shards, pieces, stride, replace(size, rows_per_cell=chosen.rows_per_cell))


def row_lines(rows: ScoreArray, pieces: Sequence[Piece], stride: int) -> ScoreArray:
    """First line of each row of the map; without pieces the roll is one."""
    first_rows = np.array([piece.first_row for piece in pieces] or [0])
    first_lines = np.array([piece.first_line for piece in pieces] or [0])
    piece = np.maximum(np.searchsorted(first_rows, rows, side="right") - 1, 0)
    lines: ScoreArray = first_lines[piece] + (rows - first_rows[piece]) * stride
    return lines


def colour_map(scores: ScoreArray) -> PixelArray:
    """BGR picture with cross-web upwards in rows and down-web to the right; grey where unknown."""
    levels = np.array([level for level, _ in COLOURS])
    channels = np.array([colour for _, colour in COLOURS], float)
    filled = np.nan_to_num(scores, nan=0.0)
    picture = np.stack([np.interp(filled, levels, channels[:, c]) for c in (2, 1, 0)], axis=-1)
    picture[np.isnan(scores)] = UNKNOWN_COLOUR
    return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 0, 2))


def band_pictures(pooled: PooledMap, bands: int) -> list[str]:
    """Data URIs of the bands, in web order: PNG, losslessly the pooled map."""
    edges = [pooled.scores.shape[0] * band // bands for band in range(bands + 1)]
    parts = [pooled.scores[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    return [_data_uri(colour_map(part), ".png", []) if len(part) else "" for part in parts]


def thumbnail(path: Path) -> str:
    """Data URI of a small JPEG of a picture; "" when the file cannot be read."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return ""
    # Read here: OpenCV crashes on the name of a file that is not UTF-8.
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        return ""
    scale = min(1.0, THUMBNAIL_WIDTH / picture.shape[1])
    size = [max(1, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return _data_uri(small, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])


def legend_gradient() -> str:
    """The colours as CSS gradient stops over the scores 0 to 2."""
    stops = [(level, colour) for level, colour in COLOURS if level <= 2.0]
    return ", ".join(f"rgb{colour} {50 * level:.0f}%" for level, colour in stops)


def _data_uri(picture: PixelArray, suffix: str, options: list[int]) -> str:
    done, encoded = cv2.imencode(suffix, picture, options)
    require(done, "picture must be encodable", picture.shape)
    kind = "jpeg" if suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"
