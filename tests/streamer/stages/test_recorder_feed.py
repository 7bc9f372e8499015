"""Capture's side of the recorder: never waits, numbers everything, counts what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.message import GapReason, LineBlock, LineLoss
from streamer.ports import WebFormat
from streamer.protocol import EndOfRecording, ToRecord
from streamer.stages.recorder_feed import RecorderFeed
from streamer.transport.memory import MemoryLink
from streamer.wire import decode, encode

FORM = WebFormat(5, 3, 16, "web")


def block(first, lines=4, valid=None):
    pixels = np.arange(lines * 15, dtype=np.uint16).reshape(lines, 5, 3)
    return LineBlock("cam0", first, pixels, lines if valid is None else valid, 7)


@pytest.fixture
def feed():
    return RecorderFeed(MemoryLink(), FORM, "me", {})


def sent(feed):
    return list(feed.outlet.outbox)


def test_each_item_carries_the_form_of_the_web_and_a_number(feed):
    loss = LineLoss("cam0", 4, 2, GapReason.CAMERA_LOSS, 7)
    feed.hand_over(block(0))
    feed.hand_over(loss)
    feed.end(6, b"t")
    first, second, end = sent(feed)
    assert (first.columns, first.channels, first.bits, first.source) == (5, 3, 16, "web")
    assert (first.incarnation, first.sequence, second.sequence) == ("me", 0, 1)
    np.testing.assert_array_equal(first.block.pixels, block(0).pixels)
    assert (second.block, second.loss) == (None, loss)
    assert end == EndOfRecording("me", 2, 6, b"t")


def test_a_capture_that_goes_on_with_a_roll_does_not_begin_at_0(feed):
    feed.begin(800)
    feed.hand_over(block(800))
    assert sent(feed)[0].sequence == 1
    feed.begin(0)
    feed.hand_over(block(0))
    assert sent(feed)[1].sequence == 0


def test_what_is_refused_has_had_its_number(feed):
    feed.outlet.capacity = 1
    for first in (0, 4, 8):
        feed.hand_over(block(first))
    feed.outlet.outbox.clear()
    feed.hand_over(block(12))
    assert sent(feed)[0].sequence == 3
    assert feed.figures == {"lines_refused_by_recorder": 8}


def test_an_end_that_is_refused_keeps_its_number(feed):
    feed.outlet.capacity = 0
    assert not feed.end(9, b"")
    feed.outlet.capacity = 9
    assert feed.end(9, b"")
    assert sent(feed) == [EndOfRecording("me", 0, 9, b"")]


def test_filler_counts_as_lines_when_it_is_refused(feed):
    feed.outlet.capacity = 0
    feed.hand_over(block(0, 4, valid=1))
    assert feed.figures["lines_refused_by_recorder"] == 4


def test_the_buffer_of_the_source_is_not_copied(feed):
    kept = []

    class Outlet:
        def send(self, message):
            kept.append(message)
            return True

    feed.outlet = Outlet()
    whole = block(0, 4, valid=3)
    feed.hand_over(whole)
    assert isinstance(kept[0], ToRecord)
    assert np.shares_memory(kept[0].block.pixels, whole.pixels)


def test_a_correction_that_is_due_is_not_recorded(feed):
    item = replace(block(0), correction=lambda raw, _first, memory: memory.fill(0))
    feed.hand_over(item)
    (message,) = sent(feed)
    np.testing.assert_array_equal(message.block.pixels, block(0).pixels)
    assert decode(encode(message)).block.correction is None
