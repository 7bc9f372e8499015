"""Measures stitching and decision of a wide, fast web over kilometres: speed, stalls and memory."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import psutil
from scipy.ndimage import gaussian_filter

from streamer import stitching
from streamer.decision import DecisionSettings
from streamer.message import Interval, ScoreMap
from streamer.protocol import LedgerRow
from streamer.repeats import RepeatSettings
from streamer.side_by_side import CameraPlace, JoinState, add_strip, take_joined
from streamer.stages.defect_finder import DefectFinder
from streamer.stitching import StitchState
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from streamer.message import ScoreArray
    from streamer.web import Strip

STRIDE, LANE, STRIP_LINES = 8, 1024, 512  # of the default configuration
MARK_MM, MARK_CELL, SCRATCH_CELL = 314.16, 40, 10  # a roller of 100 mm diameter
WARM_STRIPS = 20
LEAST_RATIO, MOST_GROWTH_MB = 50.0, 8.0


@dataclass(frozen=True)
class Figures:
    """Of one run. `ratio` is how many times faster than the web strips were stitched and decided.

    `cpu_ratio` is the same without the time in which other programs had the processor.
    `longest_ms` is the longest that a strip took, `growth_mb` the memory of the last quarter of the
    roll above that of the second one. `repeat_mm` is the period of the roller's mark as it was told
    last, 0 if it was not found; `repeats` are the repeats that were told, the mark included.
    """

    metres: float
    strips: int
    cells: int
    ratio: float
    cpu_ratio: float
    strip_ms: float
    p99_ms: float
    longest_ms: float
    stitch_share: float
    defects: int
    defects_per_min: float
    told: int
    repeats: int
    repeat_mm: float
    growth_mb: float
    load: float

    @property
    def reaches_goals(self) -> bool:
        """Far faster than the web, in memory that does not grow."""
        return self.ratio >= LEAST_RATIO and self.growth_mb <= MOST_GROWTH_MB


@dataclass
class Chain:
    """What the sink does of a tile row before anybody is told, and what came of it."""

    columns: int
    finder: DefectFinder
    stitch: StitchState = field(init=False)
    join: JoinState = field(init=False)
    told: Counter[str] = field(default_factory=Counter)
    repeats: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stitch = StitchState(self.columns, STRIDE)
        self.join = JoinState((CameraPlace("a", Interval(0, self.columns)),), STRIDE)

    def stitched(self, row: LedgerRow, maps: list[ScoreMap]) -> tuple[Strip, ...]:
        """The strips that become whole with a row and the maps of its lanes."""
        stitch = stitching.add_row(self.stitch, row)
        for score_map in maps:
            stitch = stitching.paste(stitch, score_map)
        self.stitch, strips = stitching.take_strips(stitch)
        for strip in strips:
            self.join = add_strip(self.join, 0, strip)
        self.join, joined = take_joined(self.join)
        return joined

    def decide(self, strips: tuple[Strip, ...]) -> None:
        """Count what is told of the defects and repeats of strips."""
        for strip in strips:
            defects, repeats = self.finder.take(strip)
            self.told.update(defect.state.value for defect in defects)
            self.repeats |= {repeat.id: repeat.period_mm for repeat in repeats}


class Web:
    """Smooth noise with compact defects, a scratch that never stops and the mark of a roller."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.columns, self.line_mm = arguments.columns, arguments.line_mm
        self.random = np.random.default_rng(0)
        self.rows = STRIP_LINES // STRIDE
        shape = (16 * self.rows, -(-self.columns // STRIDE))
        noise = gaussian_filter(self.random.normal(size=shape), 1.0, mode="wrap")
        # Three of a thousand cells reach the grow level by chance and are looked at in vain.
        self.noise = (noise / np.quantile(noise, 0.997) * 0.6).clip(0, 0.95).astype(np.float32)
        strip_s = STRIP_LINES / arguments.lines_s
        self.defects_per_strip = arguments.defects_per_min / 60 * strip_s

    def scores(self, sequence: int) -> ScoreArray:
        """Of a strip, (rows, grid columns) float32; nothing lies where it lay before."""
        first = sequence % 16 * self.rows
        shift = int(self.random.integers(self.noise.shape[1]))
        scores = np.roll(self.noise[first : first + self.rows], shift, axis=1)
        for _ in range(self.random.poisson(self.defects_per_strip)):
            row = self.random.integers(2, self.rows - 4)
            column = self.random.integers(60, scores.shape[1] - 5)
            scores[row : row + 2, column : column + 3] = self.random.uniform(1.05, 3)
        self._plant_mark(scores, sequence)
        scores[:, SCRATCH_CELL] = 1.3
        return scores

    def _plant_mark(self, scores: ScoreArray, sequence: int) -> None:
        row_mm = STRIDE * self.line_mm
        begin_mm, end_mm = (n * self.rows * row_mm for n in (sequence, sequence + 1))
        for number in range(int(np.ceil(begin_mm / MARK_MM)), int(np.ceil(end_mm / MARK_MM))):
            row = int((number * MARK_MM - begin_mm) / row_mm)
            scores[row : row + 1, MARK_CELL : MARK_CELL + 2] = 1.6

    def tiles(self, sequence: int) -> tuple[LedgerRow, list[ScoreMap]]:
        """A tile row as it arrives at the sink."""
        scores, line = self.scores(sequence), sequence * STRIP_LINES
        edges = [*range(0, self.columns, LANE), self.columns]
        lanes = tuple(Interval(*pair) for pair in zip(edges, edges[1:], strict=False))
        row = LedgerRow("r", "a", sequence, line, STRIP_LINES, sequence == 0, lanes, (), line)
        return row, [_map(row, lane, scores) for lane in range(len(lanes))]


def _map(row: LedgerRow, lane: int, scores: ScoreArray) -> ScoreMap:
    columns = row.lane_columns[lane]
    cells = scores[:, columns.first // STRIDE : -(-columns.end // STRIDE)].copy()
    place = (row.first_line, row.line_count, columns.first, columns.size, STRIDE)
    stamps = ("p", "m", row.captured_ns, row.captured_ns, "w")
    return ScoreMap("r", "a", lane, row.sequence, *place, cells, 0.0, 1.0, *stamps)


def main() -> int:
    arguments = read_arguments()
    figures = measure(arguments)
    print(json.dumps(asdict(figures)) if arguments.json else table(figures))
    return 0 if figures.reaches_goals else 1


def read_arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=9000, help="pixels of the web")
    parser.add_argument("--lines-s", type=float, default=5000.0, help="that the camera gives")
    parser.add_argument("--line-mm", type=float, default=0.2, help="size of a pixel, both ways")
    parser.add_argument("--metres", type=float, default=10_000.0)
    parser.add_argument("--defects-per-min", type=float, default=1000.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(given)
    for name in ("columns", "lines_s", "line_mm", "metres"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be > 0, got {getattr(arguments, name)}")
    return arguments


def measure(arguments: argparse.Namespace) -> Figures:
    """Stitch and decide a roll; making its scores is not timed."""
    speed = arguments.lines_s * arguments.line_mm * 60 / 1000
    geometry = WebGeometry(arguments.columns, arguments.line_mm, arguments.line_mm, speed)
    chain = Chain(arguments.columns, DefectFinder(DecisionSettings(geometry), RepeatSettings()))
    web, process = Web(arguments), psutil.Process()
    strips = int(arguments.metres * 1000 / arguments.line_mm / STRIP_LINES)
    seconds, memory = np.zeros((max(strips, 2 * WARM_STRIPS), 3)), []
    for number in range(len(seconds)):
        row, maps = web.tiles(number)
        start, worked = time.perf_counter(), time.thread_time()
        stitched = chain.stitched(row, maps)
        between = time.perf_counter()
        chain.decide(stitched)
        decided, worked = time.perf_counter() - between, time.thread_time() - worked
        seconds[number] = between - start, decided, worked
        memory.append(process.memory_info().rss)
    return figures_of(arguments, chain, seconds[WARM_STRIPS:], memory)


def figures_of(
    arguments: argparse.Namespace, chain: Chain, seconds: ScoreArray, memory: list[int]
) -> Figures:
    strips, quarter = len(memory), len(memory) // 4
    whole_ms = seconds[:, :2].sum(axis=1) * 1000
    strip_ms = STRIP_LINES / arguments.lines_s * 1000
    minutes = strips * STRIP_LINES / arguments.lines_s / 60
    mark = [p for p in chain.repeats.values() if abs(p - MARK_MM) < STRIDE * arguments.line_mm]
    return Figures(
        metres=strips * STRIP_LINES * arguments.line_mm / 1000,
        strips=strips,
        cells=STRIP_LINES // STRIDE * -(-arguments.columns // STRIDE),
        ratio=strip_ms / float(whole_ms.mean()),
        cpu_ratio=strip_ms / float(seconds[:, 2].mean() * 1000),
        strip_ms=statistics.median(whole_ms.tolist()),
        p99_ms=float(np.quantile(whole_ms, 0.99)),
        longest_ms=float(whole_ms.max()),
        stitch_share=float(seconds[:, 0].sum() / seconds[:, :2].sum()),
        defects=chain.finder.defects,
        defects_per_min=chain.finder.defects / minutes,
        told=chain.told.total(),
        repeats=len(chain.repeats),
        repeat_mm=mark[-1] if mark else 0.0,
        growth_mb=(max(memory[-quarter:]) - max(memory[quarter : 2 * quarter])) / 1e6,
        load=os.getloadavg()[0],
    )


def table(one: Figures) -> str:
    return "\n".join([
        f"{one.metres:.0f} m of web in {one.strips} strips of {one.cells} cells, one process; "
        f"load {one.load:.1f}",
        "",
        "| | |",
        "|---|---|",
        f"| ratio to the web's speed | {one.ratio:.0f} (goal {LEAST_RATIO:.0f}); "
        f"in processor time {one.cpu_ratio:.0f} |",
        f"| a strip of {STRIP_LINES} lines, median / p99 / longest | {one.strip_ms:.2f} / "
        f"{one.p99_ms:.2f} / {one.longest_ms:.1f} ms |",
        f"| share of stitching | {100 * one.stitch_share:.0f} % |",
        f"| defects | {one.defects}, {one.defects_per_min:.0f} a minute, {one.told} messages |",
        f"| repeats | {one.repeats}, the mark every {one.repeat_mm:.2f} mm |",
        f"| memory, last quarter above second | {one.growth_mb:.1f} MB |",
        f"| goals | {'reached' if one.reaches_goals else 'missed'} |",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
