"""The truth of faults: which lines each of them cost, and which came again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from streamer.fault_script import Fault
from streamer.sources.camera_faults import FaultLog
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(10, 1.0, 1.0, 60.0)


def log(*faults, first_line=0) -> tuple[FaultLog, list]:
    script = TypeAdapter(list[Fault]).validate_python(list(faults))
    return FaultLog(script, GEOMETRY, first_line), script


def test_each_fault_is_met_once_when_the_web_reaches_it() -> None:
    faults, (second, first) = log(
        {"kind": "lost_lines", "at_m": 0.2}, {"kind": "lost_frames", "at_m": 0.1}
    )
    assert faults.meet(100) == ()
    assert faults.meet(101) == (first,)
    assert faults.meet(500) == (second,)
    assert faults.meet(900) == ()


def test_faults_of_the_web_itself_are_not_met_by_frames() -> None:
    faults, _ = log({"kind": "reverse", "at_m": 0.1}, {"kind": "seam", "at_m": 0.1})
    assert faults.meet(1000) == ()


def test_what_was_met_before_the_start_is_not_met_again() -> None:
    faults, _ = log({"kind": "lost_lines", "at_m": 0.1}, first_line=200)
    assert faults.meet(1000) == ()


def test_truth_names_lines_and_reason_of_what_has_begun() -> None:
    faults, (one, _) = log(
        {"kind": "partial_frame", "at_m": 0.1}, {"kind": "lost_lines", "at_m": 0.9}
    )
    faults.lose(one, np.array([5, 3, 4, 9]))
    faults.lose(one, np.array([6]))
    (truth,) = faults.truth(500)
    assert truth["kind"] == "partial_frame"
    assert truth["valid_share"] == 0.5
    assert (truth["at_line"], truth["reason"]) == (100, "partial_frame")
    assert truth["missed"] == truth["lost"] == [[3, 7], [9, 10]]


def test_lines_that_come_again_are_missed_but_not_lost() -> None:
    faults, (one,) = log({"kind": "lost_frames", "at_m": 0.1})
    faults.lose(one, np.arange(100, 200))
    faults.arrive_again(np.arange(150, 140, -1))
    (truth,) = faults.truth(500)
    assert truth["missed"] == [[100, 200]]
    assert truth["lost"] == [[100, 141], [151, 200]]


def test_skipped_lines_belong_to_the_latest_overspeed() -> None:
    faults, _ = log({"kind": "overspeed", "at_m": 0.1}, {"kind": "overspeed", "at_m": 0.5})
    faults.lose_skipped(np.array([101, 103, 499, 500, 777]))
    first, second = faults.truth(1000)
    assert first["missed"] == [[101, 102], [103, 104], [499, 500]]
    assert second["missed"] == [[500, 501], [777, 778]]


@settings(deadline=None)
@given(missed=st.sets(st.integers(0, 60)), again=st.sets(st.integers(0, 60)))
def test_lost_is_what_is_missed_and_never_came(missed: set[int], again: set[int]) -> None:
    faults, (one,) = log({"kind": "lost_frames"})
    faults.lose(one, np.array(sorted(missed), np.int64))
    faults.arrive_again(np.array(sorted(again), np.int64))
    (truth,) = faults.truth(1)
    lost = {line for first, end in truth["lost"] for line in range(first, end)}
    assert lost == missed - again
