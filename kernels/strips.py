"""Unbroken lines of web as levels, with what may be learnt of them; counts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import max_pool2d

from kernels import checks

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.memory import MedianMemory


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """`levels` (C, lines, W) uint8 and `kept` (lines, W) bool, from line `first_line` of the roll.

    Both on the CPU.
    """

    levels: Tensor
    kept: Tensor
    first_line: int

    @classmethod
    def nothing(cls, memory: MedianMemory) -> Strip:
        """No lines, before the first of the roll."""
        levels = torch.empty(memory.channels, 0, memory.columns, dtype=torch.uint8)
        return cls(levels, torch.empty(0, memory.columns, dtype=torch.bool), 0)

    @classmethod
    def checked(cls, levels: Tensor, first_line: int, keep: Tensor | None) -> Strip:
        """A tile as a strip; a `keep` of None keeps all of it."""
        kept = torch.ones(levels.shape[1:], dtype=torch.bool) if keep is None else keep.cpu()
        return cls(levels.cpu().contiguous(), kept, first_line)

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.levels.shape[1]

    @property
    def end_line(self) -> int:
        """One past the last line of the roll."""
        return self.first_line + self.lines

    def then(self, other: Strip) -> Strip:
        """Both in one if `other` begins where this one ends, else `other` alone."""
        if self.lines == 0 or self.end_line != other.first_line:
            return other
        levels = torch.cat([self.levels, other.levels], dim=1)
        return Strip(levels, torch.cat([self.kept, other.kept]), self.first_line)

    def last(self, lines: int) -> Strip:
        """Its last lines, so many at most, in memory of their own."""
        first = max(0, self.lines - lines)
        levels, kept = self.levels[:, first:].clone(), self.kept[first:].clone()
        return Strip(levels, kept, self.first_line + first)

    def equals(self, other: Strip) -> bool:
        """Whether both are the same lines, and kept alike."""
        alike = torch.equal(self.levels, other.levels) and torch.equal(self.kept, other.kept)
        return alike and self.first_line == other.first_line

    def window_rows(self, memory: MedianMemory) -> range:
        """Rows of complete windows, counted from the roll's start."""
        side, stride = memory.patch_size, memory.windows.stride
        return range(-(-self.first_line // stride), (self.end_line - side) // stride + 1)

    def barred(self, rows: range, memory: MedianMemory) -> Tensor | None:
        """(rows, columns) bool: windows with a feature that is not kept; None if there is none."""
        side, stride = memory.patch_size, memory.windows.stride
        first = rows.start * stride - self.first_line
        under = self.kept[first : first + (len(rows) - 1) * stride + side]
        if bool(under.all()):
            return None
        dropped = under.logical_not().float().unsqueeze(0)
        return max_pool2d(dropped, side, (stride, memory.across)).squeeze(0) > 0


def check_tile(levels: Tensor, first_line: int, keep: Tensor | None, memory: MedianMemory) -> None:
    """A tile of the lane that `memory` describes, of one line at least."""
    checks.require(levels.dim() == 3, "levels must be (C, H, W)", f"shape {tuple(levels.shape)}")
    checks.require(levels.dtype == torch.uint8, "levels must be torch.uint8", levels.dtype)
    channels, lines, columns = levels.shape
    expected = (memory.channels, memory.columns)
    rule = f"levels must be of {expected[0]} channels and {expected[1]} columns"
    checks.require((channels, columns) == expected, rule, f"{channels} and {columns}")
    checks.require(lines >= 1, "levels must be of at least one line", lines)
    checks.check_levels(levels, "levels", memory.levels_count)
    whole = isinstance(first_line, int) and not isinstance(first_line, bool)
    checks.require(whole and first_line >= 0, "first_line must be an integer >= 0", first_line)
    if keep is None:
        return
    checks.require(keep.dtype == torch.bool, "keep must be torch.bool", keep.dtype)
    fits = tuple(keep.shape) == (lines, columns)
    checks.require(fits, f"keep must be {lines} x {columns}, as levels", tuple(keep.shape))
