from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import MedianMemory, counting, median_reference


def by_hand(levels: np.ndarray, barred: np.ndarray, memory: MedianMemory) -> np.ndarray:
    histogram = np.zeros(memory.histogram_shape, int)
    side = memory.patch_size
    for band, (first, last) in enumerate(memory.ranges):
        for row, column in np.ndindex(barred.shape):
            if not first <= column < last or barred[row, column]:
                continue
            top, left = row * memory.stride, column * memory.across
            window = levels[:, top : top + side, left : left + side].reshape(len(levels), -1)
            for channel, level in np.ndindex(*histogram.shape[1:3]):
                histogram[band, channel, level, (window[channel] > level).sum()] += 1
    return histogram


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from([3, 5]),
    stride=st.integers(1, 6),
    levels_count=st.integers(4, 8),
    bands=st.sampled_from([(None, 0), (3, 0), (4, 5)]),
    size=st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(0, 9)),
    seed=st.integers(0, 2**31),
)
def test_windows_are_counted_one_by_one(
    side: int, stride: int, levels_count: int, bands, size, seed: int
) -> None:
    random = np.random.default_rng(seed)
    columns = side + size[2]
    memory = MedianMemory(size[0], columns, 500, 500, levels_count, side, stride, *bands)
    levels = random.integers(0, levels_count, (size[0], side + size[1], columns), np.uint8)
    rows = size[1] // stride + 1
    barred = random.random((rows, memory.window_columns)) < 0.2
    histogram = torch.zeros(memory.histogram_shape, dtype=memory.segment_type)
    counting.add_windows(torch.from_numpy(levels), torch.from_numpy(barred), histogram, memory)
    expected = by_hand(levels, barred, memory)
    np.testing.assert_array_equal(histogram, expected)
    counting.add_windows(torch.from_numpy(levels), None, histogram, memory)
    expected += by_hand(levels, np.zeros_like(barred), memory)
    np.testing.assert_array_equal(histogram, expected)


@pytest.mark.parametrize("stride", [1, 2, 9])
def test_medians_are_those_of_the_batch_form(make_levels, stride: int) -> None:
    levels = make_levels((9, 30, 26), 16)
    memory = MedianMemory(9, 26, 40, 40, 16, 9, stride, 5, 2)
    one, other = (torch.zeros(memory.histogram_shape, dtype=torch.int32) for _ in range(2))
    counting.add_windows(levels, None, one, memory)
    other += one // 3
    one -= other
    windows = (one + other)[:, 0, 0].sum(-1)
    found = counting.medians(one, other, windows, memory)
    batch = median_reference(levels, 9, stride, 5, 2)
    assert torch.equal(found, batch[memory.first_band :][: len(found)])


def test_counts_that_enter_and_leave() -> None:
    totals = torch.tensor([300, 7, 0], dtype=torch.int16)
    entering = torch.tensor([255, 0, 1], dtype=torch.uint8)
    leaving = torch.tensor([200, 7, 0], dtype=torch.uint8)
    counting.replace_counts(totals, entering, leaving)
    assert totals.tolist() == [355, 0, 1]
    assert entering.tolist() == [255, 0, 1]
    assert leaving.tolist() == [0, 0, 0]
    counting.replace_counts(totals, entering, entering)
    assert totals.tolist() == [355, 0, 1]
    assert entering.tolist() == [0, 0, 0]
