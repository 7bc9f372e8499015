"""What a peer may ask, and rows of the live map: what cannot be meant is refused at once."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.line_status import (
    LONGEST_SHELF_S,
    LONGEST_TEXT,
    Command,
    CommandKind,
    MapRows,
    RunState,
)

NAMED = [kind for kind in CommandKind if kind is not CommandKind.STOP]


def command(kind=CommandKind.SHELVE, **changes):
    known = {"id": "1", "alarm": "roll/cam0/defect-1", "by": "page", "seconds": 60.0}
    return Command(kind=kind, **{**known, **changes})


@pytest.mark.parametrize("kind", NAMED)
def test_all_but_a_stop_name_what_they_mean(kind):
    assert command(kind).alarm == "roll/cam0/defect-1"
    assert command(kind, alarm="*").alarm == "*"
    with pytest.raises(ValueError, match=r"Command.alarm must be an alarm's id or \*, got ''"):
        command(kind, alarm="")
    assert command(CommandKind.STOP, alarm="").kind is CommandKind.STOP


@pytest.mark.parametrize("changes", [{"id": ""}, {"by": ""}])
def test_who_asks_and_for_what_must_be_told(changes):
    with pytest.raises(ValueError, match=r"Command.id and by must be given"):
        command(**changes)


@given(st.floats())
def test_shelving_lasts_for_a_time_that_ends(seconds):
    if 0 < seconds <= LONGEST_SHELF_S:
        assert command(seconds=seconds).seconds == seconds
    else:
        with pytest.raises(ValueError, match=r"Command.seconds must be within \(0, 604800\]"):
            command(seconds=seconds)
        if seconds <= 0:
            assert command(CommandKind.ACKNOWLEDGE, seconds=seconds).seconds == seconds


@pytest.mark.parametrize("name", ["id", "alarm", "by", "reason"])
def test_texts_are_short(name):
    assert len(getattr(command(**{name: "x" * LONGEST_TEXT}), name)) == LONGEST_TEXT
    with pytest.raises(
        ValueError, match=f"at most {LONGEST_TEXT} characters, got {LONGEST_TEXT + 1}"
    ):
        command(**{name: "x" * (LONGEST_TEXT + 1)})


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 100))
def test_rows_have_a_byte_a_cell(rows, columns, size):
    def make():
        return MapRows("r", 0, 16, 0.0, 8.0, 100.0, rows, columns, bytes(size))

    if size == rows * columns:
        assert make().cells == bytes(size)
    else:
        with pytest.raises(ValueError, match=f"must have {rows * columns} bytes, got {size}"):
            make()


def test_marks_of_the_map_are_no_scores():
    assert MapRows.MASKED != MapRows.NOT_INSPECTED
    assert min(MapRows.MASKED, MapRows.NOT_INSPECTED) > 250


def test_what_is_told_does_not_change_afterwards():
    with pytest.raises(FrozenInstanceError):
        command().by = "somebody else"


def test_names_of_states_are_those_of_the_protocols():
    assert RunState("continuous_execution") is RunState.CONTINUOUS_EXECUTION
    assert all(state.value == state.name.lower() for state in RunState)
    assert all(kind.value == kind.name.lower() for kind in CommandKind)
