"""Everything that a roll folder says, read once; renders nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.message import RegionMm
from streamer.outputs.defect_log import LogContent, read_log
from streamer.outputs.manifest import read_manifest
from streamer.outputs.roll_map import MapFormat, read_map
from streamer.outputs.truth import TruthMatch, default_tolerance_mm, match_truth, parse_truth
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RollContent:
    """Manifest, log and form of the map; `match` is None where the web is a real one."""

    folder: Path
    manifest: dict[str, Any]
    log: LogContent
    form: MapFormat
    geometry: WebGeometry
    match: TruthMatch | None


def read_roll(roll_folder: Path) -> RollContent:
    """Read a roll folder.

    Raises:
        FileNotFoundError: the folder lacks the manifest, the map or the defect log.
        ValueError: one of them is damaged or of another version.
    """
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
    return {
        d.id: RegionMm(d.down_first_mm, d.down_end_mm, d.cross_first_mm, d.cross_end_mm)
        for d in log.defects
    }
