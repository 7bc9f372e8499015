"""`linescan bench`: where the time goes on this machine, for the configured web."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.table import Table

from streamer.cli.console import AnswerConsole
from streamer.cli.options import ConfigOption, JsonOption, SetOption, UsageFault, read_config

if TYPE_CHECKING:
    import torch

    from streamer.config import Config
    from streamer.message import LineBlock, LineLoss, PixelArray, ScoreMap, Tile
    from streamer.ports import Backbone, BackboneSpec
    from streamer.tiling import TileGrid

STAGE_OF = {
    "source": "capture",
    "tiling": "capture",
    "transport": "capture",
    "backbone": "score",
    "scoring": "score",
    "sink": "sink",
}


@dataclass(slots=True)
class Stopwatch:
    """Wall seconds per tile row, by step."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, step: str, seconds: float) -> None:
        """Add one tile row's time."""
        self.seconds.setdefault(step, []).append(seconds)


@dataclass(frozen=True, slots=True)
class StepFigures:
    """Median of one step: seconds per tile row, and the web it follows alone."""

    step: str
    stage: str
    ms_per_row: float
    mpix_s: float
    share_percent: float


@dataclass(frozen=True, slots=True)
class BenchFigures:
    """Everything `linescan bench` reports; Mpix/s count the web, halo not included."""

    engine: str
    kernel: str
    columns: int
    tile_lines: int
    lanes: int
    halo_px: int
    halo_share_percent: float
    rows: int
    steps: tuple[StepFigures, ...]
    slowest_stage: str
    mpix_s: float
    web_speed_m_min: float
    line_rate_hz: float


