import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calibration.lanes import LaneMaxima, PoolTarget, pool_lanes

TARGET = PoolTarget("exponential", 2.5e-5)


def lanes_of(offsets: list[float], sizes: list[int], seed: int = 1) -> list[LaneMaxima]:
    rng = np.random.default_rng(seed)
    pairs = enumerate(zip(offsets, sizes, strict=True))
    return [LaneMaxima(i, offset + rng.exponential(1.0, size)) for i, (offset, size) in pairs]


def test_lanes_that_differ_keep_their_location_and_share_the_tail() -> None:
    pooled = pool_lanes(lanes_of([1.0, 3.0, 6.0], [2000] * 3), TARGET)
    levels = [lane.level for lane in pooled]
    assert levels[1] - levels[0] == pytest.approx(2.0, abs=0.15)
    assert levels[2] - levels[0] == pytest.approx(5.0, abs=0.15)
    assert levels[0] == pytest.approx(1.0 - np.log(2.5e-5), rel=0.15)
    assert [lane.offset for lane in pooled] == pytest.approx([-7 / 3, -1 / 3, 8 / 3], abs=0.15)


def test_lanes_that_do_not_differ_get_one_level() -> None:
    levels = [lane.level for lane in pool_lanes(lanes_of([1.0] * 6, [300] * 6), TARGET)]
    single = [pool_lanes([lane], TARGET)[0].level for lane in lanes_of([1.0] * 6, [300] * 6)]
    assert np.ptp(levels) < 0.1 * np.ptp(single)


def test_a_lane_with_few_blocks_is_drawn_to_the_others() -> None:
    drawn = []
    for size in (8, 2000):
        pooled = pool_lanes(lanes_of([1.0, 1.3, 0.7, 3.0], [500, 500, 500, size]), TARGET)
        drawn.append(pooled[3].level - pooled[0].level)
    assert 0 < drawn[0] < drawn[1] < 2.2


def test_pooling_is_nearer_to_the_true_levels_than_lanes_alone() -> None:
    true = -np.log(2.5e-5)
    offsets = [1.0, 1.2, 1.5, 0.8]
    errors: dict[str, list[float]] = {"pooled": [], "alone": []}
    for seed in range(30):
        lanes = lanes_of(offsets, [100] * 4, seed)
        for offset, lane, own in zip(offsets, lanes, pool_lanes(lanes, TARGET), strict=True):
            errors["pooled"].append(own.level - offset - true)
            errors["alone"].append(pool_lanes([lane], TARGET)[0].level - offset - true)
    assert np.std(errors["pooled"]) < 0.7 * np.std(errors["alone"])


def test_a_defect_in_one_lane_moves_no_level_much() -> None:
    lanes = lanes_of([1.0, 2.0], [600, 600])
    clean = pool_lanes(lanes, TARGET)
    spoilt = lanes[0].maxima.copy()
    spoilt[:20] = 60.0
    found = pool_lanes([LaneMaxima(0, spoilt), lanes[1]], TARGET)
    for before, after in zip(clean, found, strict=True):
        assert after.level == pytest.approx(before.level, rel=0.1)


@given(st.permutations(range(4)))
def test_the_order_of_lanes_does_not_matter(order: list[int]) -> None:
    lanes = lanes_of([1.0, 2.0, 3.0, 2.5], [80, 200, 120, 90])
    expected = {lane.lane: lane.level for lane in pool_lanes(lanes, TARGET)}
    for lane in pool_lanes([lanes[i] for i in order], TARGET):
        assert lane.level == pytest.approx(expected[lane.lane], rel=1e-9)


def test_constant_lanes_have_their_constants() -> None:
    pooled = pool_lanes([LaneMaxima(0, np.ones(70)), LaneMaxima(1, np.full(70, 2.0))], TARGET)
    assert [lane.level for lane in pooled] == [1.0, 2.0]


def test_what_cannot_be_pooled_is_refused() -> None:
    with pytest.raises(ValueError, match="lanes must not be empty"):
        pool_lanes([], TARGET)
    with pytest.raises(ValueError, match="lanes must have maxima"):
        pool_lanes([LaneMaxima(0, np.zeros(0))], TARGET)
