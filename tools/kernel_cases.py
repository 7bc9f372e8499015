"""The calls that the kernel benchmark times, and how it times them; judges nothing."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kernels import fca_score, fca_score_fast, median_reference
from kernels.compiled import PATH_VARIABLE
from kernels.windows import pad_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from kernels.ranks import Ties

    Shape = tuple[int, int, int]

SIDE = 9
SORTED_CHANNELS = 4
KERNELS = ("u8", "exact", "fast", "median")
# Share of exact zeros that rectified features have.
_ZEROS = 0.71


@dataclass(frozen=True, slots=True)
class Case:
    """One call: the kernel, its map (channels, rows, columns), options and implementation.

    `path` "" is the fastest one that this CPU has; `levels` and `stride` are of the fast form and
    of the median reference, `ties`, `rectified` and `references` of the others.
    """

    kernel: str
    shape: Shape
    ties: Ties = "first"
    rectified: bool = False
    references: int = 1
    stride: int = 1
    levels: int = 16
    path: str = ""
    banded: bool = False

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            msg = f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}"
            raise ValueError(msg)

    @property
    def features(self) -> int:
        """Numbers in the map."""
        return self.shape[0] * self.shape[1] * self.shape[2]


def prepare(case: Case) -> Callable[[], Tensor]:
    """The call of a case on random maps, the same in every run."""
    width = 8 if case.banded else None
    if case.kernel == "median":
        levels = level_map(case.shape, case.levels)
        return lambda: median_reference(levels, SIDE, case.stride, width)
    bands = -(-case.shape[2] // 8) if case.banded else None
    if case.kernel == "fast":
        levels = level_map(case.shape, case.levels)
        expected = _references(case.shape[0], bands, None)
        expected = (expected * case.levels).to(torch.uint8)
        count, stride = case.levels, case.stride
        return lambda: fca_score_fast(levels, expected, count, SIDE, stride, band_width=width)
    return _prepare_ranked(case, bands, width)


def _prepare_ranked(case: Case, bands: int | None, width: int | None) -> Callable[[], Tensor]:
    features = feature_map(case.shape, case.rectified)
    several = case.references if case.references > 1 else None
    expected = _references(case.shape[0], bands, several)
    return functools.partial(
        fca_score,
        features,
        expected,
        SIDE,
        ties=case.ties,
        precision="u8" if case.kernel == "u8" else "exact",
        window_stride=case.stride,
        band_width=width,
    )


@functools.cache
def feature_map(shape: Shape, rectified: bool) -> Tensor:
    """(C, H, W) float32 in [0, 1], uniform, or 71 % of them exactly 0."""
    features = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return features.sub_(_ZEROS).relu_().div_(1 - _ZEROS) if rectified else features


@functools.cache
def level_map(shape: Shape, levels: int) -> Tensor:
    """(C, H, W) uint8, each level as often as the others."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, levels, shape, generator=generator, dtype=torch.uint8)


def _references(channels: int, bands: int | None, several: int | None) -> Tensor:
    shape = [count for count in (bands, several) if count is not None]
    generator = torch.Generator().manual_seed(1)
    return torch.rand(*shape, channels, SIDE**2, generator=generator).sort(dim=-1).values


def least_ms(cases: Iterable[Case], repeats: int) -> dict[Case, float]:
    """CPU ms of this thread, the least of `repeats` calls of each case.

    The cases take turns, so that a slow spell of the machine falls on all of them.
    """
    calls = {case: prepare(case) for case in dict.fromkeys(cases)}
    for case, call in calls.items():
        _run(case, call)
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for case, call in calls.items():
            least[case] = min(least[case], _run(case, call))
    return least


def _run(case: Case, call: Callable[[], Tensor]) -> float:
    choose_path(case.path)
    return spent_ms(call, time.thread_time)


def choose_path(path: str) -> None:
    """Make the operators run `path`, or the fastest one for ""."""
    os.environ.pop(PATH_VARIABLE, None)
    if path:
        os.environ[PATH_VARIABLE] = path


def spent_ms(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """What `clock`, in seconds, moves on during a call."""
    start = clock()
    call()
    return 1e3 * (clock() - start)


def two_thread_gain(case: Case, repeats: int) -> float:
    """Least wall time with one thread over that with two, the two taking turns."""
    call = prepare(case)
    choose_path(case.path)
    least = {1: float("inf"), 2: float("inf")}
    before = torch.get_num_threads()
    try:
        for repeat in range(repeats + 1):
            for threads in least:
                torch.set_num_threads(threads)
                ms = spent_ms(call, time.perf_counter)
                least[threads] = min(least[threads], ms) if repeat else float("inf")
    finally:
        torch.set_num_threads(before)
    return least[1] / least[2]


def sort_based_ms(shape: Shape, repeats: int = 2) -> float:
    """CPU ms of FCA as published, a sort per window, on a map of `shape`.

    Measured on a few channels and multiplied: the work is the same in each.
    """
    features = torch.rand(SORTED_CHANNELS, *shape[1:])
    reference = torch.rand(SORTED_CHANNELS, SIDE**2).sort(dim=-1).values
    sort_windows(features, reference)
    spans = [
        spent_ms(lambda: sort_windows(features, reference), time.thread_time)
        for _ in range(repeats)
    ]
    return min(spans) * shape[0] / SORTED_CHANNELS


def sort_windows(features: Tensor, reference: Tensor) -> Tensor:
    """Steps 3 to 5 of FCA: the errors of all windows, back at the positions of their values."""
    windows = pad_mirrored(features, SIDE // 2).unfold(1, SIDE, 1).unfold(2, SIDE, 1).flatten(3)
    values, order = windows.sort(dim=-1, stable=True)
    errors = (values - reference[:, None, None]).abs_()
    return torch.empty_like(errors).scatter_(-1, order, errors).mean(0)
