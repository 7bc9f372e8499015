"""An alarm that counts: it begins, grows once a second and ends with its sum."""

import pytest

from streamer.alarm_book.register import Register
from streamer.alarm_book.state import BookSettings, Tally
from streamer.alarm_book.tally import TELL_EVERY_NS, TallyAlarm
from streamer.message import AlarmKind, Severity
from tests.streamer.alarm_book.steps import ALARM, END, NEW, UPDATE


@pytest.fixture
def tally():
    return TallyAlarm(Register(BookSettings()), "flood", "held back", Tally())


def test_the_first_is_a_system_alarm_where_its_cause_was(tally):
    (told,) = tally.count(ALARM, 3, 9)
    assert (told.id, told.state, told.kind) == ("r/c/flood-3", NEW, AlarmKind.SYSTEM)
    assert (told.severity, told.signal) == (Severity.MEDIUM, "out_of_specification")
    assert (told.text, told.peak, told.region) == ("1 held back", 0.0, ALARM.region)
    assert (told.roll, told.config_digest) == (ALARM.roll, ALARM.config_digest)


def test_more_are_told_once_a_second(tally):
    tally.count(ALARM, 1, 0)
    assert tally.count(ALARM, 1, 5) == ()
    assert tally.grown(TELL_EVERY_NS - 1) == ()
    (told,) = tally.count(ALARM, 1, TELL_EVERY_NS)
    assert (told.state, told.text) == (UPDATE, "3 held back")
    assert tally.grown(9 * TELL_EVERY_NS) == ()


def test_its_end_says_how_many_there_were(tally):
    for now_ns in range(4):
        tally.count(ALARM, 1, now_ns)
    (told,) = tally.end(9)
    assert (told.state, told.text) == (END, "4 held back")
    assert tally.end(10) == ()
    (again,) = tally.count(ALARM, 2, 11)
    assert (again.id, again.text) == ("r/c/flood-2", "1 held back")


def test_forgetting_ends_nothing(tally):
    tally.count(ALARM, 1, 0)
    tally.forget()
    assert (tally.tally, tally.end(1)) == (Tally(), ())
