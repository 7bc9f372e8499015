"""Counts windows with the compiled kernels, or in torch where they do not run; holds no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels import compiled, counting

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.memory import MedianMemory
    from kernels.strips import Strip


def add_windows(strip: Strip, rows: range, histogram: Tensor, memory: MedianMemory) -> None:
    """Add the windows of some rows of a strip to `histogram`, as `counting.add_windows`."""
    windows = memory.windows
    barred = strip.barred(rows, memory)
    first = rows.start * windows.stride - strip.first_line
    if not compiled.runs(windows):
        end = first + (len(rows) - 1) * windows.stride + windows.patch_size
        counting.add_windows(strip.levels[:, first:end], barred, histogram, memory)
        return
    from kernels import _native

    _native.count_windows(
        strip.levels,
        None if barred is None else barred.to(torch.uint8),
        torch.tensor(memory.ranges, dtype=torch.int64),
        histogram,
        first,
        len(rows),
        memory.levels_count,
        windows.patch_size,
        windows.stride,
        memory.across,
        compiled.chosen_path(),
        torch.get_num_threads(),
    )


def medians(closed: Tensor, newest: Tensor, windows: Tensor, memory: MedianMemory) -> Tensor:
    """As `counting.medians`."""
    if compiled.chosen_path() == compiled.REFERENCE:
        return counting.medians(closed, newest, windows, memory)
    from kernels import _native

    reference = torch.empty(*closed.shape[:2], memory.windows.area, dtype=torch.uint8)
    _native.counted_medians(
        closed,
        newest,
        windows,
        reference,
        memory.levels_count,
        memory.patch_size,
        torch.get_num_threads(),
    )
    return reference


def replace_counts(totals: Tensor, entering: Tensor, leaving: Tensor) -> None:
    """As `counting.replace_counts`."""
    if compiled.chosen_path() == compiled.REFERENCE:
        counting.replace_counts(totals, entering, leaving)
        return
    from kernels import _native

    _native.replace_counts(totals, entering, leaving)
