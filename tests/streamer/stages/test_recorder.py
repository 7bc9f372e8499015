"""The recorder: everything that came is recorded, and everything that did not is named."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.message import (
    Alarm,
    AlarmKind,
    DefectState,
    GapReason,
    Heartbeat,
    LineBlock,
    LineFlag,
    LineLoss,
    RegionMm,
    Severity,
    StageState,
)
from streamer.ports import WebFormat
from streamer.protocol import EndOfRecording, Resume
from streamer.stages.pulse import Pulse
from streamer.stages.recorder import (
    FELL_BEHIND,
    NEW_CAPTURE,
    RESTARTED,
    RecorderLinks,
    RecorderStage,
    beyond,
)
from streamer.stages.recorder_feed import RecorderFeed
from streamer.transport.memory import MemoryLink

COLUMNS = 6
FORM = WebFormat(COLUMNS, 1, 8, "web")


def block(first: int, lines: int = 4, **fields: object) -> LineBlock:
    pixels = np.full((lines, COLUMNS), first % 251, np.uint8)
    return LineBlock("cam0", first, pixels, fields.pop("valid", lines), 77, **fields)


def loss(first: int, lines: int = 4) -> LineLoss:
    return LineLoss("cam0", first, lines, GapReason.CAMERA_LOSS, 5, "cable")


def defect_alarm() -> Alarm:
    place = ("r", "cam0", RegionMm(0, 1, 0, 1), 0, 8, 1, 1, 1.5, "", "")
    return Alarm("a", 1, AlarmKind.DEFECT, DefectState.NEW, Severity.LOW, *place)


@dataclass
class Kept:
    """A record in memory."""

    items: list = field(default_factory=list)
    alarms: list = field(default_factory=list)
    end_line: int = 0
    truth: bytes | None = None
    form: WebFormat | None = None

    def append(self, form, item):
        assert item.first_line >= self.end_line
        lines = item.line_count if isinstance(item, LineLoss) else item.valid_lines
        self.form, self.end_line = form, item.first_line + lines
        self.items.append(item)

    def keep(self, alarm):
        self.alarms.append(alarm)

    def close(self, truth):
        self.truth = truth

    def lines(self):
        """What became of each line: a pixel, or the detail of its loss."""
        found = {}
        for item in self.items:
            if isinstance(item, LineLoss):
                known = dict.fromkeys(range(item.first_line, beyond_end(item)), item.detail)
            else:
                lines = range(item.first_line, beyond_end(item))
                known = dict(zip(lines, item.pixels[:, 0].tolist(), strict=True))
            assert not found.keys() & known.keys()
            found |= known
        return found


def beyond_end(item):
    return item.first_line + (item.line_count if isinstance(item, LineLoss) else len(item.pixels))


@dataclass
class Recorder:
    """A recorder with the feed of a capture that is before it."""

    clock: object
    kept: Kept = field(default_factory=Kept)
    inlet: MemoryLink = field(default_factory=MemoryLink)
    beats: MemoryLink = field(default_factory=MemoryLink)

    def feed(self, incarnation="one"):
        outlet = MemoryLink(outbox=self.inlet.inbox)
        return RecorderFeed(outlet, FORM, incarnation, {})

    def run(self):
        """A recorder that takes what waits and ends, as one that is killed and started again."""
        pulse = Pulse("recorder", "recorder", (self.beats,), 1, self.clock)
        links = RecorderLinks(self.inlet, self.clock.wait)
        self.stage = RecorderStage("cam0", links, pulse, self.kept, lambda: True)
        self.stage.run()


@pytest.fixture
def recorder(clock):
    return Recorder(clock)


def test_what_capture_takes_is_recorded_as_it_is(recorder):
    feed = recorder.feed()
    given_items = [
        block(0, flags=LineFlag.SEAM, encoder_first=3, encoder_last=9),
        loss(4, 6),
        block(10),
    ]
    for item in given_items:
        feed.hand_over(item)
    assert feed.end(14, b"truth")
    recorder.run()
    kept = recorder.kept
    assert (kept.form, kept.truth, len(kept.items)) == (FORM, b"truth", 3)
    assert (kept.items[0].flags, kept.items[0].encoder_last) == (LineFlag.SEAM, 9)
    assert kept.items[1] == given_items[1]
    np.testing.assert_array_equal(kept.items[2].pixels, given_items[2].pixels)


def test_the_filler_of_a_partial_block_is_the_loss_that_it_is(recorder):
    feed = recorder.feed()
    feed.hand_over(block(0, 6, valid=4))
    feed.hand_over(block(6, 6, valid=0))
    recorder.run()
    first, *losses = recorder.kept.items
    assert first.pixels.shape == (4, COLUMNS)
    assert [(x.first_line, x.line_count, x.reason) for x in losses] == [
        (4, 2, GapReason.PARTIAL_FRAME),
        (6, 6, GapReason.PARTIAL_FRAME),
    ]


def test_what_the_link_does_not_take_is_counted_and_named(recorder):
    feed = recorder.feed()
    feed.hand_over(block(0))
    feed.outlet.capacity = 0
    feed.hand_over(block(4))
    feed.hand_over(loss(8, 3))
    assert feed.figures == {"lines_refused_by_recorder": 7}
    feed.outlet.capacity = 100
    feed.hand_over(block(11))
    recorder.run()
    hole = recorder.kept.items[1]
    assert (hole.first_line, hole.line_count) == (4, 7)
    assert (hole.reason, hole.detail) == (GapReason.OVERLOAD, FELL_BEHIND)
    assert recorder.kept.items[2].first_line == 11


def test_what_is_missing_at_the_end_is_named_too(recorder):
    feed = recorder.feed()
    feed.hand_over(block(0))
    feed.outlet.capacity = 0
    feed.hand_over(block(4))
    assert not feed.end(8, b"")
    feed.outlet.capacity = 100
    assert feed.end(8, b"")
    recorder.run()
    assert recorder.kept.lines() == dict.fromkeys(range(4), 0) | dict.fromkeys(
        range(4, 8), FELL_BEHIND
    )


def test_a_jump_of_the_source_stays_one(recorder):
    feed = recorder.feed()
    for first in (7, 20):
        feed.hand_over(block(first))
    recorder.run()
    assert [item.first_line for item in recorder.kept.items] == [7, 20]


def test_a_recorder_that_is_started_again_names_what_died_with_the_one_before(recorder):
    feed = recorder.feed()
    feed.hand_over(block(0))
    recorder.run()
    feed.hand_over(block(4))
    recorder.inlet.inbox.clear()  # it was in the socket of the one that was killed
    feed.hand_over(block(8))
    recorder.run()
    assert [getattr(item, "detail", "") for item in recorder.kept.items] == ["", RESTARTED, ""]


def test_a_capture_that_is_started_again_delivers_lines_twice_and_they_are_recorded_once(recorder):
    first = recorder.feed("one")
    for line in (0, 4):
        first.hand_over(block(line))
    again = recorder.feed("two")
    again.begin(2)
    again.hand_over(block(2, 4, flags=LineFlag.SEAM, encoder_first=20, encoder_last=23))
    again.hand_over(block(6, 4, encoder_first=60, encoder_last=63))
    again.hand_over(loss(9, 3))
    recorder.run()
    items = recorder.kept.items
    assert [(item.first_line, beyond_end(item)) for item in items] == [
        (0, 4),
        (4, 8),
        (8, 10),
        (10, 12),
    ]
    assert (items[2].encoder_first, items[2].encoder_last) == (62, 63)


def test_a_hole_between_two_captures_is_named(recorder):
    recorder.feed("one").hand_over(block(0))
    again = recorder.feed("two")
    again.begin(9)
    again.hand_over(block(9))
    recorder.run()
    assert recorder.kept.items[1].detail == NEW_CAPTURE
    assert beyond_end(recorder.kept.items[1]) == 9


def test_an_end_before_anything_was_recorded_is_no_hole(recorder):
    recorder.inlet.inbox.append(EndOfRecording("one", 3, 100, b""))
    recorder.run()
    assert recorder.kept.items == []


def test_alarms_reach_the_record_and_strangers_do_not(recorder, caplog):
    recorder.inlet.inbox.extend([defect_alarm(), Resume(0, 0)])
    recorder.run()
    assert recorder.kept.alarms == [defect_alarm()]
    assert "dropped Resume" in caplog.text


def test_it_says_what_it_does(recorder):
    feed = recorder.feed()
    feed.hand_over(block(0))
    feed.outlet.capacity = 0
    feed.hand_over(block(4))
    feed.outlet.capacity = 100
    feed.hand_over(block(8))
    recorder.run()
    beats = [beat for beat in recorder.beats.outbox if isinstance(beat, Heartbeat)]
    assert beats[0].state is StageState.READY
    assert StageState.RUNNING in {beat.state for beat in beats}
    assert (beats[-1].state, beats[-1].last_line) == (StageState.STOPPED, 12)
    assert beats[-1].figures == {"recorded_lines": 8, "unrecorded_lines": 4}


def test_it_goes_on_after_a_stop_as_long_as_something_comes(recorder, clock):
    feed = recorder.feed()
    late = [block(4 * n) for n in range(40)]

    def hand_over_one():
        if late:
            feed.hand_over(late.pop(0))

    clock.actors.append(hand_over_one)
    recorder.run()
    assert len(recorder.kept.items) == 40


def test_beyond_cuts_what_is_known():
    assert beyond(block(4), 8) is None
    assert beyond(loss(4), 8) is None
    assert beyond(loss(4), 6) == LineLoss("cam0", 6, 2, GapReason.CAMERA_LOSS, 5, "cable")
    whole = block(4)
    assert beyond(whole, 4) is whole


SCRIPT = st.lists(
    st.tuples(
        st.sampled_from(["block", "loss", "jump", "recorder", "capture"]),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCRIPT)
def test_no_line_is_silently_missing_whatever_dies(clock, script):
    """Every line that a source delivered is in the recording as it was, or has a loss of it."""
    recorder, line, died = Recorder(clock), 0, 0
    clock.waits = 0
    feed, delivered, of_roll, jumped = recorder.feed(), {}, set(), set()
    for what, lines, is_taken in script:
        feed.outlet.capacity = 1000 if is_taken else 0
        if what == "recorder":
            if is_taken:  # it had taken all that waited
                recorder.run()
            recorder.inlet.inbox.clear()
        elif what == "capture":
            died += 1
            feed = recorder.feed(f"capture {died}")
            line = max(line - lines, 0)  # the ledger was not that far yet
            feed.begin(line)
            of_roll = {one for one in of_roll if one < line}
        elif what == "jump":
            jumped |= set(range(line, line + lines))
            line += lines
        else:
            item = block(line, lines) if what == "block" else loss(line, lines)
            feed.hand_over(item)
            pixel = line % 251 if what == "block" else "cable"
            for one in range(line, line + lines):
                delivered.setdefault(one, set()).add(pixel)
            of_roll |= set(range(line, line + lines))
            line += lines
    feed.outlet.capacity = 1000
    feed.hand_over(block(line, 1))
    delivered.setdefault(line, set()).add(line % 251)
    assert feed.end(line + 1, b"")
    recorder.run()
    kept = recorder.kept.lines()
    # What one capture never saw, another may have seen: the recording goes on behind it.
    for one in (of_roll | {line}) - jumped:
        assert kept[one] in delivered[one] | {FELL_BEHIND, RESTARTED, NEW_CAPTURE}, one
