"""manifest.json: what a roll was inspected with and what came out; decides nothing."""

from __future__ import annotations

import hashlib
import json
import platform
import struct
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.message import DefectState
from streamer.outputs.storage import utc_text, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.message import Defect
    from streamer.outputs.defect_log import CoverageRow
    from streamer.web import Coverage, Strip, WebGeometry

MANIFEST_NAME = "manifest.json"
MANIFEST_SCHEMA = "linescan.manifest/1"
PACKAGES = ("linescan", "numpy", "torch", "onnxruntime", "opencv-python-headless", "pyzmq", "zarr")


class RollDigests:
    """SHA-256 over what was decided, in web order, so that a replay can be compared bit for bit.

    Independent of how the web was cut into strips (scores), of when anything happened, and of who
    worked on it.
    """

    def __init__(self) -> None:
        self._scores = hashlib.sha256()
        self._defects = hashlib.sha256()
        self._coverage = hashlib.sha256()

    def add_scores(self, strip: Strip) -> None:
        """Take the next strip; every NaN counts as the same."""
        if strip.starts_piece:
            self._scores.update(struct.pack("<q", strip.first_line))
        scores = np.where(np.isnan(strip.scores), np.float32(np.nan), strip.scores)
        self._scores.update(np.ascontiguousarray(scores, dtype="<f4").tobytes())

    def add_defect(self, defect: Defect) -> None:
        """Take an announcement; only the end of a defect counts, with its final figures."""
        if defect.state is not DefectState.END:
            return
        box = defect.region
        lines = struct.pack("<qqq", defect.id, defect.first_line, defect.end_line)
        figures = (box.cross_first, box.cross_end, defect.peak, defect.mean, defect.area_mm2)
        self._defects.update(lines + struct.pack("<5d", *figures) + _text(defect.defect_class))

    def add_coverage(self, row: CoverageRow) -> None:
        """Take what became of the next block of web; the detail, a text for people, is left out."""
        place = (row.lane, row.lines.first, row.lines.end, row.columns.first, row.columns.end)
        self._coverage.update(_text(row.camera) + struct.pack("<5q", *place) + _text(row.status))

    def as_dict(self) -> dict[str, str]:
        """The digests so far, 64 hexadecimal digits each."""
        digests = {"scores": self._scores, "defects": self._defects, "coverage": self._coverage}
        return {name: digest.hexdigest() for name, digest in digests.items()}


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that manifest.json says; times are UTC nanoseconds.

    `outcome` is "complete" or says in words why the roll ended early. `throughput_mpix_s` counts
    captured pixels over the whole time. `is_exact`: every pixel up to the last line is accounted
    for. `self_judged_px` was inspected before the lane had a profile, or without one. `truth` is
    the simulator's, None for a real web. `profile_drift` and `new_articles` are by lane, see
    ports.RollSummary.
    """

    roll: str
    outcome: str
    started_ns: int
    ended_ns: int
    geometry: WebGeometry
    lines: int
    coverage: Coverage
    defects: int
    latency_p50_ms: float
    latency_p99_ms: float
    throughput_mpix_s: float
    engine: str
    workers: tuple[str, ...]
    capture_starts: int
    self_judged_px: int
    is_exact: bool
    model_digest: str
    config: dict[str, Any]
    config_digest: str
    digests: dict[str, str]
    profile_digests: dict[str, str] = field(default_factory=dict)
    truth: dict[str, Any] | None = None
    profile_drift: dict[str, float] = field(default_factory=dict)
    new_articles: dict[str, list[int]] = field(default_factory=dict)
    camera_health: dict[str, float] = field(default_factory=dict)


def manifest_record(manifest: Manifest) -> dict[str, Any]:
    """The manifest as it stands in the file."""
    geometry = manifest.geometry
    return {
        "schema": MANIFEST_SCHEMA,
        "roll": manifest.roll,
        "outcome": manifest.outcome,
        "started_utc": utc_text(manifest.started_ns),
        "ended_utc": utc_text(manifest.ended_ns),
        "duration_s": (manifest.ended_ns - manifest.started_ns) / 1e9,
        "web": {
            "columns": geometry.columns,
            "pixel_mm": geometry.pixel_mm,
            "line_mm": geometry.line_mm,
            "speed_m_min": geometry.speed_m_min,
        },
        "totals": {
            "lines": manifest.lines,
            "metres": geometry.metres(manifest.lines),
            "defects": manifest.defects,
            "coverage": _coverage_record(manifest),
        },
        "latency_ms": {"p50": manifest.latency_p50_ms, "p99": manifest.latency_p99_ms},
        "throughput_mpix_s": manifest.throughput_mpix_s,
        "engine": manifest.engine,
        "workers": list(manifest.workers),
        "capture_starts": manifest.capture_starts,
        "model_digest": manifest.model_digest,
        "profile_digests": manifest.profile_digests,
        "profile_drift": manifest.profile_drift,
        "new_articles": manifest.new_articles,
        "camera_health": manifest.camera_health,
        "config_digest": manifest.config_digest,
        "digests": manifest.digests,
        "versions": versions(),
        "config": manifest.config,
        "truth": manifest.truth,
    }


def write_manifest(roll_folder: Path, manifest: Manifest) -> Path:
    """Write manifest.json, the whole of it or nothing.

    Raises:
        StorageError: it cannot be written.
        ValueError: a number is not finite.
    """
    path = roll_folder / MANIFEST_NAME
    content = json.dumps(manifest_record(manifest), indent=2, allow_nan=False)
    write_atomically(path, content.encode() + b"\n", "manifest")
    return path


def read_manifest(roll_folder: Path) -> dict[str, Any]:
    """The manifest of a roll.

    Raises:
        FileNotFoundError: the folder has none, so it holds no roll that ended.
        ValueError: the file is no manifest of this version.
    """
    path = roll_folder / MANIFEST_NAME
    if not path.is_file():
        msg = f"roll must be a folder with a {MANIFEST_NAME}, got {roll_folder}"
        raise FileNotFoundError(msg)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path} must be JSON, got: {error}"
        raise ValueError(msg) from None
    given = record.get("schema") if isinstance(record, dict) else None
    if given != MANIFEST_SCHEMA:
        msg = f"{path} must have schema {MANIFEST_SCHEMA}, got {given!r}"
        raise ValueError(msg)
    return dict(record)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that take part in a verdict."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _coverage_record(manifest: Manifest) -> dict[str, Any]:
    coverage, geometry = manifest.coverage, manifest.geometry
    pixel_m2 = geometry.pixel_mm * geometry.line_mm / 1e6
    return {
        "captured_px": coverage.captured,
        "inspected_px": coverage.inspected,
        "masked_px": coverage.masked,
        "not_inspected_px": {r.value: area for r, area in sorted(coverage.not_inspected.items())},
        "captured_m2": coverage.captured * pixel_m2,
        "inspected_m2": coverage.inspected * pixel_m2,
        "masked_m2": coverage.masked * pixel_m2,
        "self_judged_px": manifest.self_judged_px,
        "self_judged_m2": manifest.self_judged_px * pixel_m2,
        "not_inspected_percent": coverage.not_inspected_percent,
        "is_exact": manifest.is_exact,
    }


def _text(text: str) -> bytes:
    """Length first, so that two texts never read as one."""
    return struct.pack("<I", len(text.encode())) + text.encode()
