"""Latency quantiles: bounded memory, never below the truth by more than a bucket."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.stages.latency import LatencyHistogram


def filled(values):
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_nothing_measured_reads_as_zero():
    assert LatencyHistogram().quantile(0.5) == 0


@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-9])
def test_values_under_a_microsecond_count_as_one(value):
    assert filled([value]).quantile(0.5) == pytest.approx(1e-6)


def test_memory_does_not_grow():
    histogram = filled([0.1] * 1000)
    assert len(histogram.counts) == len(LatencyHistogram().counts)
    assert histogram.total == 1000


def test_values_beyond_the_range_stay_in_the_last_bucket():
    assert filled([1e30]).quantile(1.0) > 1e5


def test_one_slow_tile_in_a_hundred_shows_in_p99_only_above_it():
    histogram = filled([0.01] * 98 + [2.0, 2.0])
    assert histogram.quantile(0.5) == pytest.approx(0.01, rel=0.05)
    assert histogram.quantile(0.99) == pytest.approx(2.0, rel=0.05)


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_the_exact_one_rounded_up_to_a_bucket(values, share):
    exact = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    found = filled(values).quantile(share)
    assert exact * (1 - 1e-9) <= found <= exact * 2 ** (1 / 16) * (1 + 1e-9)
