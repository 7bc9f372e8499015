"""A camera as the sink hears of it: greetings are counted, its end is known, its rest is named."""

from dataclasses import replace

import pytest

from streamer.message import GapReason, Interval
from streamer.protocol import EndOfRoll, Hello, LedgerRow, Resume
from streamer.side_by_side import CameraPlace
from streamer.stages.camera_roll import ENDED_EARLIER, CameraRoll
from streamer.stages.verdicts import RollVerdicts
from streamer.stitching import StitchState

LANES = (Interval(0, 16), Interval(16, 32))
HELLO = Hello("r", "c", "first", LANES, 32, "a web")
END = EndOfRoll("r", "c", 48, 3, True, "", b"{}")


@pytest.fixture
def camera():
    place = CameraPlace("c", Interval(0, 32))
    return CameraRoll(place, RollVerdicts("r", StitchState(columns=32, stride=8)))


def test_only_another_capture_is_a_restart(camera):
    again = replace(HELLO, incarnation="second")
    greeted = [camera.greet(hello, "peer", 7) for hello in (HELLO, HELLO, again, again)]
    assert greeted == [False, False, True, False]
    assert (camera.capture_starts, camera.hello, camera.peer) == (2, again, "peer")


def test_the_row_after_the_end_is_known_with_lanes_and_end(camera):
    camera.end = END
    assert camera.row_after_end(9) is None
    camera.greet(HELLO, "peer", 7)
    assert camera.row_after_end(9) == LedgerRow("r", "c", 3, 48, 1, True, LANES, (), 9)
    camera.end = None
    assert camera.row_after_end(9) is None


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
def test_the_outcome_says_what_ended_it(camera, hello, end, outcome):
    camera.hello, camera.end = hello, end
    assert camera.outcome == outcome


@pytest.mark.parametrize(("hello", "lanes"), [(HELLO, 2), (None, 1)])
def test_what_it_did_not_show_is_not_inspected_in_every_lane(camera, hello, lanes):
    camera.hello = hello
    gaps = camera.extend_to(24, 5)
    assert [(g.lane, g.first_line, g.line_count) for g in gaps] == [
        (n, 0, 24) for n in range(lanes)
    ]
    assert {(g.reason, g.detail) for g in gaps} == {(GapReason.CAMERA_LOSS, ENDED_EARLIER)}
    assert all(camera.verdicts.add_gap(gap) for gap in gaps)
    assert camera.verdicts.coverage.not_inspected == {GapReason.CAMERA_LOSS: 24 * 32}
    assert camera.extend_to(24, 6) == ()


def test_it_is_complete_when_all_rows_before_its_end_are_strips(camera):
    camera.greet(HELLO, "peer", 7)
    assert not camera.is_complete
    camera.end = replace(END, rows=1, last_line=16)
    for gap in camera.extend_to(16, 1):
        camera.verdicts.add_gap(gap)
    assert not camera.is_complete
    camera.verdicts.take_strips()
    assert camera.is_complete


def test_a_resumed_capture_hears_when_the_web_was_last_seen(camera):
    camera.greet(HELLO, "peer", 7)
    assert camera.resume == Resume(0, 0)
    camera.greet(HELLO, "peer", 8)
    assert camera.resume == Resume(0, 0)  # the first answer may have been lost
    camera.greet(replace(HELLO, incarnation="second"), "peer", 9)
    assert camera.resume == Resume(0, 0, 7)  # the first one saw web that is in no row
    camera.verdicts.add_row(LedgerRow("r", "c", 0, 0, 16, True, LANES, (), 5000), 6000)
    camera.verdicts.add_row(LedgerRow("r", "c", 0, 0, 16, True, LANES, (), 9999), 6000)
    assert camera.resume == Resume(16, 1, 5000)
