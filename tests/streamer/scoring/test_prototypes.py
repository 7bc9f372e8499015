"""Clusters of windows: what becomes a prototype, and what must not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.prototypes import cluster_windows


def windows_around(levels: list[float], counts: list[int], spread: float = 0.02) -> torch.Tensor:
    """(n, 2, 9) sorted windows, `counts` of them around each of `levels`."""
    generator = torch.Generator().manual_seed(0)
    noise = spread * torch.rand(sum(counts), 2, 9, generator=generator)
    offsets = torch.tensor(levels).repeat_interleave(torch.tensor(counts)).view(-1, 1, 1)
    return (offsets + noise).sort(dim=-1).values


def centres(prototypes: torch.Tensor) -> list[float]:
    return sorted(prototypes.mean((1, 2)).tolist())


def test_two_textures_have_two_prototypes() -> None:
    found = centres(cluster_windows(windows_around([0.2, 0.7], [30, 20]), 2))
    assert found == pytest.approx([0.21, 0.71], abs=0.01)


def test_a_prototype_is_the_lower_median_of_its_cluster() -> None:
    windows = windows_around([0.2, 0.7], [31, 20])
    low = cluster_windows(windows, 2)
    low = low[low.mean((1, 2)).argmin()]
    assert torch.equal(low, windows[:31].sort(dim=0).values[15])


def test_one_prototype_is_the_median_reference() -> None:
    windows = windows_around([0.2, 0.5, 0.9], [9, 8, 3])
    assert torch.equal(cluster_windows(windows, 1)[0], windows.median(dim=0).values)


@pytest.mark.parametrize("defects", [1, 3, 6])
def test_a_defect_becomes_no_prototype(defects) -> None:
    """Smaller than half an even share of 60 windows and 2 clusters, 15."""
    windows = windows_around([0.2, 0.9], [60 - defects, defects])
    assert all(centre < 0.3 for centre in centres(cluster_windows(windows, 2)))


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 25), st.integers(0, 5))
def test_prototypes_are_ascending_few_and_repeatable(count, number, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.rand(number, 3, 9, generator=generator).sort(dim=-1).values
    found = cluster_windows(windows, count)
    assert 1 <= len(found) <= count
    assert (found.diff(dim=-1) >= 0).all()
    assert torch.equal(found, cluster_windows(windows, count))


def test_levels_stay_levels() -> None:
    levels = (15 * windows_around([0.2, 0.7], [9, 9])).to(torch.uint8)
    assert cluster_windows(levels, 2).dtype == torch.uint8


def test_equal_windows_are_one_kind() -> None:
    found = cluster_windows(torch.full((12, 2, 9), 0.5), 4)
    assert torch.equal(found, torch.full((1, 2, 9), 0.5))


def test_there_must_be_a_window_and_a_cluster() -> None:
    with pytest.raises(ValueError, match="windows must hold one or more, got 0"):
        cluster_windows(torch.zeros(0, 2, 9), 2)
    with pytest.raises(ValueError, match="count must be > 0, got 0"):
        cluster_windows(torch.zeros(4, 2, 9), 0)
