"""Pictures of defects: the pixels, and the same with a heat overlay; decides nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamer.message import Interval, PixelArray, ScoreArray, require
from streamer.outputs.storage import storage_errors, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.message import Defect, ScoreMap
    from streamer.web import WebGeometry

FOLDER_NAME = "evidence"
PANEL_WIDTH, PANEL_HEIGHT = 252, 480
CONTEXT_PX = 24
SMALLEST_WINDOW_PX = 96
LARGEST_WINDOW_PX = 1024
OVERLAY_STRENGTH = 0.55
BOX_COLOUR = (30, 30, 230)  # BGR


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """How many defects may have pictures, and how many tiles are kept for defects still open."""

    max_pictures: int = 500
    keep_tiles: int = 64

    def __post_init__(self) -> None:
        require(self.max_pictures >= 0, "max_pictures must be >= 0", self.max_pictures)
        require(self.keep_tiles > 0, "keep_tiles must be > 0", self.keep_tiles)


class EvidenceStore:
    """Keeps the latest tiles with evidence pixels and writes two pictures per defect.

    A defect over several tiles is shown where it peaks among the tiles still kept; one that ran on
    for longer than they reach back is shown near its end.
    """

    def __init__(
        self, roll_folder: Path, geometry: WebGeometry, limits: EvidenceLimits | None = None
    ) -> None:
        """Create the folder of the pictures.

        Raises:
            StorageError: it cannot be created.
        """
        limits = limits or EvidenceLimits()
        self._folder = roll_folder / FOLDER_NAME
        self._geometry = geometry
        self._left = limits.max_pictures
        self._tiles: deque[ScoreMap] = deque(maxlen=limits.keep_tiles)
        with storage_errors(self._folder, "evidence"):
            self._folder.mkdir(exist_ok=True)

    def add(self, score_map: ScoreMap) -> None:
        """Keep a tile if it has evidence pixels; the oldest one goes."""
        if score_map.evidence is not None:
            self._tiles.append(score_map)

    def write(self, defect: Defect) -> tuple[Path, Path] | None:
        """Write the pixels of a defect and the same under heat, both as PNG.

        None when there are no pixels of it, or enough defects have pictures.

        Raises:
            StorageError: a picture cannot be written.
        """
        found = self._peak_tile(defect)
        if found is None or self._left <= 0:
            return None
        raw, overlay = (
            self._folder / f"defect_{defect.id:06d}_{kind}.png" for kind in ("raw", "overlay")
        )
        for path, picture in zip((raw, overlay), draw_evidence(*found), strict=True):
            write_atomically(path, _png(picture), "evidence")
        self._left -= 1
        return raw, overlay

    def _peak_tile(self, defect: Defect) -> tuple[ScoreMap, Box] | None:
        """The kept tile with the highest score inside the defect, and the defect's box in it."""
        box = _web_box(defect, self._geometry)
        parts = [(tile, box.within(tile)) for tile in self._tiles]
        touched = [(tile, part) for tile, part in parts if part is not None]
        return max(touched, key=lambda found: _peak(*found), default=None)


@dataclass(frozen=True, slots=True)
class Box:
    """Lines and columns of a rectangle."""

    lines: Interval
    columns: Interval

    def within(self, tile: ScoreMap) -> Box | None:
        """The part in the core of `tile`, counted from its corner; None if there is none."""
        lines = _overlap(self.lines, tile.first_line, tile.line_count)
        columns = _overlap(self.columns, tile.first_column, tile.column_count)
        return None if lines is None or columns is None else Box(lines, columns)


def draw_evidence(tile: ScoreMap, box: Box) -> tuple[PixelArray, PixelArray]:
    """Pixels, and pixels under heat, around `box` (in pixels of the tile's core): BGR, 8 bit.

    Both are at most PANEL_WIDTH by PANEL_HEIGHT; the box is drawn on the second alone.

    Raises:
        ValueError: the tile has no evidence pixels.
    """
    require(tile.evidence is not None, "ScoreMap.evidence must be there", tile.address)
    pixels = _to_bgr(tile.evidence)  # type: ignore[arg-type]
    window = _window(tile, box)
    crop = pixels[_slices(window)]
    heat = _overlay(crop, _full_size(tile)[_slices(window)])
    scale = _scale(crop.shape)
    raw, overlay = (_resize(panel, scale) for panel in (crop, heat))
    corner = window.lines.first, window.columns.first
    _draw_box(overlay, box, corner, scale)
    return raw, overlay


