"""The path of the web under the camera: every move, in any pieces, with its time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from streamer.fault_script import Fault
from streamer.message import Interval
from streamer.sources.camera_path import Path, plan_moves
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(10, 1.0, 1.0, 60.0)
RATE_HZ = 1000.0


def path(*faults, first=0, end=100) -> Path:
    script = TypeAdapter(list[Fault]).validate_python(list(faults))
    return Path(plan_moves(script, GEOMETRY, Interval(first, end)), RATE_HZ)


def seen(*faults, **web) -> list[int]:
    return path(*faults, **web).take(10_000).tolist()


def test_a_steady_web_passes_line_by_line() -> None:
    assert seen(first=20) == list(range(20, 100))


def test_a_web_rolls_back_and_goes_on() -> None:
    back = {"kind": "reverse", "at_m": 0.05, "back_m": 0.003}
    expected = [*range(50), 48, 47, 46, 47, 48, 49, *range(50, 100)]
    assert seen(back) == expected


def test_a_web_rolls_back_no_further_than_its_start() -> None:
    assert min(seen({"kind": "reverse", "at_m": 0.05, "back_m": 9.0})) == 0
    assert seen({"kind": "reverse", "at_m": 0.001}) == list(range(100))


def test_a_web_stands_still_under_the_camera() -> None:
    assert seen({"kind": "encoder_stop", "at_m": 0.05, "lines": 3}) == [
        *range(50),
        *[49] * 3,
        *range(50, 100),
    ]


@pytest.mark.parametrize("factor", [1.5, 2.0, 7.3])
def test_a_web_runs_ahead(factor: float) -> None:
    lines = seen({"kind": "overspeed", "at_m": 0.02, "length_m": 0.03, "factor": factor})
    fast = [line for line in lines if 20 <= line < 50]
    assert fast == [20 + int(n * factor) for n in range(len(fast))]
    assert lines[-1] == 99
    assert np.all(np.diff(lines) >= 1)


def test_a_stop_costs_time_alone() -> None:
    walk = path({"kind": "stop", "at_m": 0.05, "seconds": 2})
    assert walk.take(49).tolist() == list(range(49))
    assert walk.now_ns == 49_000_000
    assert walk.take(2).tolist() == [49, 50]
    assert walk.now_ns == 2_051_000_000


def test_faults_before_the_start_have_been() -> None:
    assert seen({"kind": "reverse", "at_m": 0.05}, first=60) == list(range(60, 100))


def test_until_a_line_comes() -> None:
    walk = path({"kind": "overspeed", "at_m": 0.02, "length_m": 0.03, "factor": 2})
    assert walk.take_until(31).tolist() == [*range(20), 20, 22, 24, 26, 28, 30]
    assert walk.take(1).tolist() == [32]
    assert walk.take_until(1000)[-1] == 99
    assert walk.take(5).tolist() == []


MOVES = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["reverse", "encoder_stop", "overspeed", "stop"]),
            "at_m": st.integers(0, 99).map(lambda line: line / 1000),
        }
    ),
    max_size=5,
)


@given(faults=MOVES, pieces=st.lists(st.integers(1, 400), max_size=30))
def test_pieces_of_any_size_are_the_same_path(faults, pieces) -> None:
    whole = path(*faults).take(10_000)
    walk = path(*faults)
    cut = np.concatenate([*(walk.take(n) for n in pieces), walk.take(10_000)])
    assert np.array_equal(cut, whole)
    assert walk.exposures == len(whole)
    assert whole.min() >= 0
    assert whole.max() == 99 or whole.max() >= 90  # overspeed may skip the last lines
