"""Pictures over a moving web: every line once, at its place, whatever the web does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import SimulatorSource, Web
from streamer.message import GapReason, LineBlock, LineLoss
from streamer.sources.area_scan import (
    AreaRules,
    AreaState,
    stop_pictures,
    take_break,
    take_picture,
    unseen_since,
    upright,
)
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb

LINES, START = 128, 200
STEP_NS = 20_000_000  # 50 pictures a second; at 2 kHz the web moves 40 lines between two
RULES = AreaRules("up", 2000.0)


@pytest.fixture(scope="module")
def web():
    source = SimulatedWeb(SimulatorSource(columns=160), Web(), 0)
    blocks = [source.read_into(new_buffer(source.format, 512)).pixels for _ in range(4)]
    return np.concatenate(blocks)


def picture(web, place, number, motion="up", seed=0):
    """What a camera sees when web line `place` (from START) is at its row 0."""
    rng = np.random.default_rng((seed, number))
    part = web[START + place :][:LINES]
    noisy = (part + rng.normal(0, 3, part.shape)).clip(0, 255).astype(np.uint8)
    turned = {
        "up": noisy, "down": noisy[::-1], "left": noisy.T, "right": noisy[::-1].T,
    }[motion]  # fmt: skip
    return Frame("cam0", turned, len(turned), number * STEP_NS)


def play(web, places, rules=RULES, **fields):
    state, out = AreaState(rules), []
    for number, place in enumerate(places):
        state, lines = take_picture(state, replace(picture(web, place, number), **fields))
        out += lines
    return state, out


def check(web, out, places):
    """Each line once and in order, with the pixels of its place on the web."""
    line = 0
    for piece in out:
        assert piece.first_line == line
        if isinstance(piece, LineBlock):
            truth = web[START + line + places[0] :][: piece.valid_lines].astype(int)
            assert np.abs(piece.pixels.astype(int) - truth).mean() < 6  # noise of 3, rounding
            line += piece.valid_lines
        else:
            line += piece.line_count
    return line


@given(st.lists(st.integers(29, 51), max_size=20), st.integers(0, 9))
@settings(max_examples=25)
def test_a_running_web_is_delivered_whole(web, steps, seed):
    places = np.cumsum([0, *steps]).tolist()
    state, out = play(web, places)
    assert check(web, out, places) == places[-1] + LINES
    assert all(isinstance(piece, LineBlock) for piece in out)
    assert (state.counts.unsure, state.counts.lost_lines) == (0, 0)
    assert state.counts.measured_lines == pytest.approx(places[-1], abs=0.5)


@given(st.lists(st.sampled_from([-15, -5, 0, 5, 20, 38, 44]), max_size=20))
@settings(max_examples=25)
def test_a_web_that_stands_or_runs_back_is_delivered_once(web, steps):
    places = np.maximum(np.cumsum([0, *steps]), 0).tolist()
    state, out = play(web, places)
    assert check(web, out, places) == max(places) + LINES
    assert state.counts.unsure == 0


@pytest.mark.parametrize("motion", ["up", "down", "left", "right"])
def test_new_web_is_at_the_end_however_the_camera_is_mounted(web, motion):
    state, out = AreaState(AreaRules(motion, 2000.0)), []
    places = [0, 40, 82, 120]
    for number, place in enumerate(places):
        state, lines = take_picture(state, picture(web, place, number, motion))
        out += lines
    assert check(web, out, places) == 120 + LINES
    assert out[0].pixels.shape[1] == 160


def test_upright_is_a_view():
    pixels = np.zeros((4, 6), np.uint8)
    assert all(
        np.shares_memory(upright(pixels, m), pixels) for m in ("up", "down", "left", "right")
    )


def test_a_web_that_outruns_the_pictures_leaves_a_named_gap(web):
    rules = AreaRules("up", 2000.0, lines_per_count=1.0)
    state, out = AreaState(rules), []
    for number, place in enumerate((0, 60, 260, 300)):
        frame = replace(picture(web, place, number), encoder_first=place, encoder_last=place)
        state, lines = take_picture(state, frame)
        out += lines
    (loss,) = [piece for piece in out if isinstance(piece, LineLoss)]
    assert (loss.first_line, loss.line_count, loss.reason) == (188, 72, GapReason.OVERSPEED)
    assert check(web, out, [0]) == 300 + LINES
    assert state.counts.lost_lines == 72


def test_without_texture_the_web_runs_as_expected():
    plain = np.full((2000, 64), 90, np.uint8)
    state, out = play(plain, [0, 0, 0])
    assert state.counts.unsure == 2
    assert sum(piece.valid_lines for piece in out) == 80 + LINES
    assert state.counts.speed_ratio == 1


BROKE_OFF = FrameBreak("cam0", STEP_NS, STEP_NS + 500_000_000, detail="the stream broke off")


def test_a_break_costs_the_lines_of_its_time_and_starts_a_new_piece(web):
    state, out = play(web, [0, 40])
    state, none = take_break(state, BROKE_OFF)
    assert none == ()
    # 59 pictures later the web has run on by 2360 lines, and the last of them are in the picture.
    state, (loss, block) = take_picture(state, picture(web, 700, 60))
    assert (loss.first_line, loss.line_count) == (168, 2360 - LINES)
    assert loss.reason is GapReason.CAMERA_LOSS
    assert loss.detail == "the stream broke off; 2232 lines by time"
    assert (block.first_line, block.valid_lines) == (2400, LINES)
    assert state.counts.lost_lines == 2232


def test_while_it_lasts_a_break_is_told_up_to_what_the_next_picture_may_show(web):
    state, _ = play(web, [0, 40])
    lasting = replace(BROKE_OFF, is_ongoing=True)
    state, (first,) = take_break(state, lasting)
    assert (first.first_line, first.line_count) == (168, 1000 - LINES)
    assert first.captured_ns == lasting.captured_ns
    later = replace(lasting, since_ns=lasting.captured_ns, captured_ns=STEP_NS + 1_500_000_000)
    state, (second,) = take_break(state, later)
    assert (second.first_line, second.line_count) == (1040, 2000)
    state, _ = take_break(state, replace(later, is_ongoing=False))
    state, (rest, block) = take_picture(state, picture(web, 700, 101))
    assert (rest.first_line, rest.line_count) == (3040, 1000)
    assert (block.first_line, block.valid_lines) == (168 + 4000 - LINES, LINES)


def test_a_break_too_short_to_cost_a_line_still_parts_what_it_parts(web):
    state, _ = play(web, [0, 40])
    state, _ = take_break(state, replace(BROKE_OFF, captured_ns=STEP_NS))
    state, out = take_picture(state, replace(picture(web, 40, 2), captured_ns=STEP_NS + 5_000_000))
    assert [(p.first_line, getattr(p, "line_count", 0)) for p in out] == [(168, 1), (169, 0)]
    assert out[1].valid_lines == 9


def test_a_stop_says_all_that_is_lost_by_then_and_only_once(web):
    state, _ = play(web, [0, 40])
    assert stop_pictures(state, 10**12) == (state, ())
    state, (first,) = take_break(state, replace(BROKE_OFF, is_ongoing=True))
    state, (rest,) = stop_pictures(state, STEP_NS + 1_000_000_000)
    assert first.line_count + rest.line_count == 2000
    assert stop_pictures(state, STEP_NS + 1_000_000_000)[1] == ()


def test_a_web_that_somebody_else_saw_last_goes_on_by_time(web):
    state = AreaState(RULES, 500, away=unseen_since(STEP_NS, 500, LINES, "handed over"))
    state, (loss, block) = take_picture(state, picture(web, 0, 51))
    assert (loss.first_line, loss.line_count) == (500, 2000 - LINES)
    assert loss.detail == "handed over; 1872 lines by time"
    assert (block.first_line, block.valid_lines) == (2500 - LINES, LINES)


def test_a_wandering_web_shows_its_drift_and_a_faster_one_its_ratio(web):
    state = AreaState(RULES)
    for number in range(6):
        frame = picture(web, 44 * number, number)
        wandered = np.roll(frame.pixels, number, axis=1)
        state, _ = take_picture(state, replace(frame, pixels=wandered))
    assert state.counts.drift_columns == pytest.approx(-5, abs=0.6)
    assert state.counts.speed_ratio == pytest.approx(1.1, abs=0.02)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [({"line_rate_hz": 0.0}, "line_rate_hz"), ({"tolerance": -0.1}, "tolerance")],
)
def test_rules_that_cannot_be_are_refused(fields, rule):
    with pytest.raises(ValueError, match=f"{rule} must be"):
        replace(RULES, **fields)
