"""The board: what is shown is of now or says that it is not; memory is bounded."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.page_board import LARGEST_MAP_BYTES, Board
from streamer.line_ports import LineView
from streamer.line_status import CommandAnswer, MapRows, RunState
from streamer.message import AlarmCondition, Severity
from tests.streamer.gateways.contract import alarm, view


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def rows(number, roll="r", columns=8, height=2):
    first = 10.0 * number
    cells = bytes(height * columns)
    return MapRows(roll, number, number + 1, first, first + 10, 80.0, height, columns, cells)


def board(**changes):
    clock = Clock()
    return Board(100.0, clock, **changes), clock


def test_before_anything_was_shown_nothing_is_valid():
    shown = board()[0].shown()
    assert (shown.data_valid, shown.is_fresh, shown.is_ready) == (False, False, False)
    assert shown.state is RunState.PREOPERATIONAL


def test_a_view_is_of_now_for_a_second():
    made, clock = board()
    made.put(view(1))
    clock.now_s += 0.9
    assert made.shown().is_ready
    clock.now_s += 0.2
    shown = made.shown()
    assert (shown.data_valid, shown.state) == (False, RunState.ERROR)
    assert shown.reason == "the page's own process stands still"


def test_the_age_of_the_beat_is_that_of_the_sink_not_of_the_views():
    made, clock = board()
    for beat in (1, 1, 1, 2, 2):
        clock.now_s += 1
        made.put(view(beat))
    assert made.shown().beat_age_s == 1
    assert made.shown().silent_s == 0


def test_a_valid_line_that_does_not_run_is_not_ready():
    made, _ = board()
    made.put(view(1, state=RunState.READY))
    assert made.shown().data_valid
    assert not made.shown().is_ready


def test_alarms_are_changes_only_when_they_change():
    made, _ = board()
    made.put(view(1, alarm(1)))
    assert [a.id for a in made.take_changes().alarms] == [alarm(1).id]
    made.put(view(2, alarm(1)))
    assert made.take_changes().alarms is None
    made.put(replace(view(3, alarm(1)), is_synchronised=False))
    assert made.take_changes().is_synchronised is False
    made.put(view(4))
    assert made.take_changes().alarms == ()


def test_the_most_severe_come_first_and_the_put_aside_last():
    high = alarm(1, severity=Severity.HIGH)
    aside = alarm(9, severity=Severity.HIGH, condition=AlarmCondition.SHELVED)
    made, _ = board()
    made.put(view(1, high, alarm(2), alarm(3), aside))
    assert [a.sequence for a in made.alarms()] == [1, 3, 2, 9]


def test_an_alarm_that_is_updated_keeps_its_place():
    made, _ = board()
    made.put(view(1, alarm(1), alarm(2)))
    made.put(view(2, alarm(2), replace(alarm(1), sequence=7, peak=9.0)))
    assert [(a.id, a.peak) for a in made.alarms()] == [(alarm(2).id, 1.7), (alarm(1).id, 9.0)]


def test_answers_and_rows_are_told_once():
    made, _ = board()
    answer = CommandAnswer("a", ok=True)
    made.put(LineView(None, True, True, rows=(rows(1),), answers=(answer,)))
    changes = made.take_changes()
    assert (changes.rows, changes.answers) == ((rows(1),), (answer,))
    changes = made.take_changes()
    assert (changes.rows, changes.answers) == ((), ())
    assert made.rows() == (rows(1),)


def test_a_new_roll_begins_a_new_map():
    made, _ = board()
    made.put(LineView(None, True, True, rows=(rows(1), rows(2), rows(0, roll="s"))))
    assert [one.roll for one in made.rows()] == ["s"]


def test_messages_are_counted_by_kind():
    made, _ = board()
    made.put(view(1, alarm(1), alarm(2)))
    made.put(view(2, alarm(1), alarm(2), news=(alarm(1),)))
    assert made.shown().messages == (("defect", 3),)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_the_map_is_what_came_last_and_never_larger_than_its_bounds(heights):
    made, _ = board()
    given_rows = [rows(n, columns=256, height=height) for n, height in enumerate(heights)]
    for one in given_rows:
        made.put(LineView(None, True, True, rows=(one,)))
    kept = made.rows()
    assert kept == tuple(given_rows[-len(kept) :])
    assert len(kept) == 1 or sum(len(one.cells) for one in kept) <= LARGEST_MAP_BYTES
    assert kept[-1].end_mm - kept[0].end_mm < 100.0
