"""The flood rule by itself: when it begins, what it hides, when it is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.alarm_book.flood import WINDOW_NS, announced, arrived, calmed, holds, is_busy
from streamer.alarm_book.state import Flood, rank
from streamer.message import Severity

LOW, MEDIUM, HIGH = Severity
S = 1_000_000_000


def after(*severities, limit=2, now_ns=0):
    """A flood after defects at one moment, those that are not held being announced."""
    flood = Flood()
    for severity in severities:
        flood = arrived(flood, severity, limit, now_ns)
        if not holds(flood, severity):
            flood = announced(flood, severity, now_ns)
    return flood


@pytest.mark.parametrize(
    ("severities", "level"),
    [
        ([LOW, LOW], None),
        ([LOW, LOW, LOW], LOW),
        ([MEDIUM, MEDIUM, MEDIUM], MEDIUM),
        ([MEDIUM, MEDIUM, LOW], LOW),
        ([LOW, MEDIUM, MEDIUM], None),
        ([LOW, MEDIUM, MEDIUM, LOW], LOW),
        ([HIGH, HIGH, HIGH], None),
        ([HIGH, HIGH, MEDIUM], MEDIUM),
    ],
)
def test_it_begins_with_one_no_more_severe_than_what_was_announced(severities, level):
    assert after(*severities).level is level


@pytest.mark.parametrize(("level", "hidden"), [(None, []), (LOW, [LOW]), (MEDIUM, [LOW, MEDIUM])])
def test_it_hides_what_is_up_to_its_level(level, hidden):
    assert [each for each in Severity if holds(Flood(level=level), each)] == hidden


def test_it_is_over_when_the_rate_has_fallen():
    flood = after(LOW, LOW, LOW)
    assert calmed(flood, 2, WINDOW_NS - 1) is flood
    assert calmed(flood, 2, WINDOW_NS).level is None
    quiet = Flood()
    assert calmed(quiet, 2, 0) is quiet


def test_it_is_over_when_there_is_no_limit_any_more():
    assert calmed(after(LOW, LOW, LOW), None, 0).level is None


def test_what_was_announced_long_ago_does_not_count():
    flood = after(LOW)
    for _ in range(2):
        flood = announced(arrived(flood, MEDIUM, 2, WINDOW_NS), MEDIUM, WINDOW_NS)
    assert arrived(flood, MEDIUM, 2, WINDOW_NS + 1).level is MEDIUM


@given(st.lists(st.tuples(st.integers(0, 900 * S), st.sampled_from(Severity))), st.integers(1, 5))
def test_memory_is_bounded_and_the_level_never_rises_in_a_flood(arrivals, limit):
    flood, now_ns, before = Flood(), 0, None
    for pause_ns, severity in arrivals:
        now_ns += pause_ns
        flood = arrived(calmed(flood, limit, now_ns), severity, limit, now_ns)
        if not holds(flood, severity):
            flood = announced(flood, severity, now_ns)
        assert len(flood.arrivals_ns) <= limit
        assert len(flood.announced_ns) <= len(Severity)
        assert flood.level is not HIGH
        assert flood.level is None or is_busy(flood, limit, now_ns)
        if before is not None and pause_ns == 0 and flood.level is not None:
            assert rank(flood.level) == rank(before)
        before = flood.level
