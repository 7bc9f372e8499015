import json
import math
import warnings
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from streamer.calibration import Calibration, CalibrationTarget, calibrate
from streamer.web import WebGeometry

BLOCK = 9


def target(columns: int = 1024, rate: float = 1.0) -> CalibrationTarget:
    return CalibrationTarget(WebGeometry(columns, 0.5, 0.5, 60.0), 8, BLOCK, rate)


def map_of_blocks(maxima: np.ndarray, background: float = 0.0) -> np.ndarray:
    """A map whose 9 x 9 blocks have exactly these maxima and are `background` elsewhere."""
    columns = 20
    rows = -(-maxima.size // columns)
    scores = np.full((rows * BLOCK, columns * BLOCK), np.nan, np.float32)
    for index, value in enumerate(maxima):
        row, column = divmod(index, columns)
        block = scores[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
        block[:] = background
        block[4, 4] = value
    return scores


class Tail(NamedTuple):
    """Draws `count` block maxima; `level` is where the chance is that of one alarm per 100 m."""

    draw: object
    level: float


CHANCE = target().chance
TAILS = {
    "exponential": Tail(lambda r, n: r.exponential(1.0, n), -math.log(CHANCE)),
    "gumbel": Tail(lambda r, n: r.gumbel(0.0, 1.0, n) + 4, 4 - math.log(-math.log1p(-CHANCE))),
    "normal": Tail(lambda r, n: r.normal(4.0, 1.0, n), 4 + 4.056),  # z of 2.5e-5
}


def test_one_chance_per_block_follows_from_the_web() -> None:
    # 100 m of 0.5 mm lines are 200,000 lines, 25,000 rows of 128 cells, in blocks of 81.
    assert target().blocks_per_100m == pytest.approx(25_000 * 128 / 81)
    assert target().chance == pytest.approx(81 / (25_000 * 128))
    assert target(columns=2048).chance == pytest.approx(target().chance / 2)
    assert target(rate=10).chance == pytest.approx(target().chance * 10)
    assert target(rate=1e9).chance == 0.5


@pytest.mark.parametrize(
    ("field", "value"), [("stride", 0), ("block", 0), ("false_alarms_per_100m", 0.0)]
)
def test_target_refuses_what_is_not_positive(field: str, value: float) -> None:
    values = {"stride": 8, "block": 9, "false_alarms_per_100m": 1.0} | {field: value}
    with pytest.raises(ValueError, match=f"{field} must be > 0, got {value}"):
        CalibrationTarget(WebGeometry(100, 0.5, 0.5, 60.0), **values)


@pytest.mark.parametrize("defects", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("name", ["exponential", "gumbel"])
def test_level_is_near_the_true_one_in_spite_of_defects(name: str, defects: float) -> None:
    tail = TAILS[name]
    levels = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        maxima = tail.draw(rng, 600)
        foreign = rng.random(600) < defects
        maxima[foreign] = tail.level * rng.uniform(1.0, 3.0, foreign.sum())
        levels.append(calibrate([map_of_blocks(maxima)], target()).alarm_level)
    assert 0.95 * tail.level < np.median(levels) < 1.15 * tail.level
    assert min(levels) > 0.75 * tail.level


def test_normal_tails_err_to_fewer_alarms() -> None:
    tail = TAILS["normal"]
    maxima = tail.draw(np.random.default_rng(3), 600)
    level = calibrate([map_of_blocks(maxima)], target()).alarm_level
    assert tail.level < level < 1.6 * tail.level


def test_rate_is_kept_on_fresh_web() -> None:
    """At a rate high enough to count: 40 alarms per 100 m, on 100 m that were not learnt from."""
    rng = np.random.default_rng(5)
    wanted = target(rate=40.0)
    alarms = []
    for _ in range(10):
        level = calibrate([map_of_blocks(rng.exponential(1.0, 600))], wanted).alarm_level
        alarms.append((rng.exponential(1.0, round(wanted.blocks_per_100m)) > level).sum())
    assert 10 < np.mean(alarms) < 60


@given(st.floats(0.25, 400.0), st.floats(0.1, 50.0))
def test_rarer_alarms_need_a_higher_level(rate: float, factor: float) -> None:
    scores = [map_of_blocks(np.random.default_rng(1).exponential(1.0, 100))]
    level = calibrate(scores, target(rate=rate)).alarm_level
    other = calibrate(scores, target(rate=rate * factor)).alarm_level
    assert (other <= level) if factor >= 1 else (other >= level)


@given(st.floats(0.01, 100.0), st.floats(-10.0, 10.0))
def test_level_follows_the_unit_of_the_score(scale: float, shift: float) -> None:
    scores = map_of_blocks(np.random.default_rng(2).exponential(1.0, 200)).astype(np.float64)
    plain = calibrate([scores], target())
    moved = calibrate([scores * scale + shift], target())
    assert moved.background == pytest.approx(plain.background * scale + shift, abs=1e-6)
    # The margin above a constant map is the only part that is not proportional.
    margin = 2e-3 * abs(moved.background) + 1e-5
    assert moved.alarm_level == pytest.approx(plain.alarm_level * scale + shift, 1e-4, abs=margin)


@given(st.floats(-1e3, 1e3), st.integers(1, 40), st.integers(1, 40))
def test_constant_map_has_a_level_above_its_background(value: float, rows: int, cols: int) -> None:
    calibration = calibrate([np.full((rows, cols), value, np.float32)], target())
    assert calibration.alarm_level > calibration.background == pytest.approx(value, rel=1e-6)


def test_masked_cells_change_nothing() -> None:
    scores = map_of_blocks(np.random.default_rng(4).exponential(1.0, 100))
    beside = np.hstack([scores, np.full((scores.shape[0], 2 * BLOCK), np.nan, np.float32)])
    assert calibrate([beside], target()) == calibrate([scores], target())


def test_a_map_without_a_cell_rests_on_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibration = calibrate([np.full((20, 20), np.nan, np.float32)], target())
        none = calibrate([], target())
    assert (calibration.background, calibration.alarm_level, calibration.blocks) == (0.0, 1.0, 0)
    assert none == calibration


def test_block_that_is_mostly_masked_is_not_a_block() -> None:
    scores = np.full((BLOCK, 2 * BLOCK), 1.0, np.float32)
    scores[:, BLOCK + 2 :] = np.nan
    assert calibrate([scores], target()).blocks == 1
    alone = scores[:, BLOCK:]
    assert calibrate([alone], target()).blocks == 1


def smooth_field(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Correlated over about a block, normal, around 1."""
    field = ndimage.gaussian_filter(rng.normal(size=(rows, columns)), 2.0)
    return (1.0 + 0.1 * field / field.std()).astype(np.float32)


def test_few_blocks_give_a_wider_level_and_say_so() -> None:
    rng = np.random.default_rng(6)
    few = [calibrate([smooth_field(rng, 27, 36)], target()) for _ in range(30)]
    many = [calibrate([smooth_field(rng, 200, 200)], target()) for _ in range(5)]
    assert {c.blocks for c in few} == {12}
    assert np.median([c.alarm_level for c in few]) > np.median([c.alarm_level for c in many])


def test_a_defect_in_a_small_image_does_not_hide_itself() -> None:
    """It touches half of the blocks, but less than a fifth of the cells."""
    clean = smooth_field(np.random.default_rng(9), 32, 32)
    flawed = clean.copy()
    flawed[10:22, 8:20] += 2.0
    level = calibrate([clean], target()).alarm_level
    found = calibrate([flawed], target())
    assert clean.max() < level < found.alarm_level < 1.3 * level
    assert flawed.max() > found.alarm_level


@pytest.mark.parametrize("shape", [(5, 7), (3, 3), (1, 1)])
def test_a_tiny_map_still_has_a_level(shape: tuple[int, int]) -> None:
    scores = np.random.default_rng(7).normal(1.0, 0.1, shape).astype(np.float32)
    calibration = calibrate([scores], target())
    assert calibration.blocks == 1
    assert calibration.alarm_level > scores.max()


def test_several_maps_count_as_one_web() -> None:
    rng = np.random.default_rng(8)
    maps = [map_of_blocks(rng.exponential(1.0, 100)) for _ in range(3)]
    joined, apart = calibrate([np.vstack(maps)], target()), calibrate(maps, target())
    assert joined.blocks == apart.blocks == 300
    assert joined.background == apart.background
    # Neighbours across a seam are not known to be neighbours.
    assert apart.alarm_level == pytest.approx(joined.alarm_level, rel=0.02)


def test_normalised_scores_are_in_units_of_the_alarm_level() -> None:
    calibration = Calibration(0.2, 0.6, 100, 1.0)
    scores = np.array([[0.2, 0.6, 1.0, np.nan]], np.float32)
    normalised = calibration.normalise(scores)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised, [[0.0, 1.0, 2.0, np.nan]], atol=1e-6)


def test_a_level_by_hand_rests_on_no_block() -> None:
    by_hand = Calibration(0.2, 0.6, 100, 1.0).with_alarm_level(0.5)
    assert (by_hand.alarm_level, by_hand.blocks) == (0.5, 0)
    with pytest.raises(ValueError, match=r"background \(what typical .* = 0.2; null .*\), got 0.1"):
        by_hand.with_alarm_level(0.1)
    with pytest.raises(ValueError, match="must be finite"):
        by_hand.with_alarm_level(math.nan)


def test_a_calibration_says_what_it_is_worth() -> None:
    few = calibrate([map_of_blocks(np.random.default_rng(1).exponential(1.0, 600))], target())
    many = calibrate([map_of_blocks(np.random.default_rng(1).exponential(1.0, 20_000))], target())
    for made in (few, many):
        low, high = made.rate_interval
        assert 0 <= low < 1.0 < high <= made.rate_if_normal
        least, most = made.level_interval
        assert least < TAILS["exponential"].level < most
        assert made.tail == "exponential"
    # 600 blocks of 39,506 in 100 m
    assert few.metres == pytest.approx(100 * 600 * 81 / (25_000 * 128))
    assert few.rate_interval[1] > 2 * many.rate_interval[1]
    assert few.support.metres_missing > 298
    assert few.support.extrapolation == pytest.approx(100 * few.dependence / few.metres)


def test_the_bold_tail_gives_lower_levels_on_light_tails() -> None:
    tail = TAILS["normal"]
    maps = [map_of_blocks(tail.draw(np.random.default_rng(3), 4000))]
    bold = calibrate(maps, replace(target(), tail="gpd"))
    assert bold.tail == "gpd"
    assert 0.85 * tail.level < bold.alarm_level < 1.05 * tail.level
    assert bold.alarm_level < calibrate(maps, target()).alarm_level
    with pytest.raises(ValueError, match="tail must be of exponential, gpd, got 'weibull'"):
        replace(target(), tail="weibull")


def test_defects_are_cut_off_and_counted() -> None:
    rng = np.random.default_rng(4)
    maxima = rng.exponential(1.0, 600)
    clean = calibrate([map_of_blocks(maxima)], target())
    maxima[::50] = 40.0
    found = calibrate([map_of_blocks(maxima)], target())
    assert found.cut_off >= 12
    assert found.alarm_level == pytest.approx(clean.alarm_level, rel=0.1)
    assert found.rate_interval[0] == 0
    assert found.rate_if_normal > 2 * found.rate_interval[1]


def test_few_blocks_promise_nothing() -> None:
    made = calibrate([smooth_field(np.random.default_rng(2), 27, 36)], target())
    assert (made.tail, made.rate_interval, made.level_interval) == ("cells", None, None)
    assert made.support.metres_missing > 299


def test_neighbours_that_rise_together_count_less() -> None:
    rng = np.random.default_rng(5)
    apart = map_of_blocks(rng.exponential(1.0, 4000))
    joint = map_of_blocks(np.repeat(rng.exponential(1.0, 1000), 4))
    plain, doubtful = calibrate([apart], target()), calibrate([joint], target())
    assert plain.dependence < 1.5 < 3 < doubtful.dependence
    assert doubtful.support.metres_needed > 2 * plain.support.metres_needed


def test_lanes_get_levels_of_their_own_where_they_are_named() -> None:
    rng = np.random.default_rng(6)
    quiet, loud = (map_of_blocks(offset + rng.exponential(1.0, 600)) for offset in (1.0, 5.0))
    made = calibrate([quiet, loud], target(), lanes=(0, 1))
    assert [own.lane for own in made.lane_levels] == [0, 1]
    first, second = made.lane_levels
    assert second.alarm_level - first.alarm_level == pytest.approx(4.0, abs=0.3)
    assert made.for_lane(1).alarm_level == second.alarm_level
    assert made.for_lane(7) == made
    assert calibrate([quiet, loud], target()).lane_levels == ()
    assert calibrate([quiet, loud], target(), lanes=(3, 3)).lane_levels == ()
    with pytest.raises(ValueError, match="lanes must be 2, got 1"):
        calibrate([quiet, loud], target(), lanes=(0,))


def test_json_brings_a_calibration_back() -> None:
    rng = np.random.default_rng(7)
    maps = [map_of_blocks(offset + rng.exponential(1.0, 200)) for offset in (1.0, 2.0)]
    made = calibrate(maps, target(), lanes=(0, 1))
    assert Calibration(**json.loads(json.dumps(asdict(made)))) == made
