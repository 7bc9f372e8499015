from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import MedianMemory
from kernels.strips import Strip, check_tile

MEMORY = MedianMemory(2, 7, 6, 3, 4, 3, 2)


def strip(first: int, lines: int) -> Strip:
    levels = torch.arange(first, first + lines).to(torch.uint8).view(1, -1, 1).expand(2, -1, 7)
    return Strip.checked(levels, first, None)


def test_adjoining_lines_become_one_strip_and_others_do_not() -> None:
    joined = strip(4, 3).then(strip(7, 2))
    assert joined.equals(strip(4, 5))
    assert (joined.lines, joined.end_line) == (5, 9)
    apart = strip(8, 2)
    assert strip(4, 3).then(apart) is apart
    assert Strip.nothing(MEMORY).then(apart) is apart


def test_the_last_lines_are_in_memory_of_their_own() -> None:
    whole = strip(4, 5)
    last = whole.last(2)
    assert last.equals(strip(7, 2))
    assert whole.last(9).equals(whole)
    assert not last.equals(strip(6, 2))
    whole.levels.zero_()
    assert last.equals(strip(7, 2))


@pytest.mark.parametrize(
    ("first", "lines", "rows"),
    [(0, 2, []), (0, 3, [0]), (1, 3, []), (1, 4, [1]), (5, 8, [3, 4, 5]), (6, 3, [3])],
)
def test_rows_of_windows_are_counted_from_the_start_of_the_roll(
    first: int, lines: int, rows: list[int]
) -> None:
    assert list(strip(first, lines).window_rows(MEMORY)) == rows


@settings(max_examples=50, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 8),
    band=st.sampled_from([None, 4]),
    first=st.integers(0, 9),
    size=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    seed=st.integers(0, 2**31),
)
def test_a_window_is_barred_by_one_feature(
    side: int, stride: int, band: int | None, first: int, size: tuple[int, int], seed: int
) -> None:
    memory = MedianMemory(1, side + size[1], 4, 4, 4, side, stride, band)
    kept = np.random.default_rng(seed).random((side + size[0], side + size[1])) > 0.03
    levels = torch.zeros(1, *kept.shape, dtype=torch.uint8)
    whole = Strip.checked(levels, first, torch.from_numpy(kept))
    rows = whole.window_rows(memory)
    if len(rows) == 0:
        return
    across = stride if band is None else 1
    expected = [
        [
            not kept[row * stride - first :, left:][:side, :side].all()
            for left in range(0, size[1] + 1, across)
        ]
        for row in rows
    ]
    found = whole.barred(rows, memory)
    if found is None:
        assert not np.any(expected)
    else:
        np.testing.assert_array_equal(found, expected)


LEVELS = torch.zeros(2, 4, 7, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("levels", "first_line", "keep", "text"),
    [
        (LEVELS[0], 0, None, r"levels must be \(C, H, W\), got shape \(4, 7\)"),
        (LEVELS.float(), 0, None, "levels must be torch.uint8, got torch.float32"),
        (LEVELS[:1], 0, None, "levels must be of 2 channels and 7 columns, got 1 and 7"),
        (LEVELS[:, :, :6], 0, None, "levels must be of 2 channels and 7 columns, got 2 and 6"),
        (LEVELS[:, :0], 0, None, "levels must be of at least one line, got 0"),
        (LEVELS + 4, 0, None, "levels must be below levels_count 4, got 4"),
        (LEVELS, -1, None, "first_line must be an integer >= 0, got -1"),
        (LEVELS, 1.0, None, "first_line must be an integer >= 0, got 1.0"),
        (LEVELS, 0, torch.ones(4, 7), "keep must be torch.bool, got torch.float32"),
        (LEVELS, 0, torch.ones(3, 7) > 0, r"keep must be 4 x 7, as levels, got \(3, 7\)"),
    ],
)
def test_refuses_what_is_no_tile(levels, first_line, keep, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check_tile(levels, first_line, keep, MEMORY)


def test_takes_a_tile() -> None:
    check_tile(LEVELS + 3, 10**15, torch.zeros(4, 7) > 0, MEMORY)
