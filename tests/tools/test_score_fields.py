import numpy as np
import pytest
from score_fields import TAILS, FieldCase, draw_tiles

CHANCE = 1e-3


def drawn(case: FieldCase, seed: int = 1) -> np.ndarray:
    return np.vstack(draw_tiles(case, 14, CHANCE, np.random.default_rng(seed)))


@pytest.mark.parametrize("tail", TAILS)
def test_levels_are_exceeded_as_often_as_they_say(tail: str) -> None:
    case = FieldCase(tail, 200_000)
    maxima = drawn(case)
    assert maxima.size >= case.blocks
    above = (maxima > case.true_level(CHANCE)).mean()
    assert above == pytest.approx(CHANCE, rel=0.25)
    assert case.true_chance(case.true_level(CHANCE)) == pytest.approx(CHANCE)


def test_smoothing_joins_neighbours_and_keeps_the_tail() -> None:
    plain, smooth = (drawn(FieldCase("exponential", 60_000, smoothing=s)) for s in (0.0, 1.0))
    joint = [np.corrcoef(f[:-1].ravel(), f[1:].ravel())[0, 1] for f in (plain, smooth)]
    assert abs(joint[0]) < 0.03
    assert joint[1] > 0.5
    assert smooth.mean() == pytest.approx(1.0, abs=0.05)
    assert (smooth > np.log(100)).mean() == pytest.approx(0.01, rel=0.3)


def test_defects_begin_at_the_level() -> None:
    case = FieldCase("normal", 20_000, defects=0.05)
    above = drawn(case) >= case.true_level(CHANCE)
    assert above.mean() == pytest.approx(0.05, rel=0.15)


def test_drift_moves_whole_tiles_slowly() -> None:
    tiles = draw_tiles(FieldCase("normal", 40_000, drift=0.1), 14, CHANCE, np.random.default_rng(2))
    levels = np.log([np.median(tile) for tile in tiles])
    assert levels.std() == pytest.approx(0.1, rel=0.5)
    assert np.corrcoef(levels[:-1], levels[1:])[0, 1] > 0.8


def test_the_same_seed_draws_the_same() -> None:
    case = FieldCase("gpd +0.2", 900, smoothing=0.7, defects=0.1, drift=0.02)
    np.testing.assert_array_equal(drawn(case), drawn(case))
    assert not np.array_equal(drawn(case), drawn(case, seed=2))
