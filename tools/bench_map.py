"""Measures writing the roll map of a wide, fast web over kilometres: speed, stalls and memory."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from scipy.ndimage import gaussian_filter

from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_format import MAP_NAME, SHARD_ROWS

if TYPE_CHECKING:
    from streamer.message import PixelArray, ScoreArray

STRIDE = 8
STRIP_LINES = 512  # tiles.lines of the default configuration
LEAST_RATIO = 10.0
MOST_GROWTH_MB = 32.0


@dataclass(frozen=True)
class Figures:
    """Of one run. `ratio` is how many times faster than the web rows were appended.

    `needed_mb_s` is what the web gives in bytes of scores, `written_mb_s` what the map took of
    them. Strips that close no shard take `strip_ms`, the longest of all `longest_ms`.
    `growth_mb` is the memory of the last quarter of the roll above that of the second one.
    """

    metres: float
    rows: int
    columns: int
    rows_s: float
    needed_rows_s: float
    needed_mb_s: float
    written_mb_s: float
    ratio: float
    strip_ms: float
    longest_ms: float
    scores_mb: float
    disk_mb: float
    growth_mb: float
    load: float

    @property
    def reaches_goals(self) -> bool:
        """Far faster than the web, in memory that does not grow."""
        return self.ratio >= LEAST_RATIO and self.growth_mb <= MOST_GROWTH_MB


def main() -> int:
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = measure(arguments, Path(folder))
    print(json.dumps(asdict(figures)) if arguments.json else table(figures))
    return 0 if figures.reaches_goals else 1


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=9000, help="pixels of the web")
    parser.add_argument("--lines-s", type=float, default=5000.0, help="that the camera gives")
    parser.add_argument("--line-mm", type=float, default=0.1)
    parser.add_argument("--metres", type=float, default=10_000.0)
    parser.add_argument("--keep", action="store_true", help="whole roll on disk, not its last part")
    parser.add_argument("--folder", type=Path, default=None, help="where the map goes for the time")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(given)
    for name in ("columns", "lines_s", "line_mm", "metres"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be > 0, got {getattr(arguments, name)}")
    return arguments


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    columns = -(-arguments.columns // STRIDE)
    form = MapFormat("bench", columns, STRIDE, arguments.line_mm, arguments.line_mm)
    scores, codes = some_web(columns)
    strip_rows = STRIP_LINES // STRIDE
    rows = max(int(arguments.metres * 1000 / arguments.line_mm / STRIDE), 4 * strip_rows)
    roll_map, process = RollMap(folder, form), psutil.Process()
    seconds: list[float] = []
    memory: list[int] = []
    disk = 0
    for number in range(rows // strip_rows):
        first = number * strip_rows % (len(scores) - strip_rows)
        start = time.perf_counter()
        roll_map.append(scores[first : first + strip_rows], codes[first : first + strip_rows])
        seconds.append(time.perf_counter() - start)
        memory.append(process.memory_info().rss)
        if not arguments.keep and roll_map.rows % (256 * SHARD_ROWS) < strip_rows:
            disk += clear(folder)
    start = time.perf_counter()
    roll_map.close()
    seconds.append(time.perf_counter() - start)
    return figures_of(arguments, roll_map.rows, (seconds, memory), disk + clear(folder))


def some_web(columns: int) -> tuple[ScoreArray, PixelArray]:
    """Eight shards of smooth noise with masked margins and a gap: they compress as maps do."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(8 * SHARD_ROWS, columns))
    scores = np.abs(gaussian_filter(noise, 1.0)).astype(np.float32)
    codes = np.full(scores.shape, 2, np.uint8)
    for place, code in ((np.s_[:, :8], 1), (np.s_[:, -8:], 1), (np.s_[3000:3064], 7)):
        scores[place], codes[place] = np.nan, code
    return scores, codes


def clear(folder: Path) -> int:
    """Bytes of the shards written so far, which go: 10 km would fill the disk of a laptop."""
    found = [path for path in (folder / MAP_NAME).rglob("c/*/*") if path.is_file()]
    size = sum(path.stat().st_size for path in found)
    for path in found:
        path.unlink()
    return size


def figures_of(
    arguments: argparse.Namespace, rows: int, series: tuple[list[float], list[int]], disk: int
) -> Figures:
    seconds, memory = series
    columns = -(-arguments.columns // STRIDE)
    rows_s, needed = rows / sum(seconds), arguments.lines_s / STRIDE
    row_mb = columns * 4 / 1e6
    quarter = max(len(memory) // 4, 1)
    return Figures(
        metres=rows * STRIDE * arguments.line_mm / 1000,
        rows=rows,
        columns=columns,
        rows_s=rows_s,
        needed_rows_s=needed,
        needed_mb_s=needed * row_mb,
        written_mb_s=rows_s * row_mb,
        ratio=rows_s / needed,
        strip_ms=statistics.median(seconds) * 1000,
        longest_ms=max(seconds) * 1000,
        scores_mb=rows * row_mb,
        disk_mb=disk / 1e6,
        growth_mb=(max(memory[-quarter:]) - max(memory[quarter : 2 * quarter], default=0)) / 1e6,
        load=os.getloadavg()[0],
    )


def table(one: Figures) -> str:
    return "\n".join([
        f"{one.metres:.0f} m of web, {one.rows} rows of {one.columns} cells, all levels and "
        f"coverage, one process; load {one.load:.1f}",
        "",
        "| | |",
        "|---|---|",
        f"| appended | {one.rows_s:.0f} rows/s = {one.written_mb_s:.0f} MB/s of scores |",
        f"| the web gives | {one.needed_rows_s:.0f} rows/s = {one.needed_mb_s:.1f} MB/s |",
        f"| ratio | {one.ratio:.1f} (goal {LEAST_RATIO:.0f}) |",
        f"| a strip of {STRIP_LINES} lines, median / longest | {one.strip_ms:.2f} / "
        f"{one.longest_ms:.0f} ms |",
        f"| on disk | {one.disk_mb:.0f} MB for {one.scores_mb:.0f} MB of scores |",
        f"| memory, last quarter above second | {one.growth_mb:.1f} MB |",
        f"| goals | {'reached' if one.reaches_goals else 'missed'} |",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
