"""Pictures as a line source: blocks of no lines while nothing comes, health of all its parts."""

import numpy as np
import pytest

from streamer.message import LineLoss
from streamer.ports import WebFormat
from streamer.sources.area_scan import AreaRules
from streamer.sources.area_scan_source import AreaScanSource
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.live import Live

RNG = np.random.default_rng(0)
WEB = RNG.integers(0, 255, (400, 96), np.uint8)


class Frames:
    """A FrameSource that delivers what it is given, then ends."""

    format = WebFormat(96, 1, 8, "pictures")
    truth = b""

    def __init__(self, *items):
        self.items, self.closed = list(items), 0
        self.health = {"frames": 7.0}

    def read_frame(self, timeout_s):
        assert timeout_s < 1
        if not self.items:
            raise EOFError
        return self.items.pop(0)

    def close(self):
        self.closed += 1


def frame(place, number):
    return Frame("cam0", WEB[place : place + 80], 80, number * 20_000_000)


def source(*items, motion="up", first_line=0):
    return AreaScanSource(Frames(*items), AreaRules(motion, 2000.0), 80, first_line)


def read_all(source):
    pieces = []
    while (piece := source.read_into(np.empty((4, 96), np.uint8))) is not None:
        pieces.append(piece)
    return pieces


def test_lines_losses_and_silence_come_in_order():
    broken = FrameBreak("cam0", 40_000_000, 50_000_000)
    pieces = read_all(source(None, frame(0, 0), None, frame(40, 1), broken, frame(0, 9)))
    told = [(p.first_line, getattr(p, "valid_lines", None)) for p in pieces]
    assert told == [(0, 0), (0, 80), (80, 0), (80, 40), (120, 0), (120, None), (360, 80)]
    assert isinstance(pieces[5], LineLoss)
    assert np.array_equal(pieces[1].pixels, WEB[:80])
    assert np.array_equal(pieces[3].pixels, WEB[80:120])


def test_a_picture_without_new_lines_is_a_block_of_none():
    pieces = read_all(source(frame(0, 0), frame(0, 1)))
    assert [p.valid_lines for p in pieces] == [80, 0]


def test_it_goes_on_at_the_line_that_it_is_told():
    assert read_all(source(frame(0, 0), first_line=500))[0].first_line == 500


def test_the_web_is_as_wide_as_the_picture_is_across_the_motion():
    assert source().format.columns == 96
    assert source(motion="left").format.columns == 80


def test_health_names_camera_and_pictures():
    opened = source(frame(0, 0), frame(44, 1))
    read_all(opened)
    assert opened.health["frames"] == 7.0
    assert opened.health["pictures"] == 2
    assert opened.health["speed_ratio"] == pytest.approx(1.1, abs=0.001)


def test_closing_ends_it_and_the_camera():
    opened = source(frame(0, 0))
    opened.close()
    opened.close()
    assert opened.read_into(np.empty((4, 96), np.uint8)) is None
    assert opened._frames.closed == 2


def test_a_resumed_web_is_lost_up_to_what_the_first_picture_shows():
    live = Live(since_ns=100_000_000)
    opened = AreaScanSource(Frames(frame(0, 30)), AreaRules("up", 2000.0), 80, 700, live)
    loss, block = read_all(opened)
    assert (loss.first_line, loss.line_count) == (700, 920)  # half a second, less the picture
    assert (block.first_line, block.valid_lines) == (1620, 80)


def test_a_stop_ends_it_with_what_is_lost_by_then():
    asked = []
    live = Live(0, lambda: bool(asked), lambda: 1_020_000_000)
    away = FrameBreak("cam0", 20_000_000, 120_000_000, is_ongoing=True)
    opened = AreaScanSource(
        Frames(frame(0, 0), frame(40, 1), away, None), AreaRules("up", 2000.0), 80, 0, live
    )
    buffer = np.empty((4, 96), np.uint8)
    seen = [opened.read_into(buffer) for _ in range(3)]
    assert (seen[2].first_line, seen[2].line_count) == (120, 120)
    asked.append(True)
    (rest,) = read_all(opened)
    assert (rest.first_line, rest.line_count) == (240, 1880)
    assert opened.read_into(buffer) is None
