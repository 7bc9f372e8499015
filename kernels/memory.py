"""What a streaming median remembers of a web, and where its windows lie; holds no counts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from kernels import checks
from kernels.windows import Windows, counting_type

MOST_COLUMNS = 65_535
MOST_WINDOWS = torch.iinfo(torch.int32).max
_OPTIONAL = ("stride", "band_width")


@dataclass(frozen=True, slots=True)
class MedianMemory:
    """The windows of a lane of web that a `MedianAccumulator` knows, and for how long.

    Maps are of `channels` and of `columns` features across the lane, levels below `levels_count`
    (4..32). Windows of `patch_size` squared begin at lines of the roll divisible by `stride` (None:
    the patch size), and across as `median_reference` has them: at columns divisible by `stride`, or
    with bands at every one, `first_column` being the web column, in features, of column 0.

    A window belongs to the segment of `segment_lines` lines of the roll in which its last line
    lies. Remembered are the segment of the newest line and those before it, `memory_lines` in all,
    a multiple of `segment_lines`: the windows that ended in the last `memory_lines` lines of web
    at most, and that less one segment at least.

    Raises:
        ValueError: what is wrong with which field.
    """

    channels: int
    columns: int
    memory_lines: int
    segment_lines: int
    levels_count: int = 16
    patch_size: int = 9
    stride: int | None = None
    band_width: int | None = None
    first_column: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            expected = "an integer or None" if one.name in _OPTIONAL else "an integer"
            passes = whole or value is None and one.name in _OPTIONAL
            checks.require(passes, f"{one.name} must be {expected}", repr(value))
        checks.check_patch(self.patch_size)
        if self.stride is None:
            object.__setattr__(self, "stride", self.patch_size)
        self._check_web()
        self._check_memory()

    def _check_web(self) -> None:
        checks.require(self.windows.stride >= 1, "stride must be >= 1 or None", self.stride)
        checks.require(self.channels >= 1, "channels must be >= 1", self.channels)
        rule = f"columns must be {self.patch_size} (patch_size)..{MOST_COLUMNS}"
        checks.require(self.patch_size <= self.columns <= MOST_COLUMNS, rule, self.columns)
        known = self.levels_count in checks.LEVEL_COUNTS
        checks.require(known, "levels_count must be 4..32", self.levels_count)
        checks.check_bands(self.windows)
        rule = f"first_column must be <= {MOST_COLUMNS} less the columns"
        checks.require(self.first_column + self.columns <= MOST_COLUMNS, rule, self.first_column)

    def _check_memory(self) -> None:
        lines = self.segment_lines
        checks.require(lines >= 1, "segment_lines must be >= 1", lines)
        whole = self.memory_lines >= lines and self.memory_lines % lines == 0
        rule = f"memory_lines must be a multiple of segment_lines {lines}, and not 0"
        checks.require(whole, rule, self.memory_lines)
        windows = self.segments * self.windows_per_segment
        rule = f"memory_lines must hold at most {MOST_WINDOWS} windows of a band"
        checks.require(windows <= MOST_WINDOWS, rule, windows)

    @property
    def windows(self) -> Windows:
        """The windows as the batch form has them."""
        step = self.patch_size if self.stride is None else self.stride
        return Windows(self.patch_size, step, self.band_width, self.first_column)

    @property
    def across(self) -> int:
        """Columns from one window to the next."""
        return self.windows.stride if self.band_width is None else 1

    @property
    def window_columns(self) -> int:
        """Windows side by side across the lane."""
        return (self.columns - self.patch_size) // self.across + 1

    @property
    def bands(self) -> int:
        """Bands of the reference, from the web's edge to the lane's last column."""
        if self.band_width is None:
            return 1
        return (self.first_column + self.columns - 1) // self.band_width + 1

    @property
    def first_band(self) -> int:
        """The first band in which a complete window is centred; state is held from it on."""
        if self.band_width is None:
            return 0
        return (self.first_column + self.windows.radius) // self.band_width

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First and one past the last column of windows of each band that has some."""
        if self.band_width is None:
            return [(0, self.window_columns)]
        first = self.first_column + self.windows.radius
        last_band = (first + self.window_columns - 1) // self.band_width
        starts = [band * self.band_width - first for band in range(self.first_band, last_band + 2)]
        inside = [min(max(start, 0), self.window_columns) for start in starts]
        return list(zip(inside[:-1], inside[1:], strict=True))

    @property
    def segments(self) -> int:
        """Segments that are remembered, the newest among them."""
        return self.memory_lines // self.segment_lines

    @property
    def rows_per_segment(self) -> int:
        """Rows of windows that end in a segment, at most."""
        return -(-self.segment_lines // self.windows.stride)

    @property
    def windows_per_segment(self) -> int:
        """Windows of one band that end in a segment, at most."""
        return self.rows_per_segment * max(last - first for first, last in self.ranges)

    def segment_of(self, line: int) -> int:
        """The segment of a line of the roll; -1 of line -1, before the first."""
        return line // self.segment_lines

    def rows_of(self, segment: int) -> range:
        """Rows of windows, counted from the roll's start, that end in a segment."""
        return range(self._first_row(segment), self._first_row(segment + 1))

    def _first_row(self, segment: int) -> int:
        first_top = segment * self.segment_lines - self.patch_size + 1
        return max(0, -(-first_top // self.windows.stride))

    @property
    def segment_type(self) -> torch.dtype:
        """The narrowest integer that counts the windows of one segment."""
        return counting_type(self.windows_per_segment)

    @property
    def total_type(self) -> torch.dtype:
        """The narrowest integer that counts the windows of all segments."""
        return counting_type(self.segments * self.windows_per_segment)

    @property
    def histogram_shape(self) -> tuple[int, int, int, int]:
        """(bands that have windows, C, levels_count - 1, T*T + 1)."""
        return len(self.ranges), self.channels, self.levels_count - 1, self.windows.area + 1

    @property
    def state_bytes_per_band(self) -> int:
        """C (levels_count - 1) (T*T + 1) (segments * bytes of a segment's item + of a total's)."""
        _, channels, levels, bins = self.histogram_shape
        item = self.segments * self.segment_type.itemsize + self.total_type.itemsize
        return channels * levels * bins * item

    @property
    def state_bytes(self) -> int:
        """All that an accumulator holds, at most: bands, the last T - 1 lines, rows that were seen.

        bands * state_bytes_per_band + (C + 1) (T - 1) columns + segments * rows_per_segment
        """
        lines = (self.channels + 1) * (self.patch_size - 1) * self.columns
        seen = self.segments * self.rows_per_segment
        return len(self.ranges) * self.state_bytes_per_band + lines + seen
