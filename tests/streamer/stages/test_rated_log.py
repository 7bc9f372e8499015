"""Warnings are bounded in rate, and what was left out is counted by name."""

import pytest

from streamer.stages.rated_log import LINES_PER_SECOND, NS_PER_S, RatedLog


def test_a_line_is_logged_as_it_is(caplog):
    RatedLog("failures").add("tile %s failed", 0)
    assert caplog.messages == ["tile %s failed"]
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.parametrize("flood", [LINES_PER_SECOND, LINES_PER_SECOND + 1, 1000])
def test_a_flood_is_counted_and_said_in_the_next_second(caplog, flood):
    log = RatedLog("failures")
    for n in range(flood):
        log.add("failed", n)
    assert caplog.messages == ["failed"] * LINES_PER_SECOND
    log.add("failed again", NS_PER_S)
    left_out = flood - LINES_PER_SECOND
    said = [f"{left_out} more failures in that second"] if left_out else []
    assert caplog.messages[LINES_PER_SECOND:] == [*said, "failed again"]


def test_flush_says_what_is_left_once(caplog):
    log = RatedLog("drops")
    for _ in range(LINES_PER_SECOND + 2):
        log.add("dropped", 0)
    log.flush()
    log.flush()
    assert caplog.messages[LINES_PER_SECOND:] == ["2 more drops in that second"]
