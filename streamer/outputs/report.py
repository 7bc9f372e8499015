"""The roll report: one HTML file from what the roll folder holds; asks nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streamer.message import RegionMm
from streamer.outputs.defect_log import LogContent, read_log
from streamer.outputs.evidence import FOLDER_NAME
from streamer.outputs.manifest import read_manifest
from streamer.outputs.report_figures import (
    BAND_WIDTH_PX,
    COVERAGE_BINS,
    Band,
    Mark,
    bands,
    coverage_runs,
    inspected_percent,
    percent_text,
    status_colours,
    verdict,
)
from streamer.outputs.report_map import (
    PooledSize,
    band_pictures,
    legend_gradient,
    pool_map,
    thumbnail,
)
from streamer.outputs.roll_map import MapFormat, read_map
from streamer.outputs.storage import write_atomically
from streamer.outputs.truth import (
    TruthDefect,
    TruthMatch,
    default_tolerance_mm,
    match_truth,
    parse_truth,
)
from streamer.web import INSPECTED, MASKED, WebGeometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.outputs.defect_log import CoverageRow, LoggedDefect

REPORT_NAME = "report.html"
MOST_THUMBNAILS = 300
MOST_ROWS = 2000
MOST_GAPS = 60
MOST_LABELS = 80
GAP_MARKS = 400


@dataclass(frozen=True, slots=True)
class RollContent:
    """Everything that the roll folder says, read once."""

    folder: Path
    manifest: dict[str, Any]
    log: LogContent
    form: MapFormat
    geometry: WebGeometry
    match: TruthMatch | None


@dataclass(frozen=True, slots=True)
class BandView:
    """A band with its picture and everything drawn over it."""

    band: Band
    picture: str
    defects: tuple[tuple[LoggedDefect, Mark], ...]
    missed: tuple[tuple[TruthDefect, Mark], ...]
    gaps: tuple[tuple[CoverageRow, Mark], ...]


@dataclass(frozen=True, slots=True)
class DefectRow:
    """A row of the table: the defect, its picture and what it is known to be."""

    defect: LoggedDefect
    picture: str
    planted: str


def render_report(roll_folder: Path, out: Path | None = None) -> Path:
    """Write the report of a roll, `report.html` in its folder unless `out` names another file.

    Raises:
        FileNotFoundError: the folder lacks the manifest, the map or the defect log.
        ValueError: the manifest is of another version.
        StorageError: the report cannot be written.
    """
    content = read_roll(roll_folder)
    path = out or roll_folder / REPORT_NAME
    write_atomically(path, _page(content).encode(), "report")
    return path


def read_roll(roll_folder: Path) -> RollContent:
    """Read a roll folder; errors as `render_report`."""
    manifest, log = read_manifest(roll_folder), read_log(roll_folder)
    form, _ = read_map(roll_folder)
    web = manifest["web"]
    geometry = WebGeometry(web["columns"], web["pixel_mm"], web["line_mm"], web["speed_m_min"])
    match = None
    if manifest["truth"] is not None:
        truths = parse_truth(manifest["truth"], geometry, manifest["totals"]["lines"])
        match = match_truth(truths, _detected(log), default_tolerance_mm(geometry, form.stride))
    return RollContent(roll_folder, manifest, log, form, geometry, match)


def _detected(log: LogContent) -> dict[int, RegionMm]:
    return {defect.id: RegionMm(*_box(defect)) for defect in log.defects}


def _page(content: RollContent) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent_text
    return environment.get_template("report.html.j2").render(_context(content))


def _context(content: RollContent) -> dict[str, Any]:
    manifest, defects = content.manifest, content.log.defects
    statuses = {row.status for row in content.log.coverage}
    statuses |= set(manifest["totals"]["coverage"]["not_inspected_px"])
    gaps = [row for row in content.log.coverage if row.status not in (INSPECTED, MASKED)]
    return {
        "manifest": manifest,
        "coverage": manifest["totals"]["coverage"],
        "inspected_percent": inspected_percent(manifest["totals"]["coverage"]),
        "verdict": verdict(manifest, defects),
        "geometry": content.geometry,
        "stride": content.form.stride,
        "runs": coverage_runs(content.log.coverage, manifest["totals"]["lines"]),
        "bins": COVERAGE_BINS,
        "colours": status_colours(statuses),
        "gaps": gaps[:MOST_GAPS],
        "gap_count": len(gaps),
        "bands": _band_views(content, gaps),
        "band_width": BAND_WIDTH_PX,
        "labelled": len(defects) <= MOST_LABELS,
        "legend": legend_gradient(),
        "rows": _defect_rows(content),
        "defect_count": len(defects),
        "seams": len(content.log.pieces) - 1,
        "match": content.match,
        "tolerance_mm": default_tolerance_mm(content.geometry, content.form.stride),
        "config": yaml.safe_dump(manifest["config"], sort_keys=False),
    }


def _band_views(content: RollContent, gaps: Sequence[CoverageRow]) -> list[BandView]:
    lines = content.manifest["totals"]["lines"]
    geometry = content.geometry
    found = bands(geometry.metres(lines), geometry.columns * geometry.pixel_mm)
    size = PooledSize.fitting(lines, content.form.stride, content.form.columns, len(found) or 1)
    _, shards = read_map(content.folder)
    pooled = pool_map(shards, content.log.pieces, content.form.stride, size)
    missed = content.match.missed if content.match else ()
    return [
        BandView(
            band,
            picture,
            tuple((d, m) for d in content.log.defects if (m := band.mark(_box(d)))),
            tuple((t, m) for t in missed if (m := band.mark(_corners(t.region)))),
            tuple((g, m) for g in gaps[:GAP_MARKS] if (m := _gap_mark(band, g, geometry))),
        )
        for band, picture in zip(found, band_pictures(pooled, len(found) or 1), strict=False)
    ]


def _box(defect: LoggedDefect) -> tuple[float, float, float, float]:
    down = defect.down_first_mm, defect.down_end_mm
    return *down, defect.cross_first_mm, defect.cross_end_mm


def _corners(region: RegionMm) -> tuple[float, float, float, float]:
    return region.down_first, region.down_end, region.cross_first, region.cross_end


def _gap_mark(band: Band, row: CoverageRow, geometry: WebGeometry) -> Mark | None:
    return band.mark(_corners(geometry.region(row.lines, row.columns)))


def _defect_rows(content: RollContent) -> list[DefectRow]:
    """The table in web order; pictures for the worst ones, so that the file stays small."""
    defects = content.log.defects[:MOST_ROWS]
    worst = sorted(defects, key=lambda d: -d.peak)[:MOST_THUMBNAILS]
    pictured = {defect.id for defect in worst}
    planted = _planted_kinds(content.match)
    return [
        DefectRow(
            defect,
            _thumbnail(content.folder, defect.evidence) if defect.id in pictured else "",
            planted.get(defect.id, ""),
        )
        for defect in defects
    ]


def _thumbnail(folder: Path, evidence: str | None) -> str:
    """Only names are believed: a log cannot point outside the folder of its roll."""
    return thumbnail(folder / FOLDER_NAME / Path(evidence).name) if evidence else ""


def _planted_kinds(match: TruthMatch | None) -> dict[int, str]:
    kinds: dict[int, str] = {}
    if match is not None:
        for truth, hits in zip(match.truths, match.hits, strict=True):
            kinds.update(dict.fromkeys(hits, truth.kind))
    return kinds
