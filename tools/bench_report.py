"""Time and memory of the report of a long roll, made through the real writers.

    python tools/bench_report.py [--metres 5000] [--defects 2000]

The roll is made by one process and its report rendered by another, whose peak memory counts. The
goal is 20 s and 500 MB for 5 km with 2,000 defects.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from streamer.config import Config
from streamer.message import Defect, DefectState, GapReason, Interval, Severity
from streamer.outputs.defect_log import CoverageRow, DefectLog, Evidence, Piece
from streamer.outputs.manifest import Manifest, RollDigests, write_manifest
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.web import Coverage, WebGeometry

GEOMETRY = WebGeometry(columns=4096, pixel_mm=0.4, line_mm=0.4, speed_m_min=60)
STRIDE = 8
ROWS = 4096  # of the map at a time
GOAL_S, GOAL_MB = 20.0, 500.0
KB_PER_MB = 1024.0
PICTURES = 500  # as many as a roll keeps


def main() -> int:
    """Make the roll, render, print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metres", type=float, default=5000.0)
    parser.add_argument("--defects", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        roll = Path(folder) / "roll"
        make_roll(roll, given.metres, given.defects)
        seconds, megabytes = render(roll)
        size_mb = (roll / "report.html").stat().st_size / 1e6
    print(f"{given.metres:g} m, {given.defects} defects: {seconds:.1f} s, {megabytes:.0f} MB peak")
    print(f"the report has {size_mb:.1f} MB")
    met = seconds <= GOAL_S and megabytes <= GOAL_MB
    print(f"goal {GOAL_S:g} s and {GOAL_MB:g} MB: {'met' if met else 'missed'}")
    return int(not met)


def render(roll: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of `linescan report`, the start of Python included."""
    began_s = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "streamer", "report", str(roll)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.monotonic() - began_s
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / KB_PER_MB


def make_roll(folder: Path, metres: float, defects: int) -> None:
    """A roll folder with noise for scores, defects spread at random, pictures and one gap."""
    (folder / "evidence").mkdir(parents=True)
    lines = GEOMETRY.lines(metres) // STRIDE * STRIDE
    generator = np.random.default_rng(1)
    _write_map(folder, lines, generator)
    log = DefectLog(folder)
    log.put_piece(Piece(0, 0, lines))
    for number in range(1, defects + 1):
        _add_defect(folder, log, (number, int(generator.integers(lines - 400))), generator)
    area = _add_coverage(log, lines)
    log.close()
    write_manifest(folder, _manifest(lines, area, defects))


def _write_map(folder: Path, lines: int, generator: np.random.Generator) -> None:
    columns = GEOMETRY.columns // STRIDE
    form = MapFormat("roll", columns, STRIDE, GEOMETRY.pixel_mm, GEOMETRY.line_mm)
    written = RollMap(folder, form)
    rows = lines // STRIDE
    for first in range(0, rows, ROWS):
        shape = (min(ROWS, rows - first), columns)
        written.append(generator.uniform(0, 0.6, shape).astype(np.float32))
    written.close()


def _add_defect(
    folder: Path, log: DefectLog, place: tuple[int, int], generator: np.random.Generator
) -> None:
    number, line = place
    column = int(generator.integers(GEOMETRY.columns - 100))
    height, width = (int(size) for size in generator.integers(8, 100, 2))
    box = GEOMETRY.region(Interval(line, line + height), Interval(column, column + width))
    peak = float(generator.uniform(1, 4))
    size_mm2 = height * width * GEOMETRY.pixel_mm**2
    ended = DefectState.END
    defect = Defect(number, ended, box, peak, peak / 2, size_mm2, line, line + height, 0)
    names = None
    if number <= PICTURES:
        names = Evidence(*(f"evidence/defect_{number:06d}_{kind}.png" for kind in ("raw", "map")))
        for name in (names.raw, names.overlay):
            picture = generator.integers(0, 255, (252, 252, 3), np.uint8)
            cv2.imwrite(str(folder / name), picture)
    log.put_defect(defect, tuple(Severity)[number % 3], names)


def _add_coverage(log: DefectLog, lines: int) -> Coverage:
    half, width = lines // 2, GEOMETRY.columns
    columns = Interval(0, width)
    for first, end, status in (
        (0, half, "inspected"),
        (half, half + 8, "timeout"),
        (half + 8, lines, "inspected"),
    ):
        log.add_coverage(CoverageRow("cam0", 0, Interval(first, end), columns, status))
    seen = Coverage().add_captured(lines * width).add_inspected((lines - 8) * width)
    return seen.add_not_inspected(GapReason.TIMEOUT, 8 * width)


def _manifest(lines: int, coverage: Coverage, defects: int) -> Manifest:
    config = Config()
    return Manifest(
        roll="roll",
        outcome="complete",
        started_ns=1_700_000_000_000_000_000,
        ended_ns=1_700_005_000_000_000_000,
        geometry=GEOMETRY,
        lines=lines,
        coverage=coverage,
        defects=defects,
        latency_p50_ms=100.0,
        latency_p99_ms=200.0,
        throughput_mpix_s=10.0,
        engine="none",
        workers=("score-0",),
        capture_starts=1,
        self_judged_px=0,
        is_exact=True,
        model_digest="m" * 64,
        config=config.model_dump(mode="json"),
        config_digest=config.digest,
        digests=RollDigests().as_dict(),
        profile_digests={},
    )


if __name__ == "__main__":
    sys.exit(main())
