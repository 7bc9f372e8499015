import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.clusters import find_looks
from streamer.scoring.rolling_plan import PrototypeRule
from streamer.scoring.window_counts import counts_of, median_counts, reference_of

CHANNELS, AREA, LEVELS = 12, 25, 12


def windows(seed: int, number: int, middle: float, noise: float = 1.5) -> np.ndarray:
    """Counts of `number` windows whose levels lie about `middle`."""
    rng = np.random.default_rng(seed)
    values = middle + noise * rng.normal(size=(number, CHANNELS, AREA))
    sorted_values = np.sort(np.clip(values, 0, LEVELS - 1).round(), axis=-1)
    return counts_of(torch.from_numpy(sorted_values.astype(np.uint8)), LEVELS)


def mean_level(counts: np.ndarray) -> float:
    return float(reference_of(counts, AREA).double().mean())


def ones(counts: np.ndarray) -> np.ndarray:
    return np.ones(len(counts), np.int64)


def test_one_look_has_one_prototype_the_median() -> None:
    web = windows(0, 40, 5.0)
    for count in (1, 2, 3):
        (look,) = find_looks(web, ones(web), PrototypeRule(count))
        np.testing.assert_array_equal(look.counts, median_counts(web))
        assert look.windows == 40


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0.22, 0.78), count=st.integers(2, 4))
def test_two_looks_are_told_apart_in_any_order(seed: int, share: float, count: int) -> None:
    first = round(60 * share)
    web = np.concatenate([windows(seed, first, 3.0), windows(seed + 1, 60 - first, 7.0)])
    order = np.random.default_rng(seed).permutation(60)
    looks = find_looks(web[order], ones(web), PrototypeRule(count))
    assert len(looks) == 2
    assert sorted(look.windows for look in looks) == sorted([first, 60 - first])
    levels = sorted(mean_level(look.counts) for look in looks)
    assert levels == pytest.approx([3.0, 7.0], abs=0.3)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    foreign=st.integers(0, 5),
    level=st.floats(8.0, 11.0),
    count=st.integers(2, 4),
)
def test_a_minority_never_becomes_a_prototype(
    seed: int, foreign: int, level: float, count: int
) -> None:
    """However far it is from the rest, and beside a web of two looks as well."""
    defect = windows(seed + 2, foreign, level, 0.5)
    for normal in ([(60, 3.0)], [(30, 2.0), (30, 5.0)]):
        web = np.concatenate([windows(seed + n, k, m) for n, (k, m) in enumerate(normal)])
        web = np.concatenate([web, defect])
        looks = find_looks(web, ones(web), PrototypeRule(count, 0.1))
        assert max(mean_level(look.counts) for look in looks) < 6.0


def test_a_share_is_of_the_windows_that_references_stand_for() -> None:
    web = np.concatenate([windows(0, 4, 3.0, 0.3), windows(1, 4, 8.0, 0.3)])
    rule = PrototypeRule(2, 0.2)
    even = find_looks(web, np.repeat([10, 10], 4), rule)
    assert [look.windows for look in even] == [40, 40]
    (alone,) = find_looks(web, np.repeat([10, 1], 4), rule)
    assert alone.windows == 44


def test_a_few_windows_are_one_look() -> None:
    web = np.concatenate([windows(0, 1, 3.0), windows(1, 2, 8.0)])
    assert len(find_looks(web, ones(web), PrototypeRule(3))) == 1
