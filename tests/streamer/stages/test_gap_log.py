"""Gaps are logged, but never without bound, and what was left out is counted."""

from streamer.message import Gap, GapReason
from streamer.stages.gap_log import GapLog
from streamer.stages.rated_log import LINES_PER_SECOND, NS_PER_S

GAP = Gap("r", "c", 3, 7, 1, 100, 20, GapReason.OVERLOAD, "oldest dropped")


def test_a_gap_is_logged_with_place_and_reason(caplog):
    GapLog().add(GAP, 0)
    expected = "lines 100..120 of lane 3 are not inspected: overload oldest dropped"
    assert caplog.messages == [expected]


def test_a_flood_is_counted_and_said_once_a_second(caplog):
    log = GapLog()
    for n in range(1000):
        log.add(GAP, n)
    assert len(caplog.messages) == LINES_PER_SECOND
    log.add(GAP, NS_PER_S)
    assert caplog.messages[LINES_PER_SECOND] == "995 more gaps in that second"
    assert len(caplog.messages) == LINES_PER_SECOND + 2


def test_flush_says_what_is_left_once(caplog):
    log = GapLog()
    for _ in range(LINES_PER_SECOND + 2):
        log.add(GAP, 0)
    log.flush()
    log.flush()
    assert caplog.messages[LINES_PER_SECOND:] == ["2 more gaps in that second"]
