"""Errors window by window against a plain loop, and their mean against the kernel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from window_errors import STEP, window_errors

import kernels

LEVELS = 6


def draw(seed: int, channels: int, rows: int, columns: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (channels, rows, columns)
    return torch.randint(0, LEVELS, shape, generator=generator).to(torch.uint8)


def plain_error(levels, reference, place, centre, side) -> float:
    """The error of a position in the window centred on `centre`, as the fast form defines it."""
    radius, rows, columns = side // 2, *levels.shape[1:]
    total = 0.0
    for channel, plane in enumerate(levels.numpy()):
        padded = np.pad(plane, radius, mode="reflect")
        window = padded[centre[0] : centre[0] + side, centre[1] : centre[1] + side]
        own = int(plane[place])
        rank = ((window < own).sum() + (window <= own).sum()) // 2
        total += abs(own - int(reference[channel, min(rank, side * side - 1)]))
    assert rows > radius < columns
    return total / (len(levels) * (LEVELS - 1))


@pytest.mark.parametrize("side", [3, 5, 9])
def test_each_plane_is_that_of_its_window(side) -> None:
    levels = draw(side, 3, 12, 11)
    reference = kernels.median_reference(levels, side)
    errors = window_errors(levels, reference, LEVELS, side)
    reach = side // 2 // STEP * STEP
    steps = range(-reach, reach + 1, STEP)
    assert errors.shape == (len(steps) ** 2, 12, 11)
    for place in ((0, 0), (5, 6), (11, 10), (3, 1)):
        planes = iter(errors[:, place[0], place[1]].tolist())
        for down in steps:
            for across in steps:
                centre, found = (place[0] + down, place[1] + across), next(planes)
                if 0 <= centre[0] < 12 and 0 <= centre[1] < 11:
                    expected = plain_error(levels, reference, place, centre, side)
                    assert found == pytest.approx(expected, abs=1e-6)
                else:
                    assert np.isnan(found)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_even_positions_have_the_mean_of_the_kernel(seed, channels) -> None:
    """Windows on every second position: those over an even position stand at even distances."""
    levels = draw(seed, channels, 20, 18)
    reference = kernels.median_reference(levels, 9)
    mean = window_errors(levels, reference, LEVELS, 9).mean(dim=0)[4:-4:2, 4:-4:2]
    scores = kernels.fca_score_fast(levels, reference, LEVELS, 9, STEP, None)[4:-4:2, 4:-4:2]
    assert torch.allclose(mean, scores, atol=1e-6)


def test_more_channels_than_are_taken_at_a_time() -> None:
    levels = draw(4, 45, 12, 12)
    reference = kernels.median_reference(levels, 5)
    whole = window_errors(levels, reference, LEVELS, 5)
    parts = [
        window_errors(levels[part], reference[part], LEVELS, 5) * size
        for part, size in ((slice(0, 15), 15), (slice(15, 45), 30))
    ]
    assert torch.allclose(whole, sum(parts) / 45, atol=1e-6, equal_nan=True)
