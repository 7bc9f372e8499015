"""Rows of the report's table of defects and marks of its map; knows no page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.outputs.evidence import FOLDER_NAME
from streamer.outputs.report_coverage import camera_at, camera_spans, merged_marks
from streamer.outputs.report_figures import SMALLEST_MARK_PX, Band, Mark, bands
from streamer.outputs.report_map import PooledSize, band_pictures, pooled_map, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import RegionMm
    from streamer.outputs.defect_log import CoverageRow, LoggedDefect
    from streamer.outputs.report_grading import GradingView
    from streamer.outputs.roll_content import RollContent
    from streamer.outputs.truth import TruthDefect, TruthMatch

MOST_THUMBNAILS = 300
MOST_ROWS = 2000
MOST_REPEATS = 50


@dataclass(frozen=True, slots=True)
class DefectMark:
    """A defect on a band: its symbol at `x`, `y`, and its box where that is larger."""

    defect: LoggedDefect
    x: float
    y: float
    box: Mark | None


@dataclass(frozen=True, slots=True)
class BandView:
    """A band with its picture and everything drawn over it."""

    band: Band
    picture: str
    defects: tuple[DefectMark, ...]
    missed: tuple[tuple[TruthDefect, Mark], ...]
    gaps: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class DefectRow:
    """A row of the table: the defect, its pictures and what it is known to be.

    `is_kept`: the folder holds a picture, whether the page shows it or not.
    """

    defect: LoggedDefect
    raw: str
    overlay: str
    is_kept: bool
    points: int
    camera: str
    planted: str


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """Marks that repeat along the roll: their period, place and number."""

    id: int
    period_mm: float
    first_m: float
    end_m: float
    cross_mm: float
    defects: tuple[int, ...]


def band_views(content: RollContent, gaps: Sequence[CoverageRow]) -> list[BandView]:
    """The rows of the defect map."""
    lines, geometry = content.manifest["totals"]["lines"], content.geometry
    found = bands(geometry.metres(lines), geometry.columns * geometry.pixel_mm)
    count = len(found) or 1
    size = PooledSize.fitting(lines, content.form.stride, content.form.columns, count)
    pooled = pooled_map(content.folder, content.log.pieces, size)
    missed = [(t, t.region) for t in content.match.missed] if content.match else []
    blind = [geometry.region(gap.lines, gap.columns) for gap in gaps]
    return [
        BandView(
            band,
            picture,
            tuple(_defect_mark(d, m) for d in content.log.defects if (m := band.mark(_box(d)))),
            tuple((t, m) for t, box in missed if (m := band.mark(_corners(box)))),
            tuple(merged_marks(m for box in blind if (m := band.mark(_corners(box))))),
        )
        for band, picture in zip(found, band_pictures(pooled, count), strict=False)
    ]


def defect_rows(content: RollContent, grading: GradingView) -> list[DefectRow]:
    """The table in web order; pictures for the worst ones, so that the file stays small."""
    defects = content.log.defects[:MOST_ROWS]
    worst = sorted(defects, key=lambda d: -d.peak)[:MOST_THUMBNAILS]
    pictured = {defect.id for defect in worst}
    planted = _planted_kinds(content.match)
    spans = camera_spans(content.log.coverage, content.geometry.pixel_mm)
    return [
        DefectRow(
            defect,
            raw=_thumbnail(content.folder, defect.evidence_raw, defect.id in pictured),
            overlay=_thumbnail(content.folder, defect.evidence_overlay, defect.id in pictured),
            is_kept=_is_kept(content.folder, defect.evidence_raw),
            points=grading.points[defect.id],
            camera=camera_at(spans, (defect.cross_first_mm + defect.cross_end_mm) / 2),
            planted=planted.get(defect.id, ""),
        )
        for defect in defects
    ]


def repeat_rows(defects: Sequence[LoggedDefect]) -> list[RepeatRow]:
    """Repeats by their number; the place is the middle of their marks."""
    groups: dict[int, list[LoggedDefect]] = {}
    for defect in defects:
        if defect.repeat_id is not None:
            groups.setdefault(defect.repeat_id, []).append(defect)
    found = [_repeat(number, marks) for number, marks in sorted(groups.items())]
    return found[:MOST_REPEATS]


def _repeat(number: int, marks: Sequence[LoggedDefect]) -> RepeatRow:
    crosses = [(mark.cross_first_mm + mark.cross_end_mm) / 2 for mark in marks]
    return RepeatRow(
        number,
        max(mark.repeat_period_mm or 0.0 for mark in marks),
        min(mark.down_first_mm for mark in marks) / 1000,
        max(mark.down_end_mm for mark in marks) / 1000,
        sum(crosses) / len(crosses),
        tuple(mark.id for mark in marks),
    )


def _defect_mark(defect: LoggedDefect, mark: Mark) -> DefectMark:
    is_large = max(mark.width, mark.height) > SMALLEST_MARK_PX
    x, y = mark.x + mark.width / 2, mark.y + mark.height / 2
    return DefectMark(defect, round(x, 2), round(y, 2), mark if is_large else None)


def _box(defect: LoggedDefect) -> tuple[float, float, float, float]:
    down = defect.down_first_mm, defect.down_end_mm
    return *down, defect.cross_first_mm, defect.cross_end_mm


def _corners(region: RegionMm) -> tuple[float, float, float, float]:
    return region.down_first, region.down_end, region.cross_first, region.cross_end


def _thumbnail(folder: Path, name: str | None, is_shown: bool) -> str:
    return thumbnail(_picture(folder, name)) if name and is_shown else ""


def _is_kept(folder: Path, name: str | None) -> bool:
    return name is not None and _picture(folder, name).is_file()


def _picture(folder: Path, name: str) -> Path:
    """Only names are believed: a log cannot point outside the folder of its roll."""
    return folder / FOLDER_NAME / Path(name).name


def _planted_kinds(match: TruthMatch | None) -> dict[int, str]:
    kinds: dict[int, str] = {}
    if match is not None:
        for truth, hits in zip(match.truths, match.hits, strict=True):
            kinds.update(dict.fromkeys(hits, truth.kind))
    return kinds
