"""The roll report: one HTML file from what the roll folder holds; asks nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streamer.grading import YARD_MM
from streamer.grading_section import Grading
from streamer.outputs.alarm_history import count_alarms, read_alarms
from streamer.outputs.report_coverage import (
    COVERAGE_BINS,
    camera_spans,
    coverage_runs,
    gap_tracks,
    status_colours,
)
from streamer.outputs.report_facts import duration_text, source_text, threshold_text
from streamer.outputs.report_figures import (
    BAND_WIDTH_PX,
    Band,
    inspected_percent,
    percent_text,
    round_step,
    verdict,
)
from streamer.outputs.report_grading import SEVERITIES, histogram, view_grading
from streamer.outputs.report_map import legend_gradient
from streamer.outputs.report_rows import band_views, defect_rows, repeat_rows
from streamer.outputs.roll_content import read_roll
from streamer.outputs.storage import write_atomically
from streamer.outputs.truth import default_tolerance_mm
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from streamer.outputs.report_grading import GradingView
    from streamer.outputs.roll_content import RollContent

REPORT_NAME = "report.html"
MOST_GAPS = 60
MOST_LABELS = 80
MOST_ALARMS = 100
MOST_PIECES = 200
MAINTENANCE = "maintenance_required"  # NE 107


def render_report(
    roll_folder: Path, out: Path | None = None, grading: Grading | None = None
) -> Path:
    """Write the report of a roll, `report.html` in its folder unless `out` names another file.

    It is graded by `grading`, or as the roll's own configuration says.

    Raises:
        FileNotFoundError: the folder lacks the manifest, the map or the defect log.
        ValueError: one of them is damaged or of another version.
        StorageError: the report cannot be written.
    """
    content = read_roll(roll_folder)
    page = _page(content, grading or _own_grading(content.manifest))
    path = out or roll_folder / REPORT_NAME
    write_atomically(path, page.encode(), "report")
    return path


def _own_grading(manifest: dict[str, Any]) -> Grading:
    """That of the roll; a roll that has none is graded by the defaults."""
    return Grading.model_validate(manifest["config"].get("grading") or {})


def _page(content: RollContent, grading: Grading) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent_text
    environment.filters["clock"] = _clock
    view = view_grading(content.manifest, content.log, grading)
    context = {
        **_head(content),
        **_coverage(content),
        **_grading(content, grading, view),
        **_defects(content, view),
        **_alarms(content.folder),
    }
    return environment.get_template("report.html.j2").render(context)


def _head(content: RollContent) -> dict[str, Any]:
    manifest = content.manifest
    return {
        "manifest": manifest,
        "verdict": verdict(manifest, content.log.defects),
        "geometry": content.geometry,
        "stride": content.form.stride,
        "source": source_text(manifest["config"]),
        "threshold": threshold_text(manifest["config"]),
        "duration": duration_text(manifest["duration_s"]),
        "config": yaml.safe_dump(manifest["config"], sort_keys=False),
    }


def _coverage(content: RollContent) -> dict[str, Any]:
    manifest, rows = content.manifest, content.log.coverage
    lines = manifest["totals"]["lines"]
    statuses = {row.status for row in rows}
    statuses |= set(manifest["totals"]["coverage"]["not_inspected_px"])
    gaps = [row for row in rows if row.status not in (INSPECTED, MASKED)]
    return {
        "coverage": manifest["totals"]["coverage"],
        "inspected_percent": inspected_percent(manifest["totals"]["coverage"]),
        "runs": coverage_runs(rows, lines),
        "tracks": gap_tracks(rows, lines, content.geometry.line_mm / 1000),
        "bins": COVERAGE_BINS,
        "colours": status_colours(statuses),
        "gaps": gaps[:MOST_GAPS],
        "gap_count": len(gaps),
        "seams": len(content.log.pieces) - 1,
        "cameras": camera_spans(rows, content.geometry.pixel_mm),
        "bands": band_views(content, gaps),
        "band_width": BAND_WIDTH_PX,
        "legend": legend_gradient(),
    }


def _grading(content: RollContent, grading: Grading, view: GradingView) -> dict[str, Any]:
    length_m = content.manifest["totals"]["metres"]
    bins = histogram(content.log.defects, view.yards, length_m)
    return {
        "bands_ticks": Band(0.0, length_m, 1.0, 1.0).ticks() if length_m > 0 else [],
        "grading": grading,
        "grade": view.grade,
        "web_width_mm": view.width_mm,
        "plan": view.plan,
        "shortest_m": min(grading.lengths_cells, default=0) * grading.resolution_m,
        "most_pieces": MOST_PIECES,
        "yard_mm": YARD_MM,
        "histogram": bins,
        "most_defects": _axis_top([one.total for one in bins]),
        "most_points": _axis_top([one.points for one in bins]),
        "severities": SEVERITIES,
    }


def _defects(content: RollContent, view: GradingView) -> dict[str, Any]:
    defects = content.log.defects
    return {
        "rows": defect_rows(content, view),
        "defect_count": len(defects),
        "labelled": len(defects) <= MOST_LABELS,
        "repeats": repeat_rows(defects),
        "match": content.match,
        "tolerance_mm": default_tolerance_mm(content.geometry, content.form.stride),
    }


def _alarms(folder: Path) -> dict[str, Any]:
    counts = count_alarms(folder)
    shown = read_alarms(folder, ("system", "not_inspected"), MOST_ALARMS)
    return {
        "alarm_counts": counts,
        "alarms": shown,
        "alarms_left": sum(counts.get(k, (0,))[0] for k in ("system", "not_inspected"))
        - len(shown),
        "maintenance": [alarm for alarm in shown if alarm.last.signal == MAINTENANCE],
    }


def _axis_top(values: list[int]) -> int:
    """A round number that no bar exceeds."""
    return int(round_step(max([*values, 1])))


def _clock(utc: str | None) -> str:
    """Date and time to the second of an RFC 3339 time."""
    return utc[:19].replace("T", " ") if utc else "–"
