"""Measures the scoring kernels against torch on this machine: a table, and JSON with --json."""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from kernels import fca_score_fast, median_reference
from kernels.compiled import PATH_VARIABLE, REFERENCE, usable_paths
from kernels.windows import pad_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

SIDE, LEVELS = 9, 16
SHAPES = ((512, 128, 128), (288, 32, 32), (128, 40, 40), (240, 64, 55))
BIG = SHAPES[0]
# What the compiled kernel is to reach on one core, ms on the big map with AVX-512.
REACH_MS = {1: 35.0, 2: 15.0}
MEDIAN_REACH_MS = {1: 200.0, SIDE: 15.0}
SORTED_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Timing:
    """One kernel on one map: best CPU milliseconds, and how much faster than both torch forms."""

    kernel: str
    path: str
    shape: tuple[int, int, int]
    window_stride: int
    bands: bool
    ms: float
    ns_per_feature: float
    to_torch: float | None
    to_sorting: float | None
    reach_ms: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--repeats", type=int, default=9, help="the best of so many counts")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sorting_ms = sort_based_ms()
    timings = [*fast_form(sorting_ms, arguments.repeats), *medians(arguments.repeats)]
    if arguments.json:
        print(json.dumps(report(timings, sorting_ms), indent=2))
    else:
        print_table(timings, sorting_ms)


def report(timings: list[Timing], sorting_ms: float) -> dict[str, object]:
    return {
        "cpu": cpu_name(),
        "torch": torch.__version__,
        "threads": 1,
        "sort_based_ms": sorting_ms,
        "sort_based_channels_measured": SORTED_CHANNELS,
        "timings": [asdict(timing) for timing in timings],
    }


def fast_form(sorting_ms: float, repeats: int) -> Iterator[Timing]:
    """Every path on every map; torch and sorting only on the big one."""
    for shape in SHAPES:
        for stride in (1, 2):
            slow = None
            if shape == BIG:
                slow = _time_fast(REFERENCE, shape, stride, False, 2)
                yield _timing(REFERENCE, shape, (stride, False), slow, (None, sorting_ms))
            for path in usable_paths():
                for bands in (False, True):
                    ms = _time_fast(path, shape, stride, bands, repeats)
                    sorting = sorting_ms if shape == BIG else None
                    yield _timing(path, shape, (stride, bands), ms, (slow, sorting))


def _timing(
    path: str,
    shape: tuple[int, int, int],
    windows: tuple[int, bool],
    ms: float,
    slow: tuple[float | None, float | None],
) -> Timing:
    to_torch, to_sorting = (None if other is None else other / ms for other in slow)
    features = shape[0] * shape[1] * shape[2]
    goal = REACH_MS[windows[0]] if shape == BIG and path == "avx512" else None
    return Timing(
        "fca_score_fast", path, shape, *windows, ms, 1e6 * ms / features, to_torch, to_sorting, goal
    )


def medians(repeats: int) -> Iterator[Timing]:
    """The median reference of the big map; `window_stride` is that of its windows."""
    levels = torch.randint(0, LEVELS, BIG, dtype=torch.uint8)
    for stride in (1, SIDE):
        for width in (None, 8):
            slow = None
            for path in (REFERENCE, *usable_paths()):
                os.environ[PATH_VARIABLE] = path
                call = functools.partial(median_reference, levels, SIDE, stride, width)
                ms = best_ms(call, 2 if path == REFERENCE else repeats)
                goal = MEDIAN_REACH_MS[stride] if path == "avx512" and width is None else None
                yield Timing(
                    "median_reference",
                    path,
                    BIG,
                    stride,
                    width is not None,
                    ms,
                    1e6 * ms / levels.numel(),
                    slow and slow / ms,
                    None,
                    goal,
                )
                slow = slow or ms


def _time_fast(
    path: str, shape: tuple[int, int, int], stride: int, bands: bool, repeats: int
) -> float:
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, LEVELS, shape, generator=generator, dtype=torch.uint8)
    count = (-(-shape[2] // 8),) if bands else ()
    reference = torch.randint(0, LEVELS, (*count, shape[0], SIDE**2), dtype=torch.uint8)
    reference = reference.sort(dim=-1).values
    width = 8 if bands else None
    os.environ[PATH_VARIABLE] = path
    return best_ms(
        lambda: fca_score_fast(levels, reference, LEVELS, SIDE, stride, band_width=width), repeats
    )


def sort_based_ms() -> float:
    """CPU ms of FCA as published, a sort per window, on the big map.

    Measured on a few channels and multiplied: the work is the same in each.
    """
    _, height, width = BIG
    features = torch.rand(SORTED_CHANNELS, height, width)
    reference = torch.rand(SORTED_CHANNELS, SIDE**2).sort(dim=-1).values
    return best_ms(lambda: _sort_windows(features, reference), 2) * BIG[0] / SORTED_CHANNELS


def _sort_windows(features: Tensor, reference: Tensor) -> Tensor:
    """Steps 3 to 5 of FCA: the errors of all windows, back at the positions of their values."""
    windows = pad_mirrored(features, SIDE // 2).unfold(1, SIDE, 1).unfold(2, SIDE, 1).flatten(3)
    values, order = windows.sort(dim=-1, stable=True)
    errors = (values - reference[:, None, None]).abs_()
    return torch.empty_like(errors).scatter_(-1, order, errors).mean(0)


def best_ms(call: Callable[[], object], repeats: int) -> float:
    """Least CPU time of this thread: others on the machine do not count."""
    call()
    spans = []
    for _ in range(repeats):
        start = time.thread_time()
        call()
        spans.append(time.thread_time() - start)
    return 1e3 * min(spans)


def cpu_name() -> str:
    """As the system names it."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def print_table(timings: list[Timing], sorting_ms: float) -> None:
    print(f"{cpu_name()}, torch {torch.__version__}, one thread, T = {SIDE}, {LEVELS} levels")
    print(f"sort-based torch, {BIG}: {sorting_ms:.0f} ms ({SORTED_CHANNELS} channels measured)\n")
    print(
        "| kernel | path | map | stride | bands | ms | ns per feature | torch | sorting | reach |"
    )
    print("|" + 10 * "---|")
    for one in timings:
        ratios = [f"{x:.0f}x" if x else "" for x in (one.to_torch, one.to_sorting)]
        goal = f"{one.reach_ms:g} ms" if one.reach_ms else ""
        cells = [one.kernel, one.path, str(one.shape), str(one.window_stride)]
        cells.append("yes" if one.bands else "no")
        cells += [f"{one.ms:.2f}", f"{one.ns_per_feature:.2f}", *ratios, goal]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
