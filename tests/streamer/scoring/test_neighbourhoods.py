import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from streamer.scoring import neighbourhoods
from streamer.scoring.neighbourhoods import (
    average_shares,
    channel_chunks,
    gaussian_average,
    mean_of_averages,
    sample_indices,
    sample_positions,
)

SIZES = st.sampled_from([3, 5, 9])


def random_map(channels: int, rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.rand(channels, rows, columns, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(st.integers(5, 20), st.integers(5, 20), SIZES, st.floats(0.5, 100))
def test_the_average_is_that_of_scipy(rows, columns, size, sigma) -> None:
    maps = random_map(2, rows, columns, rows)
    taps = np.array([math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)])
    taps /= taps.sum()
    expected = maps.numpy()
    for axis in (1, 2):
        expected = ndimage.correlate1d(expected, taps, axis, mode="mirror")
    np.testing.assert_allclose(gaussian_average(maps, size, sigma), expected, atol=1e-6)


@settings(deadline=None)
@given(st.integers(5, 20), st.integers(5, 20), SIZES, st.floats(0.5, 100))
def test_the_mean_of_averages_needs_no_averages(rows, columns, size, sigma) -> None:
    maps = random_map(3, rows, columns, columns)
    expected = gaussian_average(maps, size, sigma).mean((1, 2))
    torch.testing.assert_close(mean_of_averages(maps, size, sigma), expected, atol=1e-6, rtol=0)
    assert float(average_shares(rows, size, sigma).sum()) == pytest.approx(1, abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 11), st.integers(0, 11))
def test_an_average_has_the_same_bits_wherever_it_lies(row, column) -> None:
    maps = random_map(1, 20, 20, 1)
    whole = gaussian_average(maps, 5, 6.0)[:, row + 2 : row + 7, column + 2 : column + 7]
    part = gaussian_average(maps[:, row : row + 9, column : column + 9], 5, 6.0)
    assert torch.equal(part[:, 2:-2, 2:-2], whole)


@pytest.mark.parametrize("limit", [1, 200, 1000])
def test_chunks_cover_all_channels_once(monkeypatch, limit) -> None:
    monkeypatch.setattr(neighbourhoods, "_CHUNK", limit)
    maps = random_map(7, 9, 9, 0)
    assert torch.equal(torch.cat([maps[chunk] for chunk in channel_chunks(maps)]), maps)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500))
def test_samples_are_distinct_ascending_and_repeatable(count, most) -> None:
    chosen = sample_indices(count, most)
    assert len(chosen) == min(count, most)
    assert (chosen.diff() > 0).all()
    assert chosen[0] >= 0
    assert chosen[-1] < count
    assert torch.equal(chosen, sample_indices(count, most))


def test_positions_come_map_by_map_in_raster_order() -> None:
    maps = [random_map(2, 3, 4, 0), random_map(2, 5, 2, 1)]
    positions = sample_positions(maps, 100)
    assert positions.shape == (22, 2)
    assert torch.equal(positions[5], maps[0][:, 1, 1])
    assert torch.equal(positions[12 + 3], maps[1][:, 1, 1])
    assert len(sample_positions(maps, 7)) == 7
