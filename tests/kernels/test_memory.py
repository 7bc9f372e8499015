from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels import MedianMemory
from kernels.median import columns_by_band

GOOD = MedianMemory(240, 128, 2048, 256, 16, 9, 9, 8, 4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"channels": 0}, "channels must be >= 1, got 0"),
        ({"channels": 2.0}, "channels must be an integer, got 2.0"),
        ({"channels": True}, "channels must be an integer, got True"),
        ({"columns": 8}, r"columns must be 9 \(patch_size\)..65535, got 8"),
        ({"columns": 65_536}, r"columns must be 9 \(patch_size\)..65535, got 65536"),
        ({"first_column": 65_408}, "first_column must be <= 65535 less the columns, got 65408"),
        ({"first_column": -1}, "first_column must be >= 0, got -1"),
        ({"first_column": None}, "first_column must be an integer, got None"),
        ({"levels_count": 3}, "levels_count must be 4..32, got 3"),
        ({"levels_count": 33}, "levels_count must be 4..32, got 33"),
        ({"patch_size": 8}, "patch_size must be odd and >= 3, got 8"),
        ({"stride": 0}, "stride must be >= 1 or None, got 0"),
        ({"stride": "9"}, "stride must be an integer or None, got '9'"),
        ({"band_width": 0}, "band_width must be >= 1 or None, got 0"),
        ({"segment_lines": 0}, "segment_lines must be >= 1, got 0"),
        ({"memory_lines": 0}, "memory_lines must be a multiple of segment_lines 256, and not 0"),
        ({"memory_lines": 2000}, "must be a multiple of segment_lines 256, and not 0, got 2000"),
        ({"memory_lines": 256 * 10**8}, "hold at most 2147483647 windows of a band, got 2320000"),
    ],
)
def test_refuses_what_cannot_be(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(GOOD, **change)


def test_it_is_a_value() -> None:
    assert MedianMemory(1, 9, 4, 2) == MedianMemory(1, 9, 4, 2, stride=9)
    assert hash(MedianMemory(1, 9, 4, 2)) == hash(MedianMemory(1, 9, 4, 2, stride=9))
    with pytest.raises(FrozenInstanceError):
        GOOD.stride = 3


def test_bytes_of_a_band_as_they_are_worked_out_by_hand() -> None:
    # 29 rows of 8 windows end in 256 lines: a byte counts them, 16 bits those of 8 segments.
    assert GOOD.windows_per_segment == 232
    assert (GOOD.segment_type, GOOD.total_type) == (torch.uint8, torch.int16)
    assert GOOD.state_bytes_per_band == 240 * 15 * 82 * (8 * 1 + 2) == 2_952_000
    assert GOOD.histogram_shape == (15, 240, 15, 82)
    assert GOOD.state_bytes == 15 * 2_952_000 + 241 * 8 * 128 + 8 * 29
    longer = replace(GOOD, segment_lines=2048)
    assert (longer.segment_type, longer.total_type) == (torch.int16, torch.int16)
    finer = replace(GOOD, stride=1, memory_lines=8192)
    assert (finer.segment_type, finer.total_type) == (torch.int16, torch.int32)


@given(
    side=st.sampled_from([3, 5, 9]),
    more=st.integers(0, 40),
    width=st.one_of(st.none(), st.integers(1, 50)),
    first=st.integers(0, 30),
    stride=st.integers(1, 12),
)
def test_bands_are_those_of_the_batch_form(
    side: int, more: int, width: int | None, first: int, stride: int
) -> None:
    memory = MedianMemory(1, side + more, 4, 4, 4, side, stride, width, first)
    batch = columns_by_band(side + more, memory.windows)
    assert memory.bands == len(batch)
    own = batch[memory.first_band : memory.first_band + len(memory.ranges)]
    numbers = range(memory.window_columns)
    assert [numbers[chosen] for chosen in own] == [range(*pair) for pair in memory.ranges]
    assert sum(last - start for start, last in memory.ranges) == memory.window_columns
    assert all(last > start for start, last in memory.ranges)


@given(
    side=st.sampled_from([3, 9]),
    stride=st.integers(1, 12),
    segment=st.integers(1, 40),
    start=st.integers(0, 10**12),
)
def test_each_row_of_windows_is_of_the_segment_of_its_last_line(
    side: int, stride: int, segment: int, start: int
) -> None:
    memory = MedianMemory(1, side, segment, segment, 4, side, stride)
    for number in (0, 1, start):
        rows = memory.rows_of(number)
        assert len(rows) <= memory.rows_per_segment
        assert memory.rows_of(number + 1).start == max(rows.stop, rows.start)
        for row in rows:
            assert memory.segment_of(row * stride + side - 1) == number
    assert len(memory.rows_of(-1)) == 0
    assert memory.segment_of(-1) == -1
