"""Measures the scoring kernels on a CUDA device: a table, and JSON with --json or --output."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

SIDE, LEVELS = 9, 16
# Pixels of web along each side of a feature: trunks are cut at stride 8.
PIXELS = 8
GOAL_MS, DREAM_MS = 2.0, 0.5
NO_DEVICE = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One kernel with its options on a batch of maps (batch, C, H, W)."""

    kernel: str
    shape: tuple[int, int, int, int]
    window_stride: int = 1
    ties: str = "mid"
    precision: str = "exact"
    references: int = 1
    band_width: int | None = None

    @property
    def megapixels(self) -> float:
        """Pixels of web that the batch stands for, in millions."""
        batch, _, height, width = self.shape
        return batch * height * width * PIXELS**2 / 1e6


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and range of the milliseconds per megapixel of web, as calls and as a CUDA graph."""

    case: Case
    backend: str
    calls_ms: float
    graph_ms: float
    graph_least_ms: float
    graph_most_ms: float

    @property
    def verdict(self) -> str:
        """Against the goal and the dream."""
        if self.graph_ms <= DREAM_MS:
            return "dream"
        return "goal" if self.graph_ms <= GOAL_MS else "missed"


# Megapixel maps of ResNet-50 and EfficientNet-lite0, and batches of tiles of a line.
MAP, LITE, TILES = (1, 512, 128, 128), (1, 240, 128, 128), (16, 240, 32, 32)
CASES = (
    *(Case("fca_score_fast", shape, 2) for shape in (MAP, LITE, TILES)),
    Case("fca_score_fast", MAP, 1),
    Case("fca_score_fast", MAP, 2, band_width=8),
    *(Case("fca_score", MAP, ties=ties) for ties in ("first", "mid", "mean")),
    Case("fca_score", MAP, precision="u8"),
    Case("fca_score", MAP, 2),
    Case("fca_score", MAP, references=4),
    Case("fca_score", MAP, band_width=8),
    Case("fca_score", LITE),
    Case("fca_score_batch", TILES),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--output", type=Path, help="write the JSON to this file as well")
    parser.add_argument("--repeats", type=int, default=30, help="timed runs of each case")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch sees no CUDA device: nothing is measured", file=sys.stderr)
        sys.exit(NO_DEVICE)
    timings = [measure(case, arguments.repeats) for case in CASES]
    text = json.dumps(report(timings), indent=2)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text) if arguments.json else print_table(timings)


def report(timings: list[Timing]) -> dict[str, object]:
    return {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": kernels.load_cuda().reason,
        "goal_ms_per_megapixel": GOAL_MS,
        "dream_ms_per_megapixel": DREAM_MS,
        "timings": [asdict(one) | {"verdict": one.verdict} for one in timings],
    }


def measure(case: Case, repeats: int) -> Timing:
    call = prepare(case)
    calls = timed(call, repeats)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    replays = [ms / case.megapixels for ms in timed(graph.replay, repeats)]
    return Timing(
        case,
        kernels.backends()[case.kernel]["cuda"],
        statistics.median(calls) / case.megapixels,
        statistics.median(replays),
        min(replays),
        max(replays),
    )


def prepare(case: Case) -> Callable[[], object]:
    """A call of the operator on the device, without the checks of values of the public function."""
    generator = torch.Generator().manual_seed(0)
    _, channels, _, width = case.shape
    bands = 1 if case.band_width is None else -(-width // case.band_width)
    if case.kernel == "fca_score_fast":
        levels = torch.randint(0, LEVELS, case.shape, generator=generator).to(torch.uint8).cuda()
        expected = torch.randint(0, LEVELS, (bands, channels, SIDE**2), generator=generator)
        reference = expected.sort(dim=-1).values.to(torch.uint8).cuda()
        return lambda: score_levels(levels, reference, case)
    # Half of them zero, as behind a ReLU.
    features = torch.randn(case.shape, generator=generator).clamp(0, 1).cuda()
    count = (case.shape[0], bands, case.references, channels, SIDE**2)
    references = torch.rand(count, generator=generator).sort(dim=-1).values.cuda()
    options = (SIDE, 3.0, 1.0, case.ties, case.precision, case.window_stride, case.band_width, 0)
    operators = torch.ops.linescan
    if case.kernel == "fca_score_batch":
        return lambda: operators.fca_score_batch(features, references, *options)
    return lambda: operators.fca_score(features[0], references[0], *options)


def score_levels(levels: Tensor, reference: Tensor, case: Case) -> list[Tensor]:
    """The fast form of each tile, one after the other."""
    score = torch.ops.linescan.fca_score_fast
    options = (LEVELS, SIDE, case.window_stride, 1.0, case.band_width, 0)
    return [score(tile, reference, *options) for tile in levels]


def timed(call: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds on the device of so many calls, after a few that do not count."""
    for _ in range(3):
        call()
    spans = [(event(), event()) for _ in range(repeats)]
    for start, end in spans:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in spans]


def event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def print_table(timings: list[Timing]) -> None:
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, T = {SIDE}")
    print(f"ms per megapixel of web; goal {GOAL_MS:g}, dream {DREAM_MS:g}\n")
    print("| kernel | backend | maps | options | calls | graph | least to most | |")
    print("|" + 8 * "---|")
    for one in timings:
        case = one.case
        figures = [f"{one.calls_ms:.3f}", f"{one.graph_ms:.3f}"]
        figures.append(f"{one.graph_least_ms:.3f} to {one.graph_most_ms:.3f}")
        cells = [case.kernel, one.backend, str(case.shape), ", ".join(options_of(case))]
        print("| " + " | ".join([*cells, *figures, one.verdict]) + " |")


def options_of(case: Case) -> Iterator[str]:
    yield f"stride {case.window_stride}"
    if case.kernel == "fca_score_fast":
        yield f"{LEVELS} levels"
    else:
        yield from (case.ties, case.precision)
    if case.references > 1:
        yield f"K = {case.references}"
    if case.band_width is not None:
        yield f"bands of {case.band_width}"


if __name__ == "__main__":
    main()
