from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.ranks import rank_errors, rank_windows, values_by_offset
from kernels.windows import Windows


def plain_ranks(padded: np.ndarray, side: int, stride: int) -> dict[str, np.ndarray]:
    """Ranks by sorting, (T, T, c, rows, columns) for each tie rule."""
    channels, height, width = padded.shape
    rows, columns = range(0, height - side + 1, stride), range(0, width - side + 1, stride)
    shape = (side, side, channels, len(rows), len(columns))
    ranks = {name: np.zeros(shape, int) for name in ("first", "mid", "begin", "end")}
    for channel in range(channels):
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                window = padded[channel, row : row + side, column : column + side].ravel()
                order = np.argsort(window, kind="stable")
                for rank, position in enumerate(order):
                    group = np.flatnonzero(window[order] == window[position])
                    place = (position // side, position % side, channel, i, j)
                    ranks["first"][place] = rank
                    ranks["mid"][place] = (group[0] + group[-1] + 1) // 2
                    ranks["begin"][place], ranks["end"][place] = group[0], group[-1] + 1
    return ranks


@settings(max_examples=30, deadline=None)
@given(
    side=st.sampled_from([3, 5]),
    stride=st.integers(1, 3),
    size=st.tuples(st.integers(1, 2), st.integers(5, 9), st.integers(5, 9)),
    levels=st.sampled_from([1, 2, 5, 1000]),
    seed=st.integers(0, 2**31),
)
def test_ranks_equal_a_sort_per_window(
    side: int, stride: int, size: tuple[int, int, int], levels: int, seed: int
) -> None:
    padded = np.random.default_rng(seed).integers(0, levels, size).astype(np.float32)
    windows = Windows(side, stride)
    expected = plain_ranks(padded, side, stride)
    block = torch.from_numpy(padded)
    for ties in ("first", "mid"):
        np.testing.assert_array_equal(rank_windows(block, windows, ties).first, expected[ties])
    mean = rank_windows(block, windows, "mean")
    np.testing.assert_array_equal(mean.first, expected["begin"])
    np.testing.assert_array_equal(mean.end, expected["end"])


def test_ranks_of_bytes_are_those_of_floats(make_levels) -> None:
    levels = make_levels((2, 11, 13), 16)
    for ties in ("first", "mid", "mean"):
        of_bytes = rank_windows(levels, Windows(5), ties)
        of_floats = rank_windows(levels.float(), Windows(5), ties)
        assert torch.equal(of_bytes.first, of_floats.first)


@pytest.mark.parametrize("side", [17, 25])
def test_counts_over_255_do_not_wrap(side: int) -> None:
    ascending = torch.arange(side**2, dtype=torch.float32).view(1, side, side)
    for ties in ("first", "mid"):
        ranks = rank_windows(ascending, Windows(side), ties).first.reshape(-1)
        assert torch.equal(ranks.long(), torch.arange(side**2))
    flat = rank_windows(torch.zeros(1, side, side), Windows(side), "mean")
    assert int(flat.first.max()) == 0
    assert int(flat.end.min()) == side**2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), levels=st.sampled_from([3, 1000]))
def test_ranks_ignore_a_monotone_change_of_the_values(seed: int, levels: int) -> None:
    values = torch.from_numpy(np.random.default_rng(seed).integers(0, levels, (2, 8, 9))).double()
    changed = torch.exp(values / levels) * 7 - 3
    for ties in ("first", "mid", "mean"):
        before = rank_windows(values, Windows(3), ties)
        assert torch.equal(before.first, rank_windows(changed, Windows(3), ties).first)


def test_values_stand_where_their_windows_hold_them() -> None:
    padded = torch.arange(2 * 7 * 8.0).view(2, 7, 8)
    values = values_by_offset(padded, Windows(3, stride=2))
    assert values.shape == (3, 3, 2, 3, 3)
    assert values[1, 2, 1, 2, 0] == padded[1, 4 + 1, 0 + 2]


@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
@pytest.mark.parametrize("levels", [2, 6, 1000])
def test_errors_equal_plain_loops(oracle, make_map, make_reference, ties: str, levels: int) -> None:
    padded = make_map((2, 7, 6), levels)
    table = make_reference((3, 2, 9))
    table[0, 0, :5] = 0  # Equal reference values, and values outside their range.
    windows = Windows(3)
    band = torch.tensor([0, 2, 1, 2])
    rows = band * 2 + torch.arange(2).view(-1, 1, 1)
    errors = rank_errors(
        values_by_offset(padded, windows), rank_windows(padded, windows, ties), table, rows
    )
    for channel, row, column in np.ndindex(2, 5, 4):
        window = padded[channel, row : row + 3, column : column + 3].reshape(-1)
        expected = oracle.rank_errors(window.numpy(), table[band[column], channel].numpy(), ties)
        got = errors[:, :, channel, row, column].reshape(-1)
        np.testing.assert_allclose(got, expected, atol=1e-6)
