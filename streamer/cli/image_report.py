"""What `linescan inspect` tells of one image, as values and files; knows no backbone."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

from streamer.cli.overlay import Box, draw_overlay
from streamer.correction.web_grid import true_runs
from streamer.decision import DecisionState, decide, finish
from streamer.message import Interval, RegionMm, Severity
from streamer.outputs.storage import write_atomically
from streamer.severity import severity_of
from streamer.web import Strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.decision import DecisionSettings
    from streamer.message import Defect, PixelArray, ScoreArray
    from streamer.scoring.image_scorer import ImageVerdict
    from streamer.web import WebGeometry


@dataclass(frozen=True, slots=True)
class FoundRegion:
    """An anomalous region; intervals are half-open pixels, scores in units of the alarm level."""

    lines: Interval
    columns: Interval
    box_mm: RegionMm
    peak: float
    mean: float
    area_mm2: float
    severity: Severity = Severity.LOW


@dataclass(frozen=True, slots=True)
class Masked:
    """What of an image is no web and was not judged.

    `share` is of its pixels; `lines` and `columns` are half-open pixels, masked over the whole
    width and over the whole length.
    """

    share: float = 0.0
    area_mm2: float = 0.0
    lines: tuple[Interval, ...] = ()
    columns: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one image; `image_score`, `background` and `alarm_level` are raw scores.

    `peak` is the image score in units of the alarm level: 0 is typical texture, 1 the alarm.
    """

    image: str
    lines: int
    columns: int
    image_score: float
    background: float
    alarm_level: float
    calibration_blocks: int
    peak: float
    regions: tuple[FoundRegion, ...]
    method: str
    patch_size: int
    patch_size_configured: int
    backbone: str
    engine: str
    model_digest: str
    profile_digest: str
    config_digest: str
    map: str
    overlay: str
    masked: Masked = Masked()


def find_regions(
    verdict: ImageVerdict, lines: int, settings: DecisionSettings
) -> tuple[FoundRegion, ...]:
    """The decision of the line, on an image of `lines` as one strip; strongest region first."""
    scores = verdict.profile.calibration.normalise(verdict.scores)
    strip = Strip(0, lines, verdict.stride, scores, starts_piece=True, captured_ns=0)
    state, found = decide(DecisionState(), strip, settings)
    final = {defect.id: defect for defect in (*found, *finish(state, settings))}
    regions = (_found(defect, settings) for defect in final.values())
    return tuple(sorted(regions, key=lambda region: -region.peak))


def write_report(report: Report, pixels: PixelArray, verdict: ImageVerdict, document: Path) -> None:
    """Write map and overlay where the report says, and the report itself into `document`.

    Each file is written whole or not at all.

    Raises:
        StorageError: a file cannot be written.
    """
    scores = scores_of_pixels(verdict, pixels)
    heat = verdict.profile.calibration.normalise(scores)
    boxes = [Box(region.lines, region.columns, region.peak) for region in report.regions]
    # Below the alarm level the heat is stretched to the image's own peak, and the caption says so.
    stretched = heat / min(max(report.peak, 1e-3), 1.0)
    caption = f"peak {report.peak:.2f}x alarm level"
    encoded = cv2.imencode(".png", draw_overlay(pixels, stretched, boxes, caption))[1]
    array = io.BytesIO()
    np.save(array, scores)
    content = json.dumps(asdict(report), indent=2) + "\n"
    write_atomically(Path(report.map), array.getvalue(), "map")
    write_atomically(Path(report.overlay), encoded.tobytes(), "overlay")
    write_atomically(document, content.encode(), "report")


def _found(defect: Defect, settings: DecisionSettings) -> FoundRegion:
    geometry = settings.geometry
    cross = (defect.region.cross_first, defect.region.cross_end)
    columns = Interval(*(round(mm / geometry.pixel_mm) for mm in cross))
    lines = Interval(defect.first_line, defect.end_line)
    figures = defect.peak, defect.mean, defect.area_mm2
    severity = severity_of(defect, settings.severity)
    return FoundRegion(lines, columns, defect.region, *figures, severity)


def masked_of(verdict: ImageVerdict, pixels: PixelArray, geometry: WebGeometry) -> Masked:
    """What the map of the pixels has no score for, of an image (lines, columns[, 3])."""
    missing = np.isnan(scores_of_pixels(verdict, pixels))
    lines, columns = (
        tuple(Interval(*run) for run in true_runs(missing.all(axis=axis))) for axis in (1, 0)
    )
    area = float(missing.sum()) * geometry.pixel_mm * geometry.line_mm
    return Masked(float(missing.mean()), area, lines, columns)


def scores_of_pixels(verdict: ImageVerdict, pixels: PixelArray) -> ScoreArray:
    """Raw scores for every pixel: bilinear, cell centres half a stride from the edge; NaN: masked.

    Masked cells stay whole: beside them the cells of the web are interpolated among themselves.
    """
    lines, columns = pixels.shape[:2]
    rows, cells = verdict.scores.shape
    masked = np.isnan(verdict.scores)
    size = (cells * verdict.stride, rows * verdict.stride)
    full = cv2.resize(_without_gaps(verdict.scores, masked), size, interpolation=cv2.INTER_LINEAR)
    if masked.any():
        flags = cv2.resize(masked.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        full[flags > 0] = np.nan
    return np.ascontiguousarray(full[:lines, :columns])


def _without_gaps(scores: ScoreArray, masked: NDArray[np.bool_]) -> ScoreArray:
    """What is masked takes the score of the nearest cell that is not."""
    if not masked.any() or masked.all():
        return scores
    nearest = ndimage.distance_transform_edt(masked, return_distances=False, return_indices=True)
    rows, columns = np.asarray(nearest)
    filled: ScoreArray = scores[rows, columns]
    return filled
