"""Cuts the operators into launches of the device kernels; knows no compiler, driver or stream."""

# The sizes here are those of kernels/csrc/fca_*.h. Tensors stay where they are: nothing in here
# reads a value of one, so that a CUDA graph can record all of it.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch

from kernels.windows import BLUR_TAPS, Windows, gaussian

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from kernels.ranks import Ties
    from kernels.reference import Weights

Argument: TypeAlias = "Tensor | int | float"

LARGEST_PATCH = 11
# Bytes of errors of windows that are held at a time: a larger map is worked through in strips.
WORKSPACE = 256 << 20
_FLOAT = 4
_U8 = 255
_RULES: tuple[Ties, ...] = ("first", "mid", "mean")
# Blocks that keep the multiprocessors of a large device busy.
_BLOCKS = 1024
# A slice of channels is summed in a row, the slices after each other: this fixes the bits.
_SLICES, _SMALLEST_SLICE = 8, 16
_ERRORS_COLUMNS, _ERRORS_ROWS = 32, 4
_FAST_COLUMNS, _FAST_ROWS, _FAST_THREADS = 32, 16, 256
_MAP_THREADS = 128
_LEVEL_GROUP = 16


@dataclass(frozen=True, slots=True)
class Variant:
    """What kernels are compiled for; without a tie rule those of the fast form."""

    patch_size: int
    ties: Ties | None = None
    banded: bool = False
    strided: bool = False

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Patch size, rule of ties, banded, strided."""
        rule = 0 if self.ties is None else _RULES.index(self.ties)
        return self.patch_size, rule, int(self.banded), int(self.strided)

    @property
    def macros(self) -> dict[str, int]:
        """Definitions that the compiler is given."""
        names = ("FCA_PATCH", "FCA_TIES", "FCA_BANDED", "FCA_STRIDED")
        given = names[:1] if self.ties is None else names
        return dict(zip(given, self.numbers, strict=False))


@dataclass(frozen=True, slots=True)
class Launch:
    """One kernel on a grid; the arguments are tensors, 32-bit integers and 32-bit floats."""

    kernel: str
    grid: tuple[int, int, int]
    threads: int
    arguments: tuple[Argument, ...]
    shared_bytes: int = 0


class Launcher(Protocol):
    """Runs launches in the order in which they come; may return before they are done."""

    def launch(self, variant: Variant, launch: Launch) -> None:
        """Queue one kernel."""


def fca_variant(windows: Windows, ties: Ties, width: int) -> Variant:
    """The kernels that score a map of `width` columns. One band is no band."""
    lowest, highest = _bands(windows, width)
    return Variant(windows.patch_size, ties, lowest != highest, windows.stride > 1)


@dataclass(frozen=True, slots=True)
class _Exact:
    """A batch of maps, its table and how it is scored."""

    features: Tensor
    table: Tensor
    windows: Windows
    weights: Weights
    variant: Variant
    quantise: bool

    @property
    def references(self) -> int:
        return self.table.shape[2]

    @property
    def channels(self) -> int:
        return self.features.shape[1]

    @property
    def columns(self) -> int:
        return self.windows.centres(self.features.shape[3])

    @property
    def slice_channels(self) -> int:
        return max(_SMALLEST_SLICE, -(-self.channels // _SLICES))

    @property
    def slices(self) -> int:
        return -(-self.channels // self.slice_channels)

    @property
    def taps(self) -> list[float]:
        return _half(gaussian(self.windows.patch_size, self.weights.sigma_p), LARGEST_PATCH)

    def parts(self) -> Iterator[tuple[range, range]]:
        """Items and window rows that are worked on at a time."""
        rows = self.windows.centres(self.features.shape[2])
        row_bytes = self.columns * self.windows.area * _FLOAT * (self.slices * self.references + 1)
        step = max(self.windows.patch_size, min(rows, WORKSPACE // row_bytes))
        items = max(1, WORKSPACE // (row_bytes * step)) if step >= rows else 1
        for item in range(0, self.features.shape[0], items):
            chosen = range(item, min(item + items, self.features.shape[0]))
            for first in range(0, rows, step):
                yield chosen, range(first, min(first + step, rows))


def score(
    features: Tensor,
    reference: Tensor,
    windows: Windows,
    weights: Weights,
    options: tuple[Ties, str],
    launcher: Launcher,
) -> Tensor:
    """As `kernels.reference.score` of each item: (B, C, H, W), (B, bands, K, C, T*T) -> (B, H, W).

    `options` are the rule of ties and the precision. Only errors in "exact" precision are summed
    in another order than there: by slices of channels, the same ones on every device.
    """
    ties, precision = options
    lowest, highest = _bands(windows, features.shape[3])
    table = reference[:, lowest : highest + 1]
    if precision == "u8":
        table = table.clamp(0, 1).mul_(_U8).add_(0.5).floor_()
    variant = fca_variant(windows, ties, features.shape[3])
    table = (prefix_table(table) if ties == "mean" else table).contiguous()
    task = _Exact(features.contiguous(), table, windows, weights, variant, precision == "u8")
    scores = features.new_empty(features.shape[0], *features.shape[2:])
    for items, rows in task.parts():
        _score_part(task, scores, (items, rows), launcher)
    return scores


def prefix_table(reference: Tensor) -> Tensor:
    """(..., T*T) -> (..., 2 (T*T + 1) + T*T): prefix sums in two floats each, then the values."""
    sums = torch.nn.functional.pad(reference.to(torch.float64).cumsum(-1), (1, 0))
    high = sums.to(torch.float32)
    low = (sums - high).to(torch.float32)
    pairs = torch.stack((high, low), dim=-1).flatten(-2)
    return torch.cat((pairs, reference.to(torch.float32)), dim=-1)


def _score_part(
    task: _Exact, scores: Tensor, part: tuple[range, range], launcher: Launcher
) -> None:
    items, rows = part
    area, columns = task.windows.area, task.columns
    new = task.features.new_empty
    partial = new(task.slices, len(items), task.references, area, len(rows), columns)
    fields = new(len(items), area, len(rows), columns)
    launcher.launch(task.variant, _errors(task, partial, part))
    launcher.launch(task.variant, _windows(task, partial, fields))
    launcher.launch(task.variant, _gather(task, fields, scores[items.start : items.stop], rows))


def _errors(task: _Exact, partial: Tensor, part: tuple[range, range]) -> Launch:
    items, rows = part
    side, stride = task.windows.patch_size, task.windows.stride
    _, channels, height, width = task.features.shape
    across = side - 1 + (task.columns - 1) * stride + 1
    down = side - 1 + (len(rows) - 1) * stride + 1
    grid = (
        -(-across // (stride * _ERRORS_COLUMNS)) * stride,
        -(-down // (stride * _ERRORS_ROWS)) * stride,
        task.slices * len(items) * task.references,
    )
    arguments: tuple[Argument, ...] = (
        task.features[items.start : items.stop],
        task.table[items.start : items.stop],
        partial,
        len(items),
        channels,
        height,
        width,
        task.table.shape[1],
        _bands(task.windows, width)[0],
        task.references,
        task.slice_channels,
        rows.start,
        len(rows),
        task.columns,
        stride,
        task.windows.band_width or 0,
        task.windows.first_column,
        int(task.quantise),
    )
    threads = _ERRORS_COLUMNS * _ERRORS_ROWS
    shared = errors_shared_bytes(task.variant, stride)
    return Launch("fca_errors", grid, threads, arguments, shared)


def errors_shared_bytes(variant: Variant, stride: int) -> int:
    """Shared memory of a block: two tiles of features, each with its row of the table."""
    area, halo = variant.patch_size**2, 2 * (variant.patch_size - 1)
    rows, columns = ((n - 1) * stride + 1 + halo for n in (_ERRORS_ROWS, _ERRORS_COLUMNS))
    entries = 3 * area + 2 if variant.ties == "mean" else area
    return 2 * _FLOAT * (rows * columns + (0 if variant.banded else entries))


def _windows(task: _Exact, partial: Tensor, fields: Tensor) -> Launch:
    slices, items, references, _, rows, columns = partial.shape
    sigma_s = task.weights.sigma_s
    arguments: tuple[Argument, ...] = (
        partial,
        fields,
        slices,
        items,
        references,
        task.channels,
        rows,
        columns,
        int(sigma_s is not None),
        *_blur_taps(sigma_s),
        *task.taps,
    )
    grid = (-(-rows * columns // _MAP_THREADS), items, 1)
    return Launch("fca_windows", grid, _MAP_THREADS, arguments)


def _gather(task: _Exact, fields: Tensor, scores: Tensor, rows: range) -> Launch:
    items, height, width = scores.shape
    stride, radius = task.windows.stride, task.windows.radius
    first = max(0, rows.start * stride - radius)
    # What lies past the last window's reach belongs to the last strip: no window covers it.
    ended = rows.stop == task.windows.centres(height)
    reach = (rows.stop - 1) * stride + radius + 1
    lines = (height if ended else min(height, reach)) - first
    arguments: tuple[Argument, ...] = (
        fields,
        scores,
        height,
        width,
        rows.start,
        len(rows),
        task.columns,
        first,
        lines,
        stride,
        float(_U8 if task.quantise else 1),
        *task.taps,
    )
    grid = (-(-lines * width // _MAP_THREADS), items, 1)
    return Launch("fca_gather", grid, _MAP_THREADS, arguments)


def score_levels(
    levels: Tensor, reference: Tensor, levels_count: int, windows: Windows, launcher: Launcher
) -> Tensor:
    """As `kernels.fast.score_levels`, to the bit: the map before its blur."""
    channels, height, width = levels.shape
    lowest, highest = _bands(windows, width)
    totals = torch.zeros(height, width, dtype=torch.int32, device=levels.device)
    scores = torch.empty(height, width, dtype=torch.float32, device=levels.device)
    variant = Variant(windows.patch_size)
    tiles = -(-width // _FAST_COLUMNS) * -(-height // _FAST_ROWS)
    slice_channels = -(-channels // min(channels, -(-_BLOCKS // tiles)))
    grid = (-(-width // _FAST_COLUMNS), -(-height // _FAST_ROWS), -(-channels // slice_channels))
    arguments: tuple[Argument, ...] = (
        levels.contiguous(),
        reference[lowest : highest + 1].contiguous(),
        totals,
        channels,
        height,
        width,
        levels_count,
        slice_channels,
        windows.stride,
        windows.band_width or 0,
        windows.first_column,
        lowest,
    )
    shared = fast_shared_bytes(windows.patch_size, windows.stride)
    launcher.launch(variant, Launch("fca_fast", grid, _FAST_THREADS, arguments, shared))
    whole = channels * (levels_count - 1)
    launcher.launch(
        variant, _map_launch("fca_finish", (totals, scores, height, width, whole, windows.stride))
    )
    return scores


def fast_shared_bytes(side: int, stride: int) -> int:
    """Shared memory of a block of the fast form: sums down the columns, errors, two channels."""
    reach = 2 * (side // 2)
    columns = (_FAST_COLUMNS - 1 + reach) // stride + 1
    rows = (_FAST_ROWS - 1 + reach) // stride + 1
    sample_columns, sample_rows = ((n - 1) * stride + side for n in (columns, rows))
    plane = -(-columns * rows // 128) * 128 + 32
    sums = rows * sample_columns * _LEVEL_GROUP
    return sums + _LEVEL_GROUP * plane + 2 * sample_columns * sample_rows


def blur_map(scores: Tensor, sigma: float | None, patch_size: int, launcher: Launcher) -> Tensor:
    """As `kernels.fast.blur_map`, to the bit."""
    if sigma is None:
        return scores
    blurred = torch.empty_like(scores)
    arguments = (scores, blurred, *scores.shape, *_blur_taps(sigma))
    launcher.launch(Variant(patch_size), _map_launch("fca_blur", arguments))
    return blurred


def _map_launch(kernel: str, arguments: tuple[Argument, ...]) -> Launch:
    positions = math.prod(arguments[1].shape) if isinstance(arguments[1], torch.Tensor) else 0
    grid = (-(-positions // _MAP_THREADS), 1, 1)
    return Launch(kernel, grid, _MAP_THREADS, arguments)


def _bands(windows: Windows, columns: int) -> tuple[int, int]:
    """First and last band that a window of a map belongs to."""
    if windows.band_width is None:
        return 0, 0
    last_centre = (windows.centres(columns) - 1) * windows.stride
    last = (windows.first_column + last_centre) // windows.band_width
    return windows.first_column // windows.band_width, last


def _half(taps: list[float], most: int) -> list[float]:
    """Taps by their distance from the middle, filled up with zeros to those of `most` taps."""
    half = taps[len(taps) // 2 :]
    return half + [0.0] * (most // 2 + 1 - len(half))


def _blur_taps(sigma: float | None) -> list[float]:
    return _half(gaussian(BLUR_TAPS, math.inf if sigma is None else sigma), BLUR_TAPS)
