"""The table of the fail-safe says what was seen; what was late is named; faults do as they say."""

from pathlib import Path

import pytest
from fail_safe import FAULTS, LIMIT_S, Outcome, _cells, _in_time, _times, kill, spoil_scorer, stop
from plc_view import Sighting


class Stage:
    """A process of a line that notes what is done to it."""

    def __init__(self):
        self.done = []

    def __getattr__(self, name):
        return lambda: self.done.append(name)


class Line:
    """A line whose stages are not there."""

    def __init__(self, folder=Path()):
        self.folder, self.stages = folder, {}

    def child(self, name):
        return self.stages.setdefault(name, Stage())


def seen(invalid=None, stands=None):
    return Outcome(Sighting(invalid, invalid, stands, None), 2.0)


@pytest.mark.parametrize(
    ("outcome", "in_time"),
    [
        (seen(invalid=LIMIT_S), True),
        (seen(stands=0.6), True),
        (seen(invalid=1.5, stands=0.6), True),
        (seen(invalid=LIMIT_S + 0.01), False),
        (seen(), False),
    ],
)
def test_a_fault_is_seen_in_time_by_either_sign_or_it_is_late(outcome, in_time):
    assert _in_time(outcome) == in_time


def test_a_cell_has_the_median_and_the_worst_and_never_hides_a_miss():
    assert _times([0.5, 0.7, 0.6]) == "600 (700)"
    assert _times([0.5, None]) == "500 (never)"
    assert _times([None, None]) == "-"


def test_a_row_says_when_the_roll_ends():
    ends = next(fault for fault in FAULTS if not fault.recovers)
    goes_on = next(fault for fault in FAULTS if fault.recovers)
    assert _cells([seen(invalid=0.5)], ends)[-1] == "the roll has ended"
    assert _cells([seen(invalid=0.5)], goes_on)[-1] == "2000 (2000)"


def test_stages_are_killed_and_stopped_by_name():
    line = Line()
    kill("score-0")(line)
    undo = stop("sink")(line)
    assert line.stages["score-0"].done == ["kill"]
    undo()
    assert line.stages["sink"].done == ["suspend", "resume"]
    assert stop("capture", goes_on=False)(line) is None


def test_a_scorer_is_told_by_a_file_that_is_there_at_once(tmp_path):
    spoil_scorer("hang")(Line(tmp_path))
    assert (tmp_path / "scorer_fault").read_text() == "hang"
    assert len(list(tmp_path.iterdir())) == 1


def test_every_fault_of_the_table_has_a_name_of_its_own():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 12