def _web_box(defect: Defect, geometry: WebGeometry) -> Box:
    first = round(defect.region.cross_first / geometry.pixel_mm)
    end = round(defect.region.cross_end / geometry.pixel_mm)
    return Box(Interval(defect.first_line, defect.end_line), Interval(first, end))


def _overlap(interval: Interval, first: int, count: int) -> Interval | None:
    low, high = max(interval.first - first, 0), min(interval.end - first, count)
    return Interval(low, high) if low < high else None


def _peak(tile: ScoreMap, box: Box) -> float:
    rows = slice(box.lines.first // tile.stride, -(-box.lines.end // tile.stride))
    columns = slice(box.columns.first // tile.stride, -(-box.columns.end // tile.stride))
    return float(_known(tile)[rows, columns].max())


def _known(tile: ScoreMap) -> ScoreArray:
    """Scores in units of the alarm level, with 0, typical texture, where nothing was scored."""
    scores = (tile.scores - tile.background) / (tile.alarm_level - tile.background)
    return np.where(np.isfinite(scores), scores, 0).astype(np.float32)


def _window(tile: ScoreMap, box: Box) -> Box:
    """What the picture shows: the box and its surroundings, inside the tile."""
    return Box(_widen(box.lines, tile.line_count), _widen(box.columns, tile.column_count))


def _widen(interval: Interval, limit: int) -> Interval:
    wanted = max(interval.size + 2 * CONTEXT_PX, SMALLEST_WINDOW_PX)
    size = min(wanted, LARGEST_WINDOW_PX, limit)
    first = (interval.first + interval.end - size) // 2
    first = max(0, min(first, limit - size))
    return Interval(first, first + size)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.lines.first, box.lines.end), slice(box.columns.first, box.columns.end)


def _to_bgr(pixels: PixelArray) -> PixelArray:
    """8-bit BGR; 16 bit uses its upper byte, as the backbone does."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    return np.dstack([eight] * 3) if eight.ndim == 2 else np.ascontiguousarray(eight[..., ::-1])


def _full_size(tile: ScoreMap) -> ScoreArray:
    """Scores of every pixel of the core, bilinear between the centres of the grid cells."""
    known = _known(tile)
    rows, columns = (size * tile.stride for size in known.shape)
    grown = cv2.resize(known, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return grown[: tile.line_count, : tile.column_count]


def _overlay(crop: PixelArray, scores: ScoreArray) -> PixelArray:
    """Typical texture stays as it is; from half the alarm level on the heat shows."""
    level = np.clip(scores / 2.0, 0.0, 1.0)
    heat = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = OVERLAY_STRENGTH * np.clip((scores - 0.3) / 0.5, 0.0, 1.0)[..., np.newaxis]
    return (crop * (1 - strength) + heat * strength).astype(np.uint8)


def _scale(shape: tuple[int, ...]) -> float:
    fit = min(PANEL_WIDTH / shape[1], PANEL_HEIGHT / shape[0])
    return min(fit, 4.0)


def _resize(panel: PixelArray, scale: float) -> PixelArray:
    size = [max(1, int(side * scale)) for side in (panel.shape[1], panel.shape[0])]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.ascontiguousarray(cv2.resize(panel, size, interpolation=method))


def _draw_box(panel: PixelArray, box: Box, corner: tuple[int, int], scale: float) -> None:
    top, bottom = ((line - corner[0]) * scale for line in (box.lines.first, box.lines.end))
    left, right = ((column - corner[1]) * scale for column in (box.columns.first, box.columns.end))
    first, last = (int(left), int(top)), (int(right) - 1, int(bottom) - 1)
    cv2.rectangle(panel, first, last, BOX_COLOUR, 1)


def _png(picture: PixelArray) -> bytes:
    _, encoded = cv2.imencode(".png", picture)
    return encoded.tobytes()
