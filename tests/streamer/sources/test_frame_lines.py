"""Frames become lines of the web, each once, and every other line a named loss."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.message import GapReason, LineBlock, LineFlag, LineLoss
from streamer.sources.frame import FrameBreak
from streamer.sources.frame_counters import LineCounts
from streamer.sources.frame_lines import (
    SHORTEST_RUN,
    LineRules,
    finish_lines,
    give_up,
    start_lines,
    take_frame,
)

MS = 1_000_000
LINES = 16


def test_steady_frames_are_one_web(toy) -> None:
    state, pieces = toy.told(toy.PLAIN, [toy.numbered(n) for n in range(4)])
    assert toy.summary(pieces) == [(0, 64)]
    assert state.counts == LineCounts(frames=4, delivered_lines=64)


def test_blocks_are_the_frames_own_memory(toy) -> None:
    frame = toy.numbered(0)
    _, (block,) = take_frame(start_lines(toy.PLAIN), frame)
    assert np.shares_memory(block.pixels, frame.pixels)


def test_the_first_line_is_where_the_roll_stands(toy) -> None:
    _, (block,) = take_frame(start_lines(toy.ENCODER, 500), toy.encoded(0, range(16)))
    assert block.first_line == 500


def test_without_any_counter_everything_appends(toy) -> None:
    frames = [toy.numbered(n, frame_id=None) for n in range(3)]
    assert toy.summary(toy.told(toy.PLAIN, frames)[1]) == [(0, 48)]


@pytest.mark.parametrize(
    ("counters", "says"),
    [
        (lambda n: {"frame_id": n, "line_id": None}, "16 lines by frame counter"),
        (lambda n: {"frame_id": n, "line_id": n * LINES % 65536}, "16 lines by line counter"),
        (lambda n: {"frame_id": None, "line_id": n * LINES % 65536}, "16 lines by line counter"),
    ],
)
def test_a_missing_frame_is_lost_by_the_best_counter(toy, counters, says) -> None:
    frames = [toy.numbered(n, **counters(n)) for n in (0, 1, 3)]
    _, pieces = toy.told(toy.PLAIN, frames)
    assert toy.summary(pieces) == [(0, 32), (32, 48, "camera_loss"), (48, 64)]
    assert [p.detail for p in pieces if isinstance(p, LineLoss)] == [says]


def test_the_frame_counter_helps_a_line_counter_that_wrapped(toy) -> None:
    frames = [toy.numbered(n, line_id=n * LINES % 65536) for n in (0, 5000)]
    _, pieces = toy.told(toy.PLAIN, frames)
    assert toy.summary(pieces) == [(0, 16), (16, 80000, "camera_loss"), (80000, 80016)]


def test_lines_missing_between_frames_are_lost(toy) -> None:
    frames = [
        toy.frame(0, range(16), frame_id=0, line_id=0),
        toy.frame(1, range(23, 39), frame_id=1, line_id=23),
    ]
    assert toy.summary(toy.told(toy.PLAIN, frames)[1]) == [
        (0, 16),
        (16, 23, "camera_loss"),
        (23, 39),
    ]


def test_the_encoder_names_a_missing_frame_and_its_counter(toy) -> None:
    frames = [toy.encoded(n, range(n * 16, n * 16 + 16)) for n in (0, 2)]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 16), (16, 32, "camera_loss"), (32, 48)]
    assert pieces[1].detail == "16 lines by encoder, 16 by frame counter"


def test_the_encoder_alone_cannot_tell_why(toy) -> None:
    frames = [toy.encoded(n, range(n * 16, n * 16 + 16), frame_id=None) for n in (0, 2)]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert pieces[1].reason == GapReason.CAMERA_LOSS
    assert pieces[1].detail == "16 lines by encoder"


def test_filler_is_never_delivered(toy) -> None:
    state, pieces = toy.told(toy.PLAIN, [toy.numbered(0), toy.numbered(1, 5), toy.numbered(2)])
    assert toy.summary(pieces) == [(0, 21), (21, 32, "partial_frame"), (32, 48)]
    assert LineFlag.PARTIAL in pieces[1].flags
    assert state.counts.partial_frames == 1
    assert state.counts.partial_lines == 11


def test_a_frame_of_filler_alone_is_lost(toy) -> None:
    _, pieces = toy.told(toy.PLAIN, [toy.numbered(0), toy.numbered(1, 0), toy.numbered(2)])
    assert toy.summary(pieces) == [(0, 16), (16, 32, "partial_frame"), (32, 48)]


def test_filler_that_was_no_web_is_no_loss(toy) -> None:
    """A line counter says that the camera just sent a shorter frame."""
    frames = [
        toy.frame(0, range(16), 10, frame_id=0, line_id=0),
        toy.frame(1, range(10, 26), frame_id=1, line_id=10),
    ]
    assert toy.summary(toy.told(toy.PLAIN, frames)[1]) == [(0, 26)]


def test_filler_at_the_end_of_the_stream_is_lost(toy) -> None:
    _, pieces = toy.told(toy.PLAIN, [toy.numbered(0, 5)])
    assert toy.summary(pieces) == [(0, 5), (5, 16, "partial_frame")]


def test_filler_and_a_missing_frame_are_told_apart(toy) -> None:
    _, pieces = toy.told(toy.PLAIN, [toy.numbered(0, 5), toy.numbered(2)])
    assert toy.summary(pieces) == [
        (0, 5),
        (5, 16, "partial_frame"),
        (16, 32, "camera_loss"),
        (32, 48),
    ]


def test_skipped_lines_between_frames_are_overspeed(toy) -> None:
    frames = [toy.encoded(0, range(16)), toy.encoded(1, range(20, 36))]
    state, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 16), (16, 20, "overspeed"), (20, 36)]
    assert state.counts.overspeed_lines == 4


def test_a_frame_that_the_web_outran_is_lost_as_a_stretch(toy) -> None:
    frames = [
        toy.encoded(0, range(16)),
        toy.encoded(1, range(16, 48, 2)),
        toy.encoded(2, range(48, 64)),
    ]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [
        (0, 16),
        (16, 47, "overspeed"),  # the frame
        (47, 48, "overspeed"),  # between it and the next
        (48, 64),
    ]


def test_a_count_per_line_keeps_what_was_seen_between_skips(toy) -> None:
    lines = [*range(16, 26), *range(30, 36)]
    frames = [toy.stamped(0, range(16)), toy.stamped(1, lines), toy.stamped(2, range(36, 52))]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 26), (26, 30, "overspeed"), (30, 52)]


def test_runs_too_short_to_inspect_are_part_of_the_loss(toy) -> None:
    short = range(20, 20 + SHORTEST_RUN - 1)
    lines = [16, 17, *short, *range(40, 47)]
    _, pieces = toy.told(toy.ENCODER, [toy.stamped(0, range(16)), toy.stamped(1, lines)])
    assert toy.summary(pieces) == [(0, 18), (18, 40, "overspeed"), (40, 47)]


def test_a_web_that_stands_still_shows_one_line(toy) -> None:
    frames = [
        toy.encoded(0, range(16)),
        *(toy.encoded(n, [16] * 16) for n in (1, 2, 3)),
        toy.encoded(4, range(16, 32)),
        toy.encoded(5, range(32, 48)),
    ]
    state, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 48)]
    assert state.counts.standing_lines == 45


def test_a_stop_within_a_frame_loses_its_stretch_unless_lines_are_stamped(toy) -> None:
    lines = [16, 17, 18, 19, *([19] * 6), 20, 21, 22, 23, 24, 25]
    ends = [toy.encoded(0, range(16)), toy.encoded(1, lines), toy.encoded(2, range(26, 42))]
    _, pieces = toy.told(toy.ENCODER, ends)
    assert toy.summary(pieces) == [(0, 16), (16, 26, "camera_loss"), (26, 42)]
    assert "stopped or turned" in pieces[1].detail

    every = [toy.stamped(0, range(16)), toy.stamped(1, lines), toy.stamped(2, range(26, 42))]
    assert toy.summary(toy.told(toy.ENCODER, every)[1]) == [(0, 42)]


@pytest.mark.parametrize("make", ["encoded", "stamped"])
def test_a_web_rolled_back_is_inspected_once(toy, make: str) -> None:
    frame = getattr(toy, make)
    frames = [
        frame(0, range(16)),
        frame(1, range(16, 32)),
        frame(2, range(31, 15, -1)),
        frame(3, range(15, -1, -1)),
        frame(4, range(16)),
        frame(5, range(16, 32)),
        frame(6, range(32, 48)),
    ]
    state, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 48)]
    assert state.counts.seen_again_lines == 64


def test_new_lines_of_a_frame_that_passes_the_mark_are_delivered(toy) -> None:
    frames = [
        toy.encoded(0, range(16)),
        toy.encoded(1, range(15, -1, -1)),
        toy.encoded(2, range(10, 26)),
    ]
    assert toy.summary(toy.told(toy.ENCODER, frames)[1]) == [(0, 26)]


def test_the_encoder_wraps(toy) -> None:
    offset = (1 << 32) - 40
    frames = [
        toy.encoded(
            n,
            range(n * 16, n * 16 + 16),
            encoder_first=(n * 64 + offset) % (1 << 32),
            encoder_last=(n * 64 + 60 + offset) % (1 << 32),
        )
        for n in range(4)
    ]
    assert toy.summary(toy.told(toy.ENCODER, frames)[1]) == [(0, 64)]


def broken(toy, since: int, until: int) -> FrameBreak:
    """A break between two numbers of frames."""
    step = LINES * MS
    return FrameBreak("cam0", since * step, until * step, detail="camera rebooted")


def test_a_break_is_measured_by_time(toy) -> None:
    frames = [toy.numbered(0), broken(toy, 1, 4), toy.numbered(4, frame_id=0)]
    state, pieces = toy.told(toy.PLAIN, frames)
    assert toy.summary(pieces) == [(0, 16), (16, 64, "camera_loss"), (64, 80)]
    assert pieces[1].detail == "48 lines by elapsed time; camera rebooted"
    assert state.counts.breaks == 1


def test_a_break_is_measured_by_an_encoder_that_survived(toy) -> None:
    """The web was slower than its rate: by time it would be 48."""
    frames = [
        toy.encoded(0, range(16)),
        broken(toy, 1, 4),
        toy.encoded(4, range(40, 56), frame_id=0),
        toy.encoded(5, range(56, 72), frame_id=1),
    ]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 16), (16, 40, "camera_loss"), (40, 72)]
    assert "24 lines by encoder" in pieces[1].detail


def test_an_encoder_that_began_anew_too_is_tied_again(toy) -> None:
    counts = {"encoder_first": 0, "encoder_last": 60}
    frames = [
        *(toy.encoded(n, range(n * 16, n * 16 + 16)) for n in range(8)),
        broken(toy, 8, 10),
        toy.encoded(10, range(160, 176), **{"frame_id": 0} | counts),
        toy.encoded(11, range(176, 192), frame_id=1, encoder_first=64, encoder_last=124),
    ]
    _, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 128), (128, 160, "camera_loss"), (160, 192)]


def test_an_encoder_in_the_camera_is_not_trusted_after_a_break(toy) -> None:
    """It began anew, and what it says would be believed."""
    frames = [
        toy.encoded(0, range(16)),
        broken(toy, 1, 4),
        toy.encoded(4, range(64, 80), encoder_first=80, encoder_last=140, frame_id=0),
        toy.encoded(5, range(80, 96), encoder_first=144, encoder_last=204, frame_id=1),
    ]
    rules = replace(toy.ENCODER, encoder_survives=False)
    assert toy.summary(toy.told(rules, frames)[1]) == [(0, 16), (16, 64, "camera_loss"), (64, 96)]


def test_a_break_loses_a_line_at_least(toy) -> None:
    frames = [toy.numbered(0), broken(toy, 1, 1), toy.numbered(1, frame_id=9)]
    _, pieces = toy.told(toy.PLAIN, frames)
    lost = [p for p in pieces if isinstance(p, LineLoss)]
    assert [(p.first_line, p.line_count) for p in lost] == [(16, 1)]


def test_a_break_at_the_end_is_lost_by_time(toy) -> None:
    _, pieces = toy.told(toy.PLAIN, [toy.numbered(0), broken(toy, 1, 3)])
    assert toy.summary(pieces) == [(0, 16), (16, 48, "camera_loss")]


def test_a_break_before_the_first_frame_loses_nothing(toy) -> None:
    _, pieces = toy.told(toy.PLAIN, [broken(toy, 0, 3), toy.numbered(3)])
    assert [(p.first_line, p.valid_lines) for p in pieces] == [(0, 16)]


def test_frames_that_wait_are_delivered_before_a_break(toy) -> None:
    frames = [toy.numbered(0), toy.numbered(2), broken(toy, 3, 4), toy.numbered(4)]
    assert toy.summary(toy.told(toy.PLAIN, frames)[1]) == [
        (0, 16),
        (16, 32, "camera_loss"),
        (32, 48),
        (48, 64, "camera_loss"),
        (64, 80),
    ]


def test_a_counter_that_leaps_ahead_began_anew(toy) -> None:
    frames = [toy.numbered(0), toy.numbered(1, frame_id=30000), toy.numbered(2, frame_id=30001)]
    _, pieces = toy.told(toy.PLAIN, frames)
    lost = [p for p in pieces if isinstance(p, LineLoss)]
    assert [(p.first_line, p.line_count) for p in lost] == [(16, 1)]


def test_an_encoder_that_leaps_is_tied_again_where_the_counters_say(toy) -> None:
    frames = [
        *(toy.encoded(n, range(n * 16, n * 16 + 16)) for n in range(8)),
        toy.encoded(8, range(128, 144), encoder_first=900_000, encoder_last=900_060),
        toy.encoded(9, range(144, 160), encoder_first=900_064, encoder_last=900_124),
    ]
    state, pieces = toy.told(toy.ENCODER, frames)
    assert toy.summary(pieces) == [(0, 160)]
    assert state.counts.restarts == 1


def test_frames_that_wait_come_when_nothing_else_does(toy) -> None:
    state, pieces = start_lines(toy.PLAIN), []
    for number in (0, 2):
        state, more = take_frame(state, toy.numbered(number))
        pieces += more
    assert state.waits
    state, more = give_up(state)
    assert toy.summary([*pieces, *more]) == [(0, 16), (16, 32, "camera_loss"), (32, 48)]
    assert not state.waits
    assert finish_lines(state)[1] == ()


def test_nothing_at_all_is_nothing() -> None:
    assert finish_lines(start_lines(LineRules(1000.0)))[1] == ()


def test_all_web_is_a_block_or_a_loss_without_overlap(toy) -> None:
    frames = [toy.numbered(0, 3), toy.numbered(2), toy.numbered(2), toy.numbered(3, 9)]
    line = 0
    for piece in toy.told(toy.PLAIN, frames)[1]:
        assert piece.first_line == line
        line += piece.valid_lines if isinstance(piece, LineBlock) else piece.line_count
    assert line == 64


def lasting(since_s: float, until_s: float) -> FrameBreak:
    since_ns, until_ns = round(since_s * 1e9), round(until_s * 1e9)
    return FrameBreak("cam0", since_ns, until_ns, detail="lost", is_ongoing=True)


@pytest.mark.parametrize("rules", ["PLAIN", "ENCODER"])
@settings(deadline=None, max_examples=60)
@given(
    steps_ms=st.lists(st.integers(1, 900), min_size=1, max_size=6),
    back_ms=st.integers(16, 3000),
    walked=st.integers(0, 4000),
)
def test_pieces_said_while_away_and_the_rest_add_up(toy, rules, steps_ms, back_ms, walked) -> None:
    """Never an overlap, never a hole, and the web goes on behind all that was said."""
    state, pieces = take_frame(start_lines(getattr(toy, rules)), toy.encoded(0, range(16)))
    out, now_ms, said = list(pieces), 16, 0
    for step_ms in steps_ms:
        state, lost = take_frame(state, lasting(now_ms / 1000, (now_ms + step_ms) / 1000))
        now_ms += step_ms
        said += sum(one.line_count for one in lost)
        assert said == now_ms - 16  # lines, at 1 kHz
        out += lost
    lines = range(16 + walked, 32 + walked)
    back_ns = (now_ms + back_ms) * 1_000_000
    state, rest = take_frame(state, toy.encoded(9, lines, captured_ns=back_ns))
    out += rest
    ends = [(p.first_line, p.first_line + getattr(p, "line_count", 16)) for p in out]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    block = out[-1]
    assert isinstance(block, LineBlock)
    assert block.valid_lines == 16
    way = block.first_line - 16
    assert way == said if state.counts.overstated_lines else way >= said
    assert state.counts.lost_lines == way
