"""The median reference of the last metres of a web, tile after tile; knows no score and no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels import checks, compiled_counting
from kernels.saved_state import SavedState
from kernels.strips import Strip, check_tile

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.memory import MedianMemory


class MedianAccumulator:
    """`kernels.median_reference` of a lane's level maps over the last lines of web, to the bit.

    Medians of order statistics need only how many windows have how many values above each level:
    the generalised inverse of the median counting function. These histograms are held per band,
    segment of web and channel, so that whole segments are forgotten exactly. Windows lie where
    the batch form would put them in one map of the whole roll, whatever tiles it came in; none
    lies across a gap. What is held depends on the lines that were pushed and on nothing else.
    """

    def __init__(self, memory: MedianMemory, state: SavedState | None = None) -> None:
        """With nothing learnt, or with what `state` holds, which is taken over and not copied.

        All is allocated now, `memory.state_bytes` at most.

        Raises:
            ValueError: `state` is of another memory.
        """
        self._memory = memory
        state = SavedState.empty(memory) if state is None else state
        checks.require(state.memory == memory, f"memory of state must be {memory}", state.memory)
        self._segments, self._seen, self._tail = state.segments, state.seen, state.tail
        self._newest = memory.segment_of(self._tail.end_line - 1)
        # All segments but the newest: a push then adds to one histogram only.
        self._closed = torch.zeros(memory.histogram_shape, dtype=memory.total_type)
        for slot, segment in enumerate(self._segments):
            if slot != self._newest % memory.segments:
                self._closed += segment

    @property
    def memory(self) -> MedianMemory:
        """What is remembered."""
        return self._memory

    @property
    def next_line(self) -> int:
        """One past the last line of the roll that was pushed."""
        return self._tail.end_line

    def push(self, levels: Tensor, first_line: int, keep: Tensor | None = None) -> None:
        """Learn the windows that end in a tile, and forget what is too far behind its last line.

        Args:
            levels: (C, H, W) uint8, H lines of any number.
            first_line: line of the roll of row 0, `next_line` at least; more leaves a gap.
            keep: (H, W) bool, which features may be learnt (None: all). A window is learnt if it
                lies on none that may not: one high score bars every window that holds it.

        Raises:
            ValueError: not a tile of this lane, or lines that were pushed before.
        """
        memory = self._memory
        check_tile(levels, first_line, keep, memory)
        rule = f"first_line must be >= {self.next_line}, one past the last line"
        checks.require(first_line >= self.next_line, rule, first_line)
        strip = self._tail.then(Strip.checked(levels, first_line, keep))
        newest = memory.segment_of(strip.end_line - 1)
        rows = strip.window_rows(memory)
        for segment in range(newest - memory.segments + 1, newest + 1):
            own = memory.rows_of(segment)
            shared = range(max(rows.start, own.start), min(rows.stop, own.stop))
            if len(shared) > 0:
                self._roll_to(segment)
                self._count(strip, shared, segment)
        self._roll_to(newest)
        self._tail = strip.last(memory.patch_size - 1)

    def reference(self) -> Tensor:
        """Ascending order statistics (C, T*T) or with bands (bands, C, T*T), uint8.

        A band without windows has the reference of the nearest band that has some, the lower on
        equality.

        Raises:
            ValueError: no windows are remembered.
        """
        memory, windows = self._memory, self._windows()
        held = windows.nonzero().flatten()
        advice = f"push {memory.patch_size} lines or more without a gap, not all of them barred"
        rule = f"windows must be >= 1 for a reference ({advice})"
        checks.require(held.numel() > 0, rule, 0)
        newest = self._segments[self._newest % memory.segments]
        medians = compiled_counting.medians(self._closed, newest, windows, memory)
        if memory.band_width is None:
            return medians[0]
        band = torch.arange(memory.bands).view(-1, 1)
        nearest = (held + memory.first_band - band).abs().min(dim=1).indices
        return medians[held[nearest]]

    def windows_per_band(self) -> Tensor:
        """Remembered windows of each band of the reference -> (bands,) int64; 1 band without."""
        windows = torch.zeros(self._memory.bands, dtype=torch.int64)
        first = self._memory.first_band
        held = self._windows()
        windows[first : first + len(held)] = held
        return windows

    def merge(self, other: MedianAccumulator) -> None:
        """Learn the windows of `other`, an accumulator of other windows of the same lane.

        Equal to one accumulator of the lines of both if the later part began T - 1 lines before
        the end of the earlier one: windows across the cut belong to it.

        Raises:
            ValueError: other settings, or rows of windows that both have seen.
        """
        memory = self._memory
        same = other.memory == memory
        checks.require(same, f"memory of other must be {memory}", other.memory)
        shared = [segment for segment in other._alive() if segment in self._alive()]
        for segment in shared:
            self._check_disjoint(other, segment)
        tail = _later(self._tail, other._tail)
        self._roll_to(max(self._newest, other._newest))
        for segment in other._alive():
            if segment in self._alive():
                self._add_segment(other, segment)
        self._tail = tail

    def to_bytes(self) -> bytes:
        """All of it as safetensors; equal for equal histories, however they were cut into tiles."""
        return self._state().to_bytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> MedianAccumulator:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: something else, of another format, or damaged.
        """
        state = SavedState.from_bytes(content)
        return cls(state.memory, state)

    def digest(self) -> str:
        """Of all that is held, as hexadecimal SHA-256."""
        return self._state().digest()

    def state_bytes(self) -> int:
        """Bytes of all that is held now; `memory.state_bytes` is the most that it becomes."""
        tail = (self._tail.levels, self._tail.kept)
        return sum(int(one.nbytes) for one in (self._segments, self._closed, self._seen, *tail))

    def _state(self) -> SavedState:
        return SavedState(self._memory, self._segments, self._seen, self._tail)

    def _alive(self) -> range:
        return range(self._newest - self._memory.segments + 1, self._newest + 1)

    def _windows(self) -> Tensor:
        """Of each band that is held; any level of any channel counts all of them."""
        newest = self._segments[self._newest % self._memory.segments]
        return (self._closed[:, 0, 0].long() + newest[:, 0, 0]).sum(-1)

    def _roll_to(self, segment: int) -> None:
        steps, number = segment - self._newest, self._memory.segments
        if steps >= number:
            for one in (self._segments, self._closed, self._seen):
                one.zero_()
            self._newest = segment
        while self._newest < segment:
            entering, leaving = self._newest % number, (self._newest + 1) % number
            compiled_counting.replace_counts(
                self._closed, self._segments[entering], self._segments[leaving]
            )
            self._seen[leaving] = False
            self._newest += 1

    def _count(self, strip: Strip, rows: range, segment: int) -> None:
        memory = self._memory
        slot, first = segment % memory.segments, memory.rows_of(segment).start
        compiled_counting.add_windows(strip, rows, self._segments[slot], memory)
        self._seen[slot, rows.start - first : rows.stop - first] = True

    def _check_disjoint(self, other: MedianAccumulator, segment: int) -> None:
        slot = segment % self._memory.segments
        both = (self._seen[slot] & other._seen[slot]).nonzero().flatten()
        if both.numel() > 0:
            row = self._memory.rows_of(segment).start + int(both[0])
            line = row * self._memory.windows.stride
            checks.require(False, "windows of other must be new", f"those at line {line} in both")

    def _add_segment(self, other: MedianAccumulator, segment: int) -> None:
        slot = segment % self._memory.segments
        self._segments[slot] += other._segments[slot]
        self._seen[slot] |= other._seen[slot]
        if segment != self._newest:
            self._closed += other._segments[slot]


def _later(one: Strip, other: Strip) -> Strip:
    """The tail that ends later; of two that end alike the longer."""
    if one.end_line == other.end_line:
        both = min(one.lines, other.lines)
        same = one.last(both).equals(other.last(both))
        checks.require(same, "last lines of other must be those of the same web", "others")
    return max(one, other, key=lambda tail: (tail.end_line, tail.lines))
