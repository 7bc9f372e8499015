import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamer.calibration.interval import tail_posterior

CHANCE = 2.5e-5


def test_intervals_hold_the_truth_of_known_tails() -> None:
    """95 % are stated; the shape that is expected beforehand makes them wider on these."""
    for shape in (-0.2, 0.0, 0.2):
        true = stats.genpareto(shape)
        level, held, held_level = true.isf(1e-4), 0, 0
        for seed in range(40):
            maxima = true.rvs(size=1000, random_state=np.random.default_rng(seed))
            posterior = tail_posterior(maxima, "gpd")
            low, high = posterior.chance_interval(level)
            held += low <= 1e-4 <= high
            least, most = posterior.level_interval(1e-4)
            held_level += least <= level <= most
        assert held >= 36, shape
        assert held_level >= 36, shape


def test_more_maxima_say_more() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (100, 1000):
        low, high = tail_posterior(rng.exponential(1.0, count), "gpd").level_interval(CHANCE)
        widths.append(high - low)
    assert widths[0] > 1.3 * widths[1]


def test_dependent_maxima_say_less() -> None:
    maxima = np.random.default_rng(2).exponential(1.0, 500)
    plain, doubtful = (tail_posterior(maxima, "gpd", joint) for joint in (1.0, 10.0))
    assert doubtful.chance_interval(8.0)[1] > plain.chance_interval(8.0)[1]
    assert doubtful.level_interval(CHANCE)[1] > plain.level_interval(CHANCE)[1]


def test_a_tail_that_was_cut_off_may_be_longer() -> None:
    maxima = np.random.default_rng(3).exponential(1.0, 3000)
    kept = maxima[maxima < 5.0]
    blind, aware = tail_posterior(kept, "gpd"), tail_posterior(kept, "gpd", limit=5.0)
    true = np.exp(-8.0)
    assert blind.chance_interval(8.0)[1] < aware.chance_interval(8.0)[1]
    low, high = aware.chance_interval(8.0)
    assert low <= true <= high


@given(st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_intervals_follow_the_unit(scale: float, shift: float) -> None:
    maxima = np.random.default_rng(4).exponential(1.0, 300)
    plain = tail_posterior(maxima, "exponential")
    moved = tail_posterior(maxima * scale + shift, "exponential")
    expected = np.array(plain.level_interval(CHANCE)) * scale + shift
    np.testing.assert_allclose(moved.level_interval(CHANCE), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        moved.chance_interval(9.0 * scale + shift), plain.chance_interval(9.0), rtol=1e-5
    )


@given(st.floats(3.0, 20.0), st.floats(1e-9, 0.05))
def test_higher_levels_are_rarer_and_rarer_chances_higher(level: float, chance: float) -> None:
    posterior = tail_posterior(np.random.default_rng(5).exponential(1.0, 300), "exponential")
    assert posterior.chance_interval(level * 1.1)[1] <= posterior.chance_interval(level)[1]
    assert posterior.level_interval(chance / 2)[1] >= posterior.level_interval(chance)[1]
    low, high = posterior.chance_interval(level)
    assert 0 <= low <= high <= 1


def test_groups_of_excesses_say_what_single_ones_say(monkeypatch: pytest.MonkeyPatch) -> None:
    maxima = np.random.default_rng(6).exponential(1.0, 3000)
    grouped = tail_posterior(maxima, "gpd").level_interval(CHANCE)
    monkeypatch.setattr("streamer.calibration.interval.LARGEST_KEPT", 100_000)
    single = tail_posterior(maxima, "gpd").level_interval(CHANCE)
    np.testing.assert_allclose(grouped, single, rtol=0.02)


def test_equal_maxima_have_no_tail() -> None:
    assert tail_posterior(np.ones(100), "gpd") is None
