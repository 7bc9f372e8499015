import numpy as np
import pytest
from scipy import ndimage

from streamer.calibration.dependence import dependence


def test_independent_blocks_count_as_they_are() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.exponential(1.0, (14, 14)) for _ in range(20)]
    assert 1.0 <= dependence(groups, 2.3) < 1.9


def test_equal_neighbours_count_as_one() -> None:
    rng = np.random.default_rng(2)
    twins = [np.repeat(rng.exponential(1.0, (40, 20)), 2, axis=1)]
    # Every second neighbour is the same, the others are not related: r = 0.5 along one axis.
    assert dependence(twins, 2.3) == pytest.approx(3.0, abs=0.9)


def test_smooth_fields_count_less() -> None:
    noise = np.random.default_rng(3).normal(size=(200, 40))
    rough, smooth = (ndimage.gaussian_filter(noise, s) for s in (0.4, 1.5))
    figures = [dependence([field], float(np.quantile(field, 0.9))) for field in (rough, smooth)]
    assert figures[0] < 3 < 5 < figures[1]


def test_groups_that_differ_count_less_also_without_neighbours() -> None:
    rng = np.random.default_rng(4)
    same = [rng.exponential(1.0, 200) for _ in range(12)]
    different = [values * level for values, level in zip(same, [0.5, 2.0] * 6, strict=True)]
    assert dependence(same, 2.3) < 2.5
    assert dependence(different, 2.3) > 10


def test_slow_changes_show_in_long_stretches() -> None:
    rng = np.random.default_rng(5)
    levels = 1 + 0.5 * np.sin(np.linspace(0, 6.28, 2000))
    drifting = [rng.exponential(1.0, (1, 1)) * level for level in levels]
    shuffled = [drifting[i] for i in rng.permutation(2000)]
    assert dependence(drifting, 2.3) > 4 > 2.5 > dependence(shuffled, 2.3)


@pytest.mark.parametrize("start", [-1.0, 99.0])
def test_nothing_or_everything_above_says_nothing(start: float) -> None:
    assert dependence([np.random.default_rng(6).random((9, 9))], start) == 1.0


def test_places_without_a_block_are_left_out() -> None:
    grid = np.random.default_rng(7).exponential(1.0, (30, 30))
    beside = np.hstack([grid, np.full((30, 5), np.nan)])
    assert dependence([beside], 2.3) == pytest.approx(dependence([grid], 2.3))
    assert dependence([np.full((3, 3), np.nan), grid], 2.3) == dependence([grid], 2.3)
