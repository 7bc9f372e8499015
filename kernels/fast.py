"""The fast form of FCA on maps of few levels: box sums and look-ups; knows nothing of devices."""

# An error depends on the window, the channel and the level alone, so that it is computed per level
# and not per position. Planes are kept flat: a neighbour in a row or column is a constant step
# away, every sum is one addition of long arrays, and what wraps around a row's end is never read.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kernels.windows import Windows, blur, counting_type, mirror, running_sums

if TYPE_CHECKING:
    from torch import Tensor

# Levels x channels x places of a chunk: planes of this size stay in cache; measured as the best.
_CHUNK = 400_000


@dataclass(frozen=True, slots=True)
class _Phases:
    """How an axis of `length` positions splits into phases, positions that are alike modulo stride.

    `centres` is the number of windows; `shared` the number of samples that a window takes of every
    phase, `extra` the number of phases of which it takes one more. `margin` is the number of empty
    window places before the first.
    """

    length: int
    windows: Windows

    @property
    def stride(self) -> int:
        return self.windows.stride

    @property
    def centres(self) -> int:
        return self.windows.centres(self.length)

    @property
    def shared(self) -> int:
        return self.windows.patch_size // self.stride

    @property
    def extra(self) -> int:
        return self.windows.patch_size % self.stride

    @property
    def samples(self) -> int:
        """Padded positions per phase that the windows read."""
        return self.centres + self.shared - 1 + (self.extra > 0)

    @property
    def margin(self) -> int:
        return self.windows.radius // self.stride

    @property
    def places(self) -> int:
        """Window places that the positions read, empty ones on both sides included."""
        return self.margin + self.centres + (self.windows.radius + self.stride - 1) // self.stride

    def source(self, device: torch.device) -> Tensor:
        """Index of each padded position, phase by phase; positions past the end repeat the last."""
        padded = mirror(self.length, self.windows.radius, device)
        position = torch.arange(self.samples * self.stride, device=device)
        position = position.clamp_(max=padded.numel() - 1)
        return padded[position.reshape(self.samples, self.stride).T.flatten()]

    def cover(self, phase: int) -> tuple[int, int]:
        """First place and number of places of the windows that cover position `phase`."""
        first = -((self.windows.radius - phase) // self.stride)
        last = (self.windows.radius + phase) // self.stride
        return first + self.margin, last - first + 1

    def positions(self, phase: int) -> int:
        """Number of map positions of a phase."""
        return len(range(phase, self.length, self.stride))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Both axes of a map and the number of levels."""

    rows: _Phases
    columns: _Phases
    levels_count: int

    @property
    def windows(self) -> Windows:
        return self.rows.windows

    @property
    def phases(self) -> list[tuple[int, int]]:
        steps = range(self.windows.stride)
        return [(row, column) for row in steps for column in steps]


def score_levels(levels: Tensor, reference: Tensor, levels_count: int, windows: Windows) -> Tensor:
    """Mean error of each position over the windows that cover it, in units of the level range.

    `levels` (C, H, W) uint8 below `levels_count`, `reference` (bands, C, T*T) uint8, ascending.
    Returns (H, W) float32: S(x) of the fast form before the blur of the map.
    """
    channels, height, width = levels.shape
    grid = _Grid(_Phases(height, windows), _Phases(width, windows), levels_count)
    totals = [
        torch.zeros(
            grid.rows.positions(row),
            grid.columns.positions(column),
            dtype=torch.int32,
            device=levels.device,
        )
        for row, column in grid.phases
    ]
    cells = levels_count * grid.rows.samples * grid.columns.samples
    step = max(1, _CHUNK // cells)
    bands = windows.bands(width, levels.device)
    lowest, highest = int(bands[0]), int(bands[-1])
    reference, bands = reference[lowest : highest + 1], bands - lowest
    for first in range(0, channels, step):
        chunk = levels[first : first + step]
        tables = _error_tables(reference[:, first : first + step], grid)
        errors = _window_errors(_count_ranks(chunk, grid), tables, bands, grid)
        _add_position_errors(totals, errors, chunk, grid)
    return _assemble(totals, grid, channels)


def blur_map(scores: Tensor, sigma: float | None) -> Tensor:
    """Blur of a finished (H, W) map; None leaves it as it is."""
    return scores if sigma is None else blur(scores, (0, 1), sigma)


def _error_tables(reference: Tensor, grid: _Grid) -> Tensor:
    """(bands, c, T*T) -> (levels, bands, c, 2 T*T + 1): error by twice the rank."""
    area = grid.windows.area
    twice = torch.arange(2 * area + 1, device=reference.device)
    expected = reference.to(torch.int16)[..., (twice // 2).clamp_(max=area - 1)]
    level = torch.arange(grid.levels_count, dtype=torch.int16, device=reference.device)
    return (level.view(-1, 1, 1, 1) - expected).abs_().to(torch.uint8)


def _split_phases(chunk: Tensor, grid: _Grid) -> Tensor:
    """(c, H, W) -> (column phases, row phases, c * samples * samples), padded by mirroring."""
    stride = grid.windows.stride
    lines = chunk.index_select(1, grid.rows.source(chunk.device))
    split = lines.index_select(2, grid.columns.source(chunk.device))
    split = split.reshape(-1, stride, grid.rows.samples, stride, grid.columns.samples)
    return split.permute(3, 1, 0, 2, 4).reshape(stride, stride, -1)


def _count_ranks(chunk: Tensor, grid: _Grid) -> Tensor:
    """(c, H, W) levels -> (levels, c, samples, samples): twice the middle rank of each level."""
    split = _split_phases(chunk, grid)
    size, area = split.shape[-1], grid.windows.area
    thresholds = torch.arange(grid.levels_count - 1, dtype=torch.uint8, device=chunk.device)
    # Written out per position: a comparison with a broadcast number is not vectorised.
    thresholds = thresholds.view(-1, 1).expand(-1, size).contiguous()
    along, across = counting_type(grid.windows.patch_size), counting_type(2 * area)
    upright = []
    for column in split:
        hits = [(plane <= thresholds).view(torch.uint8).to(along).flatten() for plane in column]
        upright.append(_gather_phases(hits, grid.rows, grid.columns.samples).to(across))
    counts = _gather_phases(upright, grid.columns, 1)
    up_to = torch.zeros(grid.levels_count + 1, size, dtype=across, device=chunk.device)
    up_to[1:-1].view(-1)[: counts.numel()] = counts
    up_to[-1] = area
    twice = up_to[:-1] + up_to[1:]
    return twice.view(grid.levels_count, -1, grid.rows.samples, grid.columns.samples)


def _gather_phases(planes: list[Tensor], axis: _Phases, step: int) -> Tensor:
    """Sum over a window along one axis of flat planes, one per phase; `step` to the next sample."""
    total = planes[0] if len(planes) == 1 else planes[0] + planes[1]
    for plane in planes[2:]:
        total = total + plane
    total = running_sums(total, axis.shared, step)
    if axis.extra == 0:
        return total
    offset = axis.shared * step
    length = planes[0].numel() - offset
    for plane in planes[: axis.extra]:
        total = total[:length] + plane[offset:]
    return total


def _window_errors(ranks: Tensor, tables: Tensor, bands: Tensor, grid: _Grid) -> Tensor:
    """(levels, c, samples, samples) -> (levels, c, places, places): 0 where no window stands."""
    levels, channels, _, _ = ranks.shape
    rows, columns = grid.rows, grid.columns
    entries = tables.shape[-1]
    level = torch.arange(levels, device=ranks.device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=ranks.device).view(1, -1, 1, 1)
    table = (level * tables.shape[1] + bands) * channels + channel
    index = ranks[:, :, : rows.centres, : columns.centres] + table * entries
    looked_up = tables.view(-1).gather(0, index.view(-1)).view(index.shape)
    errors = looked_up.new_zeros(levels, channels, rows.places, columns.places)
    errors[
        :,
        :,
        rows.margin : rows.margin + rows.centres,
        columns.margin : columns.margin + columns.centres,
    ] = looked_up
    return errors


def _add_position_errors(totals: list[Tensor], errors: Tensor, chunk: Tensor, grid: _Grid) -> None:
    """Add to each phase of the map what its positions get from the windows that cover them."""
    highest = grid.levels_count - 1
    side = grid.windows.patch_size // grid.windows.stride + 1
    flat = errors.view(-1).to(counting_type(highest * side))
    for row in range(grid.windows.stride):
        first, count = grid.rows.cover(row)
        step = grid.columns.places
        upright = running_sums(flat[first * step :], count, step)
        upright = upright.to(counting_type(highest * side * side))
        for column in range(grid.windows.stride):
            first, count = grid.columns.cover(column)
            sums = running_sums(upright[first:], count)
            own = chunk[:, row :: grid.windows.stride, column :: grid.windows.stride]
            for part in _pick_levels(sums, own, errors.shape):
                totals[row * grid.windows.stride + column] += part


def _pick_levels(sums: Tensor, own: Tensor, shape: torch.Size) -> Tensor:
    """From flat (levels, c, places, places) take, at each position, the plane of its own level."""
    _, channels, rows, columns = shape
    device = sums.device
    index = own.contiguous().to(torch.int64).mul_(channels * rows * columns)
    index += torch.arange(channels, device=device).view(-1, 1, 1) * (rows * columns)
    index += torch.arange(own.shape[1], device=device).view(-1, 1) * columns
    index += torch.arange(own.shape[2], device=device)
    return sums.gather(0, index.view(-1)).view(own.shape)


def _assemble(totals: list[Tensor], grid: _Grid, channels: int) -> Tensor:
    """Put the phases back in place, divided by what an interior position would sum to."""
    stride = grid.windows.stride
    scores = torch.empty(
        grid.rows.length, grid.columns.length, dtype=torch.float32, device=totals[0].device
    )
    for (row, column), total in zip(grid.phases, totals, strict=True):
        covering = grid.rows.cover(row)[1] * grid.columns.cover(column)[1]
        scale = channels * (grid.levels_count - 1) * covering
        scores[row::stride, column::stride] = total.to(torch.float64) / scale
    return scores
