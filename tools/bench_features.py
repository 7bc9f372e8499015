"""Measures every feature extractor: ms of one thread per megapixel, beside efficientnet_lite0."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch

from streamer.backbones.catalogue import entries, find_entry
from streamer.backbones.export import INPUT, export_trunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamer.backbones.planes import Planes
    from streamer.backbones.trunk import Trunk

BASE = "efficientnet_lite0"
LINES, COLUMNS = 512, 1024
POOLED = ("colours_s4", "random_projections_s4", "laws_s4", "steerable_s4", "vgg19_s4")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU ms of this thread per megapixel: the extractor, and the base measured beside it."""

    own_ms: float
    base_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", nargs="*", help="default: the whole catalogue and some means")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats must be >= 1, got {options.repeats}")
    torch.set_num_threads(1)
    print(f"{LINES} x {COLUMNS} pixels, one thread, fastest of {options.repeats}\n")
    print("| feature | channels | stride | ONNX Runtime | ratio | torch | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in options.names or [*(entry.name for entry in entries()), *POOLED]:
        print(row(name, options.repeats), flush=True)


def row(name: str, repeats: int) -> str:
    """Ratios are to the base on the same engine, each measured in turn with it."""
    trunk, base = (build(which) for which in (name, BASE))
    cells = [
        f"{cost.own_ms:.0f} | {cost.own_ms / cost.base_ms:.2f}x"
        for engine in (on_onnxruntime, on_torch)
        for cost in [compare((engine(name, trunk), engine(BASE, base)), repeats)]
    ]
    return f"| {name} | {trunk.channels} | {trunk.field.stride} | {' | '.join(cells)} |"


def build(name: str) -> Trunk:
    """With random weights: they cost what the published ones cost, and need no download."""
    torch.manual_seed(0)
    return find_entry(name).build().eval().requires_grad_(requires_grad=False)


def on_torch(_: str, trunk: Trunk) -> Callable[[], None]:
    pixels = torch.from_numpy(noise())

    def run() -> None:
        with torch.no_grad():
            trunk(pixels)

    return run


def on_onnxruntime(name: str, trunk: Trunk) -> Callable[[], None]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = export_trunk(name, trunk).onnx
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pixels = noise()
    return lambda: session.run(None, {INPUT: pixels})


def noise() -> Planes:
    return np.random.default_rng(0).random((1, 3, LINES, COLUMNS), dtype=np.float32)


def compare(runs: Sequence[Callable[[], None]], repeats: int) -> Cost:
    """Both in turn, so that a slow spell of the machine meets both."""
    times = np.array([[cpu_ms(run) for run in runs] for _ in range(repeats + 1)])
    own_ms, base_ms = times[1:].min(axis=0) * 1e6 / (LINES * COLUMNS)
    return Cost(own_ms, base_ms)


def cpu_ms(run: Callable[[], None]) -> float:
    start = time.thread_time()
    run()
    return 1e3 * (time.thread_time() - start)


if __name__ == "__main__":
    main()
