"""AUPIMO against its definition, point by point over the logarithm of the rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.evaluation import low_rates
from streamer.evaluation.low_rates import HIGHEST_RATE, LOWEST_RATE, LowRates, Tail


def slow_overlap(normal, defective, drawn, steps=20_001):
    """Mean covered share over log rates; at a rate the lowest threshold that stays within it."""
    thresholds = np.unique(np.concatenate(normal))[::-1]
    shares = np.array([[(image >= t).mean() for t in thresholds[:60]] for image in normal])
    shared = drawn @ shares / drawn.sum()
    # The middles of equal steps of the logarithm.
    places = (np.arange(steps) + 0.5) / steps
    wanted = LOWEST_RATE * (HIGHEST_RATE / LOWEST_RATE) ** places
    first_over = np.searchsorted(shared, wanted, side="right")
    covered = np.array([(defective > t).mean() for t in thresholds[:60]])
    return covered[np.minimum(first_over, 59)].mean()


def images(seed, counts=3, size=40_000, levels=None):
    generator = np.random.default_rng(seed)
    normal = [generator.random(size).astype(np.float32) for _ in range(counts)]
    defective = [generator.normal(1, 2e-4, 500).clip(0, 1.1).astype(np.float32) for _ in range(2)]
    if levels:
        normal = [np.round(n * levels) / np.float32(levels) for n in normal]
    return normal, defective


def low_rates_of(normal, defective):
    return LowRates.of([Tail.of(image, len(normal)) for image in normal], defective)


@given(st.integers(0, 10_000), st.sampled_from([None, 50_000]))
@settings(max_examples=10, deadline=None)
def test_it_is_the_slow_definition(seed, levels):
    normal, defective = images(seed, levels=levels)
    found = low_rates_of(normal, defective).overlap(np.ones(3))
    slow = [slow_overlap(normal, one, np.ones(3)) for one in defective]
    assert found == pytest.approx(slow, abs=2e-3)


def test_redrawn_images_have_their_own_thresholds():
    normal, defective = images(4)
    drawn = np.array([2.0, 0.0, 1.0])
    found = low_rates_of(normal, defective).overlap(drawn)
    again = low_rates_of([normal[0], normal[0], normal[2]], defective).overlap(np.ones(3))
    assert found == pytest.approx(again, abs=1e-6)


def test_a_perfect_map_and_a_blind_one():
    normal, _ = images(1)
    above, below = np.full(9, 2, np.float32), np.full(9, -1, np.float32)
    found = low_rates_of(normal, [above, below]).overlap(np.ones(3))
    assert found == pytest.approx([1, 0])


def test_a_constant_map_flags_nothing():
    same = np.full(1000, 0.5, np.float32)
    assert low_rates_of([same], [same]).overlap(np.ones(1)) == pytest.approx([0])


def test_a_defect_that_is_masked_is_missed():
    normal, _ = images(1)
    assert low_rates_of(normal, [np.zeros(0, np.float32)]).overlap(np.ones(3)) == pytest.approx(0)


def test_without_a_clean_image_it_is_undefined():
    normal, defective = images(1)
    assert np.isnan(low_rates_of(normal, defective).overlap(np.zeros(3))).all()
    assert np.isnan(low_rates_of([], defective).overlap(np.zeros(0))).all()


def test_thinned_thresholds_change_little(monkeypatch):
    normal, defective = images(7, size=400_000)
    every = low_rates_of(normal, defective)
    monkeypatch.setattr(low_rates, "MOST_THRESHOLDS", 200)
    thinned = low_rates_of(normal, defective)
    assert thinned.shares.shape[1] <= 200 < every.shares.shape[1]
    assert thinned.overlap(np.ones(3)) == pytest.approx(every.overlap(np.ones(3)), abs=0.01)


def test_a_tail_holds_what_one_image_could_flag_for_all():
    scores = np.arange(100_000, dtype=np.float32)
    tail = Tail.of(scores, 5)
    assert tail.pixels == 100_000
    assert tail.scores.size == round(4 * HIGHEST_RATE * 5 * 100_000) + 1
    assert tail.scores[-1] == scores[-1]
