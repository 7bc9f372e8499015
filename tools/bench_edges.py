"""Measures what following the edges costs, as a share of the time that capture has for a pixel.

    python tools/bench_edges.py [--columns 8192] [--lines 8192] [--rounds 15] [--json]

The same blocks are read with and without edges; the difference is the cost. Each read counts with
the least time that it took in any round. Capture at 600 Mpix/s
is the budget, and a plain copy of the same bytes stands beside it. Exit code 1: a case takes more
than its share.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from edge_webs import MARGINS, edged_web, to_bytes, wandering, woven

from streamer import config
from streamer.correction.edge_groups import GROUP_LINES
from streamer.message import LineBlock
from streamer.ports import WebFormat
from streamer.sources.edged import EdgedSource, EdgePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.message import PixelArray
    from streamer.ports import LineSource

    Floats = NDArray[np.float64]

BUDGET_MPIX_S = 600.0
SHARE_GOAL = 0.10
BLOCK_LINES = 256
WEB_LINES = 2048  # that are made; they repeat
MARGIN_COLUMNS = 300


class RepeatedBlocks:
    """A LineSource that delivers the same blocks over and over, without touching a pixel."""

    def __init__(self, pixels: PixelArray, lines: int) -> None:
        """`lines` come in all, from `pixels` (lines, columns)."""
        starts = range(0, len(pixels), BLOCK_LINES)
        self._blocks = [pixels[first : first + BLOCK_LINES] for first in starts]
        self._line, self._lines = 0, lines
        self.format = WebFormat(pixels.shape[1], 1, 8, "repeated")
        self.truth = b""

    def read_into(self, buffer: PixelArray) -> LineBlock | None:
        """The next block; `buffer` stays as it is."""
        if self._line >= self._lines:
            return None
        pixels = self._blocks[self._line // BLOCK_LINES % len(self._blocks)]
        block = LineBlock("cam0", self._line, pixels, len(pixels), time.time_ns())
        self._line += len(pixels)
        return block

    def close(self) -> None:
        """There is nothing to release."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Nanoseconds per pixel; `share` is of the budget, `copies` of a plain copy's time."""

    case: str
    ns_per_pixel: float
    share: float
    copies: float
    us_per_group: float


def webs(columns: int) -> dict[str, PixelArray]:
    """One web for each kind of margin, with edges that wander, and one that fills the picture."""
    edge = wandering(WEB_LINES, MARGIN_COLUMNS, 20, WEB_LINES)
    made = {f"{name} margins": edged_web(edge, edge, columns, name).pixels for name in MARGINS}
    return {**made, "no margin": to_bytes(woven(WEB_LINES, columns))}


def read_s(source: LineSource) -> Floats:
    """Seconds of each read of a source to its end."""
    buffer = np.empty((BLOCK_LINES, source.format.columns), np.uint8)
    stamps = [time.perf_counter()]
    while source.read_into(buffer) is not None:
        stamps.append(time.perf_counter())
    return np.diff(stamps)


def copy_s(pixels: PixelArray, lines: int) -> Floats:
    """Seconds of each copy of a block into memory that is there already."""
    target = np.empty((BLOCK_LINES, pixels.shape[1]), np.uint8)
    stamps = [time.perf_counter()]
    for first in range(0, lines, BLOCK_LINES):
        at = first % len(pixels)
        np.copyto(target, pixels[at : at + BLOCK_LINES])
        stamps.append(time.perf_counter())
    return np.diff(stamps)


def measure(case: str, pixels: PixelArray, lines: int, rounds: int) -> Cost:
    """Each read counts with the least time of all `rounds`: what else runs here disturbs few."""
    plan = EdgePlan.of(config.Edges(stream="auto"), config.Web())
    bare, edged, copied = [], [], []
    for _ in range(rounds):
        bare.append(read_s(RepeatedBlocks(pixels, lines)))
        edged.append(read_s(EdgedSource(RepeatedBlocks(pixels, lines), plan)))
        copied.append(copy_s(pixels, lines))
    bare_s, edged_s, copy = (np.min(times, axis=0).sum() for times in (bare, edged, copied))
    cost_s, area = float(edged_s - bare_s), lines * pixels.shape[1]
    return Cost(
        case,
        1e9 * cost_s / area,
        cost_s * BUDGET_MPIX_S * 1e6 / area,
        cost_s / float(copy),
        1e6 * cost_s / (lines / GROUP_LINES),
    )


def table(costs: Sequence[Cost]) -> str:
    """The costs as a table in Markdown."""
    rows = [
        f"| {c.case} | {c.ns_per_pixel:.4f} | {100 * c.share:.1f} % | {c.copies:.2f} "
        f"| {c.us_per_group:.0f} |"
        for c in costs
    ]
    head = (
        f"| web | ns per pixel | of 600 Mpix/s | of a copy | us per group of {GROUP_LINES} lines |"
    )
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what following the edges costs.")
    parser.add_argument("--columns", type=int, default=8192, help="width of the web in pixels")
    parser.add_argument("--lines", type=int, default=8192, help="lines that are read in a round")
    parser.add_argument("--rounds", type=int, default=15, help="of which the best counts")
    parser.add_argument("--json", dest="as_json", action="store_true", help="JSON for machines")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Measure all webs; returns the exit code."""
    costs = [
        measure(case, pixels, options.lines, options.rounds)
        for case, pixels in webs(options.columns).items()
    ]
    print(json.dumps([asdict(c) for c in costs]) if options.as_json else table(costs))
    return int(any(c.share > SHARE_GOAL for c in costs))


if __name__ == "__main__":
    sys.exit(run(parse_options()))
