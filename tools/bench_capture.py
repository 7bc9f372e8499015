"""Measures cutting and correcting of a camera's lines against plain memory copies, in one run."""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.paths import chosen_path
from streamer.compose.heap import keep_freed_memory
from streamer.config import Config
from streamer.correction.flat_field import LightReference, flat_field_of
from streamer.correction.lamp_drift import DriftPlan
from streamer.message import LineBlock, PixelArray, Tile
from streamer.ports import WebFormat
from streamer.sources.corrected import CorrectedSource
from streamer.sources.line_buffer import new_buffer
from streamer.tiling import Origin, TileGrid, TilingState, cut, start_tiling

if TYPE_CHECKING:
    from collections.abc import Iterator

RING_BYTES = 96 << 20  # a camera's buffers, more than a cache holds
LEAST_MPIX_S, LEAST_RATIO = 600.0, 0.5
BAD_COLUMNS = 4
WARM_UP = 24  # blocks


class RingCamera:
    """Blocks that lie in a camera's memory, one after the other and again; copies nothing."""

    def __init__(self, web: WebFormat, lines: int) -> None:
        shape = new_buffer(web, lines)
        count = max(RING_BYTES // shape.nbytes, 2)
        random = np.random.default_rng(0)
        high = np.iinfo(shape.dtype).max
        self._ring = [
            random.integers(0, high, shape.shape, shape.dtype, endpoint=True) for _ in range(count)
        ]
        self.format, self.truth, self.reads, self._lines = web, b"", 0, lines
        self.block_bytes = shape.nbytes

    def read_into(self, _buffer: PixelArray) -> LineBlock:
        """The next block, in place."""
        pixels = self._ring[self.reads % len(self._ring)]
        first, self.reads = self.reads * self._lines, self.reads + 1
        return LineBlock("bench", first, pixels, self._lines, 1)

    def close(self) -> None:
        """Nothing to release."""


@dataclass
class Times:
    """Seconds of each block's steps. The copies are of the same bytes as those that are cut."""

    copy_web: list[float]
    copy_tiles: list[float]
    watch: list[float]
    cut: list[float]


@dataclass(frozen=True)
class Figures:
    """Megapixels of web per second of CPU time, and shares of the speed of plain copies.

    A plain copy goes from memory that no cache holds to such memory: of the web's bytes
    (`ratio_web`), and of those of the tiles with their halo (`ratio_tiles`), which are
    `halo_factor` times as many. `watch` looks at the lamp and says what correction is due; `cut`
    applies it while it fills the tiles. `load` is the machine's load average of the last minute.
    """

    columns: int
    bits: int
    halo: int
    kernel: str
    rounds: int
    halo_factor: float
    copy_web_mpix_s: float
    copy_tiles_mpix_s: float
    watch_mpix_s: float
    cut_mpix_s: float
    both_mpix_s: float
    cut_ratio_tiles: float
    both_ratio_web: float
    both_ratio_tiles: float
    load: float

    @property
    def reaches_goals(self) -> bool:
        """Speed, and share of a copy of the bytes that are handed over, the watch included."""
        return self.both_mpix_s >= LEAST_MPIX_S and self.both_ratio_tiles >= LEAST_RATIO


def main() -> None:
    arguments = read_arguments()
    keep_freed_memory()  # as capture does
    figures = [measure(arguments, bits) for bits in arguments.bits]
    if arguments.json:
        print(json.dumps([asdict(one) for one in figures]))
        return
    print(table(figures))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=8192)
    parser.add_argument("--bits", type=int, nargs="+", choices=[8, 16], default=[8, 16])
    parser.add_argument("--block-lines", type=int, default=256)
    parser.add_argument("--halo", type=int, default=128, help="that of the default configuration")
    parser.add_argument("--blocks", type=int, default=200, help="that are measured")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for name in ("columns", "block_lines", "blocks"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be >= 1, got {getattr(arguments, name)}")
    return arguments


def measure(arguments: argparse.Namespace, bits: int) -> Figures:
    web = WebFormat(arguments.columns, 1, bits, "bench")
    tiles = Config().tiles
    grid = TileGrid(arguments.columns, tiles.lines, tiles.columns, arguments.halo, 8, 16, 0)
    times, tile_bytes = Times([], [], [], []), 0
    for cut_bytes in steps(arguments, web, grid, times):
        tile_bytes += cut_bytes
    web_bytes = arguments.blocks * arguments.block_lines * web.columns * bits // 8
    return figures_of(arguments, bits, times, tile_bytes / web_bytes)


def steps(
    arguments: argparse.Namespace, web: WebFormat, grid: TileGrid, times: Times
) -> Iterator[int]:
    """Copy, watch and cut block after block; yields the bytes of the tiles of each measured."""
    lines = arguments.block_lines
    camera, plain, copied = (RingCamera(web, lines) for _ in range(3))
    source = CorrectedSource(camera, flat_field_of(reference(web)), DriftPlan(1000))
    state = start_tiling(Origin("bench", "bench", ""), grid)
    for number in range(WARM_UP + arguments.blocks):
        if number == WARM_UP:  # the heap has grown to what it needs
            for each in (times.copy_web, times.copy_tiles, times.watch, times.cut):
                each.clear()
        times.copy_web.append(timed_copies(web, 1.0, (plain, copied)))
        start = time.thread_time()
        block = source.read_into(new_buffer(web, lines))
        middle = time.thread_time()
        state, cut_tiles = cut_block(state, block)
        times.watch.append(middle - start)
        times.cut.append(time.thread_time() - middle)
        share = sum(tile.pixels.nbytes for tile in cut_tiles) / plain.block_bytes
        times.copy_tiles.append(timed_copies(web, share, (plain, copied)))
        yield round(share * plain.block_bytes) if number >= WARM_UP else 0


def cut_block(state: TilingState, block: object) -> tuple[TilingState, list[Tile]]:
    if not isinstance(block, LineBlock):
        msg = f"block must be a LineBlock, got {block!r}"
        raise TypeError(msg)
    state, rows = cut(state, block)
    return state, [tile for row in rows for tile in row.tiles]


def timed_copies(web: WebFormat, blocks: float, rings: tuple[RingCamera, RingCamera]) -> float:
    """Seconds of copies of so many blocks, from one ring of cold memory to the other."""
    seconds, unused = 0.0, np.empty(0)
    while blocks > 0:
        source, target = (ring.read_into(unused).pixels for ring in rings)
        lines = math.ceil(min(blocks, 1.0) * len(source))
        start = time.thread_time()
        np.copyto(target[:lines], source[:lines])
        seconds, blocks = seconds + time.thread_time() - start, blocks - 1.0
    return seconds


def reference(web: WebFormat) -> LightReference:
    """A lens that darkens towards the edges, unequal pixels and a few dead ones."""
    random = np.random.default_rng(1)
    full = (1 << web.bits) - 1
    white = (0.8 - 0.3 * np.linspace(-1, 1, web.columns) ** 2) * full
    white *= random.uniform(0.98, 1.02, web.columns)
    dark = random.uniform(0.01, 0.02, web.columns) * full
    dead = random.choice(web.columns, min(BAD_COLUMNS, web.columns // 2), replace=False)
    white[dead] = dark[dead]
    return LightReference(
        web.bits, white[:, None].astype(np.float32), dark[:, None].astype(np.float32)
    )


def figures_of(
    arguments: argparse.Namespace, bits: int, times: Times, halo_factor: float
) -> Figures:
    pixels = arguments.block_lines * arguments.columns
    # Tiles come every few blocks, and the watch on the lamp judges as seldom: means of them all.
    copy_web, copy_tiles, watch, cutting = (
        statistics.fmean(each)
        for each in (times.copy_web, times.copy_tiles, times.watch, times.cut)
    )
    both = watch + cutting
    return Figures(
        columns=arguments.columns,
        bits=bits,
        halo=arguments.halo,
        kernel=chosen_path(),
        rounds=arguments.blocks,
        halo_factor=halo_factor,
        copy_web_mpix_s=pixels / copy_web / 1e6,
        copy_tiles_mpix_s=pixels / copy_tiles / 1e6 if copy_tiles else 0.0,
        watch_mpix_s=pixels / watch / 1e6,
        cut_mpix_s=pixels / cutting / 1e6,
        both_mpix_s=pixels / both / 1e6,
        cut_ratio_tiles=copy_tiles / cutting,
        both_ratio_web=copy_web / both,
        both_ratio_tiles=copy_tiles / both,
        load=os.getloadavg()[0],
    )


def table(figures: list[Figures]) -> str:
    first = figures[0]
    lines = [
        f"{first.columns} columns, halo {first.halo} (tiles hold {first.halo_factor:.2f} times the "
        f"web's bytes), {first.kernel}, one core, Mpix/s of web, {first.rounds} blocks",
        "",
        "| bits | copy web | copy tiles | watch light | correct and cut | both | "
        "cut / copy tiles | both / copy web | both / copy tiles | load | goals |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.bits} | {one.copy_web_mpix_s:.0f} | {one.copy_tiles_mpix_s:.0f} | "
        f"{one.watch_mpix_s:.0f} | {one.cut_mpix_s:.0f} | {one.both_mpix_s:.0f} | "
        f"{one.cut_ratio_tiles:.2f} | {one.both_ratio_web:.2f} | {one.both_ratio_tiles:.2f} | "
        f"{one.load:.1f} | {'reached' if one.reaches_goals else 'missed'} |"
        for one in figures
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
