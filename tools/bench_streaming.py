"""Measures the streaming median against the batch form and the fast score, all in one run."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from kernels import MedianAccumulator, MedianMemory, fca_score_fast, median_reference
from kernels.compiled import PATH_VARIABLE, usable_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

SIDE, LEVELS = 9, 16
TILE = (240, 64, 128)
SEGMENT_LINES, MEMORY_LINES = 256, 2048
SCORE_STRIDE = 2


@dataclass(frozen=True, slots=True)
class Timing:
    """Best CPU milliseconds of one path and setting; `push_ms` is the mean tile of a segment.

    `batch_ms` is the batch form over all that is remembered, `score_ms` the fast form of one tile.
    """

    path: str
    stride: int
    bands: int
    push_ms: float
    reference_ms: float
    batch_ms: float
    score_ms: float
    bytes_per_band: int
    state_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--repeats", type=int, default=7, help="the best of so many counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    timings = list(measure(arguments.repeats))
    if arguments.json:
        print(json.dumps([asdict(one) for one in timings], indent=2))
    else:
        print_table(timings)


def measure(repeats: int) -> Iterator[Timing]:
    random = torch.Generator().manual_seed(0)
    shape = (TILE[0], MEMORY_LINES, TILE[2])
    web = torch.randint(0, LEVELS, shape, generator=random, dtype=torch.uint8)
    for path in usable_paths():
        os.environ[PATH_VARIABLE] = path
        score_ms = best_ms(lambda: _score(web[:, : TILE[1]]), repeats)
        for band_width in (None, 8):
            for stride in (SIDE, SCORE_STRIDE, 1):
                memory = MedianMemory(
                    TILE[0], TILE[2], MEMORY_LINES, SEGMENT_LINES, LEVELS, SIDE, stride, band_width
                )
                yield _measure(web, memory, score_ms, repeats)


def _measure(web: Tensor, memory: MedianMemory, score_ms: float, repeats: int) -> Timing:
    accumulator = MedianAccumulator(memory)
    accumulator.push(web, 0)
    tiles = [one.contiguous() for one in torch.split(web[:, :SEGMENT_LINES], TILE[1], dim=1)]

    def push_segment() -> None:
        for tile in tiles:
            accumulator.push(tile, accumulator.next_line)

    reference_ms = best_ms(accumulator.reference, repeats)
    push_ms = best_ms(push_segment, repeats) / len(tiles)
    stride, width = memory.windows.stride, memory.band_width
    batch_ms = best_ms(lambda: median_reference(web, SIDE, stride, width), 1)
    return Timing(
        os.environ[PATH_VARIABLE],
        stride,
        memory.bands,
        push_ms,
        reference_ms,
        batch_ms,
        score_ms,
        memory.state_bytes_per_band,
        accumulator.state_bytes(),
    )


def _score(tile: Tensor) -> Tensor:
    reference = torch.full((TILE[0], SIDE**2), LEVELS // 2, dtype=torch.uint8)
    return fca_score_fast(tile, reference, LEVELS, SIDE, SCORE_STRIDE)


def best_ms(call: Callable[[], object], repeats: int) -> float:
    """Least CPU time of this thread: others on the machine do not count."""
    call()
    spans = []
    for _ in range(repeats):
        start = time.thread_time()
        call()
        spans.append(time.thread_time() - start)
    return 1e3 * min(spans)


def print_table(timings: list[Timing]) -> None:
    print(f"tiles {TILE}, {LEVELS} levels, T = {SIDE}, one thread, CPU ms; {MEMORY_LINES} lines in")
    print(f"segments of {SEGMENT_LINES} remembered; score: fast form, stride {SCORE_STRIDE}\n")
    print(
        "| path | stride | bands | push a tile | score | push / score | reference | batch | "
        "batch / (push + reference) | MB per band | MB |"
    )
    print("|" + 11 * "---|")
    for one in timings:
        cells = [one.path, str(one.stride), str(one.bands)]
        cells += [f"{x:.2f}" for x in (one.push_ms, one.score_ms, one.push_ms / one.score_ms)]
        cells += [f"{one.reference_ms:.2f}", f"{one.batch_ms:.1f}"]
        cells.append(f"{one.batch_ms / (one.push_ms + one.reference_ms):.0f}x")
        cells += [f"{one.bytes_per_band / 1e6:.2f}", f"{one.state_bytes / 1e6:.1f}"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
