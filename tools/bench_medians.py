"""Measures the median reference of float maps: counting on dense ranks against sorting windows."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import torch

from kernels import compiled
from kernels.median import median_windows
from kernels.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SIDE = 9
STRIDES = (1, 2, 3, 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=32, help="of a map of 128 x 128")
    channels = parser.parse_args().channels
    if channels < 1:
        parser.error(f"--channels must be >= 1, got {channels}")
    torch.set_num_threads(1)
    print(f"CPU ms of one thread, ({channels}, 128, 128), T = {SIDE}, {compiled.chosen_path()}\n")
    print("| features | stride | counting | sorting | ratio |\n|---|---|---|---|---|")
    uniform = torch.rand((channels, 128, 128), generator=torch.Generator().manual_seed(0))
    for name, features in (("uniform", uniform), ("70 % zeros", (uniform - 0.7).relu())):
        for stride in STRIDES:
            print(row(name, features, stride))


def row(name: str, features: Tensor, stride: int) -> str:
    windows = Windows(SIDE, stride)
    counting = cpu_ms(compiled.median_floats, features, windows)
    sorting = cpu_ms(median_windows, features, windows)
    return f"| {name} | {stride} | {counting:.0f} | {sorting:.0f} | {sorting / counting:.2f}x |"


def cpu_ms(
    median: Callable[[Tensor, Windows], Tensor], features: Tensor, windows: Windows
) -> float:
    """CPU ms of this thread, after a call on one channel."""
    median(features[:1], windows)
    start = time.thread_time()
    median(features, windows)
    return 1e3 * (time.thread_time() - start)


if __name__ == "__main__":
    main()