def bench(
    config: ConfigOption = None,
    settings: SetOption = None,
    rows: Annotated[int, typer.Option(min=2, help="Tile rows to measure.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Measure every step of the line in one process: ms, Mpix/s, and the web speed they allow."""
    from streamer.scoring.kernel_gate import require_kernels

    effective = read_config(config, settings)
    require_kernels(effective)
    figures = measure(effective, rows)
    if as_json:
        print(json.dumps(asdict(figures)))
    else:
        _print(figures, effective)


def measure(config: Config, rows: int) -> BenchFigures:
    """Run `rows` tile rows of the configured source through every step, one after the other.

    Raises:
        UsageFault: the source ends before so many rows, or cannot be opened.
    """
    from streamer.compose.children import open_configured_source
    from streamer.compose.geometry import tile_grid

    try:
        source = open_configured_source(config)
    except (OSError, ValueError) as error:
        raise UsageFault(str(error)) from None
    grid = tile_grid(config, source.format.columns)
    watch = Stopwatch()
    try:
        tile_rows = _cut_rows(config, source, grid, watch, rows)
    finally:
        source.close()
    engine, maps = _score(config, tile_rows, watch, grid)
    _stitch(grid, config, maps, watch)
    return _figures(config, grid, watch, engine)


def _cut_rows(
    config: Config, source: Any, grid: TileGrid, watch: Stopwatch, rows: int
) -> list[tuple[Tile, ...]]:
    """Read and cut; the time of a row is that of the blocks it took."""
    from streamer.sources.line_buffer import new_buffer
    from streamer.tiling import Origin, cut, start_tiling

    origin = Origin("bench", config.source.camera, config.digest)
    state = start_tiling(origin, grid)
    found: list[tuple[Tile, ...]] = []
    read_s = cut_s = 0.0
    while len(found) < rows:
        started = time.perf_counter()
        block: LineBlock | LineLoss | None = source.read_into(
            new_buffer(source.format, config.source.block_lines)
        )
        read_s += time.perf_counter() - started
        if block is None:
            msg = f"source must last for {rows} tile rows, got {len(found)}; use --rows"
            raise UsageFault(msg)
        started = time.perf_counter()
        state, cut_rows = cut(state, block)
        cut_s += time.perf_counter() - started
        full = [row.tiles for row in cut_rows if row.ledger.line_count == grid.tile_lines]
        for tiles in full:
            watch.note("source", read_s)
            watch.note("tiling", cut_s)
            read_s = cut_s = 0.0
            found.append(tiles)
    return found[:rows]


def _score(
    config: Config, tile_rows: list[tuple[Tile, ...]], watch: Stopwatch, grid: TileGrid
) -> tuple[str, list[list[ScoreMap]]]:
    """Send every row through a real socket, then through backbone and score."""
    from streamer.cli.inspect import open_configured_backbone
    from streamer.compose.geometry import web_geometry
    from streamer.scoring.fca import use_threads
    from streamer.scoring.tile_scorer import open_tile_scorer

    use_threads(config.scoring.threads)
    backbone = open_configured_backbone(config)
    timed = _TimedBackbone(backbone)
    try:
        scorer = open_tile_scorer(timed, config, web_geometry(config, grid.columns), "bench")
    except ValueError as error:
        raise UsageFault(str(error)) from None
    maps = []
    with _loopback() as hop:
        for tiles in [tile_rows[0], *tile_rows]:  # the first one warms up
            started = time.perf_counter()
            received = [hop(tile) for tile in tiles]
            watch.note("transport", time.perf_counter() - started)
            timed.seconds = 0.0
            started = time.perf_counter()
            verdicts = [scorer.score(tile) for tile in received]
            elapsed = time.perf_counter() - started
            watch.note("backbone", timed.seconds)
            watch.note("scoring", elapsed - timed.seconds)
            maps.append([verdict.score_map for verdict in verdicts])
    for step in ("transport", "backbone", "scoring"):
        watch.seconds[step].pop(0)
    description = scorer.description
    backbone.close()
    return description, maps[1:]


class _TimedBackbone:
    """Passes everything on and adds up the time of `embed`."""

    def __init__(self, inner: Backbone) -> None:
        self.inner = inner
        self.seconds = 0.0

    @property
    def spec(self) -> BackboneSpec:
        """See ports.Backbone."""
        return self.inner.spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """See ports.Backbone."""
        started = time.perf_counter()
        features = self.inner.embed(pixels)
        self.seconds += time.perf_counter() - started
        return features

    def close(self) -> None:
        """See ports.Backbone."""
        self.inner.close()


@contextmanager
def _loopback() -> Iterator[Callable[[Tile], Tile]]:
    """A tile's way over an ipc socket, out and in, in this process."""
    from streamer.transport.zeromq import ZmqHub

    with tempfile.TemporaryDirectory(prefix="linescan-bench-") as folder:
        hub = ZmqHub()
        inlet = hub.bind_inlet(f"ipc://{folder}/hop")
        outlet = hub.connect_outlet(f"ipc://{folder}/hop")

        def hop(tile: Tile) -> Tile:
            outlet.send(tile)
            while (received := inlet.receive()) is None:
                hub.wait(1000)
            return cast("Tile", received)

        try:
            yield hop
        finally:
            hub.close()


def _stitch(grid: TileGrid, config: Config, maps: list[list[ScoreMap]], watch: Stopwatch) -> None:
    """Stitch and decide row by row, as the sink does; files and sockets are not counted."""
    from streamer import stitching
    from streamer.compose.geometry import web_geometry
    from streamer.decision import DecisionSettings, DecisionState, decide
    from streamer.protocol import LedgerRow

    settings = DecisionSettings(web_geometry(config, grid.columns), config.decision.grow_ratio)
    state, decision = stitching.StitchState(grid.columns, grid.stride), DecisionState()
    for sequence, row in enumerate(maps):
        started = time.perf_counter()
        first = row[0]
        ledger = LedgerRow(
            first.roll,
            first.camera,
            sequence,
            first.first_line,
            first.line_count,
            sequence == 0,
            grid.lanes,
            (),
            first.captured_ns,
        )
        state = stitching.add_row(state, ledger)
        for score_map in row:
            state = stitching.paste(state, score_map)
        state, strips = stitching.take_strips(state)
        if len(strips) != 1:
            msg = f"row {sequence} must become one strip, got {len(strips)}"
            raise RuntimeError(msg)
        decision, _ = decide(decision, strips[0], settings)
        watch.note("sink", time.perf_counter() - started)


def describe_kernel(config: Config) -> str:
    """Which implementation scores here, and why."""
    from streamer.scoring.kernel_gate import scoring_kernel

    found = scoring_kernel(config)
    return f"{found.operator} runs on {found.path}: {found.reason}"


def _figures(config: Config, grid: TileGrid, watch: Stopwatch, engine: str) -> BenchFigures:
    medians = {step: statistics.median(watch.seconds[step]) for step in STAGE_OF}
    pixels = grid.tile_lines * grid.columns
    total = sum(medians.values())
    steps = tuple(
        StepFigures(step, STAGE_OF[step], s * 1000, pixels / s / 1e6, 100 * s / total)
        for step, s in medians.items()
    )
    # Capture, workers and sink run side by side: the slowest of the three sets the pace.
    stages = dict.fromkeys(STAGE_OF.values(), 0.0)
    for step, seconds in medians.items():
        stages[STAGE_OF[step]] += seconds
    stages["score"] /= config.score.workers
    line_rate = grid.tile_lines / max(stages.values())
    return BenchFigures(
        engine=engine,
        kernel=describe_kernel(config),
        columns=grid.columns,
        tile_lines=grid.tile_lines,
        lanes=len(grid.lanes),
        halo_px=grid.halo,
        halo_share_percent=100 * grid.halo_share,
        rows=len(watch.seconds["sink"]),
        steps=steps,
        slowest_stage=max(stages, key=lambda stage: stages[stage]),
        mpix_s=line_rate * grid.columns / 1e6,
        web_speed_m_min=line_rate * config.web.down_mm / 1000 * 60,
        line_rate_hz=line_rate,
    )


def _print(figures: BenchFigures, config: Config) -> None:
    console = AnswerConsole(highlight=False)
    table = Table("step", "process", "ms per tile row", "Mpix/s", "share")
    for step in figures.steps:
        table.add_row(
            step.step,
            step.stage,
            f"{step.ms_per_row:.2f}",
            f"{step.mpix_s:.1f}",
            f"{step.share_percent:.1f} %",
        )
    console.print(table)
    console.print(
        f"{figures.engine}\n"
        f"{figures.kernel}\n"
        f"{figures.rows} rows of {figures.tile_lines} lines x {figures.columns} columns in "
        f"{figures.lanes} lanes; halo {figures.halo_px} px, {figures.halo_share_percent:.0f} % of "
        f"the pixels of an inner tile\n"
        f"the {figures.slowest_stage} stage sets the pace: {figures.mpix_s:.2f} Mpix/s = "
        f"{figures.columns * config.web.pixel_mm / 1000:.2f} m of web of "
        f"{config.web.pixel_mm:g} mm pixels at {figures.web_speed_m_min:.1f} m/min "
        f"({figures.line_rate_hz:.0f} lines/s)",
        soft_wrap=True,
    )
