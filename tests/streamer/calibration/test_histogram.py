import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calibration.histogram import Histogram, pack_histograms, unpack_histograms

SCORES = st.lists(st.floats(-1e6, 1e6, width=32), max_size=60)


@given(SCORES)
def test_values_come_back_rounded_to_a_256th(scores: list[float]) -> None:
    values = np.array(scores, np.float64)
    back = Histogram.of(values).values()
    assert (np.diff(back) >= 0).all()
    np.testing.assert_allclose(back, np.sort(values), rtol=1 / 256, atol=1e-37)


@given(SCORES, SCORES)
def test_adding_is_counting_together(first: list[float], second: list[float]) -> None:
    parts = Histogram.of(np.array(first, float)), Histogram.of(np.array(second, float))
    whole = Histogram.of(np.array(first + second, float))
    for together in (parts[0].add(parts[1]), parts[1].add(parts[0])):
        np.testing.assert_array_equal(together.keys, whole.keys)
        np.testing.assert_array_equal(together.counts, whole.counts)


@given(st.lists(SCORES, max_size=4), st.lists(st.integers(-(2**60), 2**60), max_size=5))
def test_bytes_come_back(scores: list[list[float]], numbers: list[int]) -> None:
    histograms = [Histogram.of(np.array(values, float)) for values in scores]
    packed = pack_histograms(np.array(numbers, np.int64), histograms)
    back, again = unpack_histograms(packed)
    np.testing.assert_array_equal(back, numbers)
    assert pack_histograms(back, again) == packed
    assert len(packed) == 14 + 8 * len(numbers) + sum(4 + 6 * h.keys.size for h in histograms)


def test_median_and_none() -> None:
    assert Histogram.of(np.array([1.0, 2.0, 8.0])).median() == 2.0
    assert np.isnan(Histogram.of(np.zeros(0)).median())
    assert Histogram.of(np.array([0.0, -0.0])).keys.size == 1


def test_damage_is_told() -> None:
    packed = pack_histograms(np.array([1, 2]), [Histogram.of(np.arange(9.0))])
    with pytest.raises(ValueError, match="state must begin with"):
        unpack_histograms(b"something else")
    with pytest.raises(ValueError, match="state must be complete"):
        unpack_histograms(packed[:-3])
    with pytest.raises(ValueError, match=f"state must be {len(packed)} bytes"):
        unpack_histograms(packed + b"more")


def test_keys_and_counts_must_fit() -> None:
    keys = np.array([3, 2], np.uint16)
    with pytest.raises(ValueError, match="keys must be ascending"):
        Histogram(keys, np.ones(2, np.uint32))
    with pytest.raises(ValueError, match="counts must be as many as keys"):
        Histogram(keys, np.ones(1, np.uint32))
