"""The summary of a roll says what it was, over one camera or several."""

import json
from dataclasses import replace

import pytest

from streamer.message import GapReason, Interval
from streamer.protocol import EndOfRoll, Hello, LedgerRow
from streamer.side_by_side import CameraPlace
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.camera_roll import CameraRoll
from streamer.stages.roll_session import RollSession, whole_coverage
from streamer.stages.verdicts import RollVerdicts
from streamer.stitching import StitchState
from streamer.web import WebGeometry

LANES = (Interval(0, 16), Interval(16, 32))
HELLO = Hello("r", "a", "first", LANES, 32, "a web")
END = EndOfRoll("r", "a", 0, 0, True, "", b"")
ORIGIN = AlarmOrigin("r", "a", "digest", WebGeometry(32, 1.0, 1.0, 60.0))


def camera(name="a", first=0, lane=0, hello=HELLO, end=END):
    place = CameraPlace(name, Interval(first, first + 32), lane)
    made = CameraRoll(place, RollVerdicts("r", StitchState(columns=32, stride=8)))
    made.hello, made.end = hello, end
    return made


def truth(*numbers):
    return json.dumps(
        {"version": 1, "camera": "x", "defects": [{"id": n} for n in numbers]}
    ).encode()


def test_a_summary_is_exact_only_if_every_line_was_announced():
    session, one = RollSession(), camera()
    verdicts = one.verdicts
    verdicts.close_hole(LedgerRow("r", "a", 1, 16, 16, False, LANES, (), 1), 0)
    assert session.summarise(ORIGIN, [one], 7).is_exact
    verdicts.add_row(LedgerRow("r", "a", 1, 24, 16, False, LANES, (), 1), 0)
    for gap in verdicts.unsettled_gaps("timeout", ""):
        verdicts.add_gap(gap)
    summary = session.summarise(ORIGIN, [one], 7)
    assert summary.coverage.is_exact
    assert not summary.is_exact  # lines 16 to 24


@pytest.mark.parametrize(
    ("second", "outcome"),
    [(END, "complete"), (replace(END, complete=False, reason="cable"), "b: cable")],
)
def test_a_roll_of_two_cameras_is_complete_only_if_both_are(second, outcome):
    cameras = [camera(), camera("b", 32, 2, end=second)]
    assert RollSession().summarise(ORIGIN, cameras, 7).outcome == outcome


@pytest.mark.parametrize(
    ("reasons", "outcome"),
    [
        (("stopped on request", "stopped on request"), "stopped on request"),
        (("", "stopped on request"), "b: stopped on request"),
        (("stopped on request", "cable"), "b: cable"),
        (("cable", "stopped on request"), "a: cable"),
    ],
)
def test_a_stop_on_request_hides_no_camera_that_broke_off(reasons, outcome):
    ends = [replace(END, complete=not reason, reason=reason) for reason in reasons]
    cameras = [camera(end=ends[0]), camera("b", 32, 2, end=ends[1])]
    assert RollSession().summarise(ORIGIN, cameras, 7).outcome == outcome


def test_lanes_are_numbered_over_the_whole_web():
    cameras = [camera(), camera("b", 32, 2)]
    cameras[0].verdicts.profiles |= {"0": "p", "1": "q"}
    cameras[1].verdicts.profiles |= {"0": "r"}
    cameras[1].verdicts.articles |= {"0": [64], "1": []}
    summary = RollSession().summarise(ORIGIN, cameras, 7)
    assert summary.profile_digests == {"0": "p", "1": "q", "2": "r"}
    assert summary.new_articles == {"2": [64]}


def test_areas_latencies_and_starts_of_all_cameras_add_up():
    cameras = [camera(), camera("b", 32, 2)]
    for n, one in enumerate(cameras):
        one.capture_starts = n + 1
        for gap in one.extend_to(8 * (n + 1), 1):
            one.verdicts.add_gap(gap)
        one.verdicts.latency.add(0.1 * 10**n)
    coverage = whole_coverage(cameras)
    assert (coverage.captured, coverage.not_inspected) == (768, {GapReason.CAMERA_LOSS: 768})
    summary = RollSession().summarise(ORIGIN, cameras, 7)
    assert (summary.capture_starts, summary.last_line) == (3, 16)
    assert summary.latency_p50_s == pytest.approx(0.1, rel=0.05)
    assert summary.latency_p99_s == pytest.approx(1.0, rel=0.05)
    assert not summary.is_exact  # one camera saw eight lines less


def test_truths_of_cameras_are_joined_under_names_of_their_own():
    ends = [replace(END, truth=truth(1)), replace(END, camera="b", truth=truth(1, 2))]
    cameras = [camera(end=ends[0]), camera("b", 32, 2, end=ends[1])]
    joined = json.loads(RollSession().summarise(ORIGIN, cameras, 7).truth)
    assert joined["camera"] == "a+b"
    assert [defect["id"] for defect in joined["defects"]] == ["a-1", "b-1", "b-2"]
    assert RollSession().summarise(ORIGIN, cameras[:1], 7).truth == truth(1)
    assert RollSession().summarise(ORIGIN, [camera()], 7).truth == b""
