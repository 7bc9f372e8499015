"""A roll as the sink hears of it: greetings are counted, and the summary says what it was."""

from dataclasses import replace

import pytest

from streamer.message import Interval
from streamer.protocol import EndOfRoll, Hello, LedgerRow
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.roll_session import RollSession
from streamer.stages.verdicts import RollVerdicts
from streamer.stitching import StitchState
from streamer.web import WebGeometry

LANES = (Interval(0, 16), Interval(16, 32))
HELLO = Hello("r", "c", "first", LANES, 32, "a web")
END = EndOfRoll("r", "c", 48, 3, True, "", b"{}")
ORIGIN = AlarmOrigin("r", "c", "digest", WebGeometry(32, 1.0, 1.0, 60.0))


@pytest.fixture
def verdicts():
    return RollVerdicts("r", StitchState(columns=32, stride=8))


def test_only_another_capture_is_a_restart_and_the_first_greeting_starts_the_roll():
    session = RollSession(started_ns=1)
    again = replace(HELLO, incarnation="second")
    assert [session.greet(h, n) for n, h in enumerate((HELLO, HELLO, again, again), 5)] == [
        False, False, True, False,
    ]  # fmt: skip
    assert (session.started_ns, session.capture_starts, session.hello) == (5, 2, again)


def test_the_row_after_the_end_is_known_with_lanes_and_end():
    session = RollSession(end=END)
    assert session.row_after_end(9) is None
    assert RollSession(hello=HELLO).row_after_end(9) is None
    session.greet(HELLO, 1)
    assert session.row_after_end(9) == LedgerRow("r", "c", 3, 48, 1, True, LANES, (), 9)


@pytest.mark.parametrize(
    ("hello", "end", "outcome"),
    [
        (None, None, "stopped before the first line"),
        (HELLO, None, "capture did not end the roll"),
        (HELLO, END, "3 rows never reached the ledger"),
        (HELLO, replace(END, rows=0), "complete"),
        (HELLO, replace(END, rows=0, complete=False, reason="cable"), "cable"),
    ],
)
def test_the_outcome_says_what_ended_the_roll(verdicts, hello, end, outcome):
    session = RollSession(hello=hello, end=end)
    assert session.summarise(ORIGIN, verdicts, 7).outcome == outcome


def test_a_summary_is_exact_only_if_every_line_was_announced(verdicts):
    session = RollSession(hello=HELLO)
    verdicts.close_hole(LedgerRow("r", "c", 1, 16, 16, False, LANES, (), 1), 0)
    assert session.summarise(ORIGIN, verdicts, 7).is_exact
    verdicts.add_row(LedgerRow("r", "c", 1, 24, 16, False, LANES, (), 1), 0)
    for gap in verdicts.unsettled_gaps("timeout", ""):
        verdicts.add_gap(gap)
    summary = session.summarise(ORIGIN, verdicts, 7)
    assert summary.coverage.is_exact
    assert not summary.is_exact  # lines 16 to 24
