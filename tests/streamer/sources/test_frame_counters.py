"""Counters unwrap to the nearest count, and counts add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.frame_counters import LineCounts, unwrap, unwrap_lines


@given(near=st.integers(-(1 << 40), 1 << 40), step=st.integers(-32768, 32767))
def test_any_count_less_than_half_the_range_away_is_found(near: int, step: int) -> None:
    assert unwrap((near + step) % 65536, near, 16) == near + step


@pytest.mark.parametrize(
    ("raw", "near", "count"),
    [(0, 65535, 65536), (65535, 65536, 65535), (7, 7, 7), (1, 131071, 131073)],
)
def test_sixteen_bits_wrap_both_ways(raw: int, near: int, count: int) -> None:
    assert unwrap(raw, near, 16) == count


@given(
    start=st.integers(0, 1 << 40),
    steps=st.lists(st.integers(-1000, 1000), min_size=1, max_size=40),
    bits=st.sampled_from([16, 32]),
)
def test_counts_in_a_row_unwrap_one_after_the_other(start, steps, bits) -> None:
    counts = start + np.cumsum(np.asarray(steps, np.int64))
    assert np.array_equal(unwrap_lines(counts % (1 << bits), start, bits), counts)


def test_counts_add_up_name_by_name() -> None:
    one, other = LineCounts(frames=2, lost_lines=5), LineCounts(frames=1, breaks=1)
    assert one + other == LineCounts(frames=3, lost_lines=5, breaks=1)
    assert one.plus(frames=1) == LineCounts(frames=3, lost_lines=5)
