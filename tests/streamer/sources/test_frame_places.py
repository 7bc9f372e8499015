"""Where the encoder puts the lines of a frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.frame_places import Scale, Track, Way, is_plausible, place, tie, way_to

SCALE = Scale(4.0, 32, 1000.0)
LINES = 16


def placed(toy, first, last, **changes):
    """Places of a frame at web line `first`, the encoder tied there."""
    frame = toy.frame(0, range(LINES), encoder_first=first * 4, encoder_last=last * 4, **changes)
    return place(frame, first, tie(frame, first, Track(0), SCALE), SCALE)


def test_a_line_per_line_is_even(toy) -> None:
    places = placed(toy, 100, 115)
    assert np.array_equal(places.lines, np.arange(100, 116))
    assert places.track.next_line == 116


@pytest.mark.parametrize("jitter", [-2, 2])
def test_half_a_line_is_none(toy, jitter: int) -> None:
    frame = toy.frame(0, range(LINES), encoder_first=400, encoder_last=460 + jitter)
    places = place(frame, 100, tie(frame, 100, Track(0), SCALE), SCALE)
    assert np.array_equal(places.lines, np.arange(100, 116))


def test_no_advance_shows_one_place(toy) -> None:
    places = placed(toy, 100, 100)
    assert places.lines.tolist() == [100] * LINES
    assert places.track.next_line == 101


def test_going_back_shows_no_line_beyond_the_first(toy) -> None:
    places = placed(toy, 100, 85)
    assert places.lines.max() == 100
    assert places.last == 85
    assert places.track.next_line == 86


@pytest.mark.parametrize("last", [130, 107])
def test_an_uneven_advance_has_no_places(toy, last: int) -> None:
    places = placed(toy, 100, last)
    assert places.lines is None
    assert (places.first, places.last) == (100, last)


def test_a_count_per_line_places_every_line(toy) -> None:
    lines = np.array([10, 11, 12, 12, 12, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23])
    raw = (lines * 4 + (1 << 32) - 50) % (1 << 32)  # wraps within
    frame = toy.frame(0, lines, encoder_lines=raw)
    places = place(frame, 10, tie(frame, 10, Track(0), SCALE), SCALE)
    assert np.array_equal(places.lines, lines)
    assert places.track.next_line == 24


@given(per_line=st.floats(2.0, 50.0), start=st.integers(0, 10**6), down=st.booleans())
def test_counts_of_any_scale_place_lines_exactly(toy, per_line, start, down) -> None:
    sign = -1 if down else 1
    scale = Scale(sign * per_line, 32, 1000.0)
    lines = np.arange(start, start + 200)
    raw = (np.floor(lines * per_line).astype(np.int64) * sign) % (1 << 32)
    frame = toy.frame(0, lines % 1000, encoder_lines=raw)
    places = place(frame, start, tie(frame, start, Track(0), scale), scale)
    assert np.array_equal(places.lines, lines)


def test_without_scale_or_counts_lines_follow_each_other(toy) -> None:
    frame = toy.frame(0, range(LINES), encoder_first=0, encoder_last=0)
    places = place(frame, 7, tie(frame, 7, Track(0), Scale(None, 32, 1000.0)), SCALE)
    assert np.array_equal(places.lines, np.arange(7, 7 + LINES))
    blank = toy.frame(0, range(LINES))
    assert place(blank, 3, tie(blank, 3, Track(0), SCALE), SCALE).track.next_line == 3 + LINES


def test_the_way_is_measured_from_the_line_expected_next(toy) -> None:
    track = Track(116, 460, 0.0)
    there = toy.frame(0, range(LINES), encoder_first=480)
    assert way_to(there, track, SCALE, 0) == Way(4.0, 480)
    assert way_to(toy.frame(0, range(LINES)), track, SCALE, 0) is None
    assert way_to(there, Track(116), SCALE, 0) is None


def test_a_short_counter_needs_to_know_about_how_far(toy) -> None:
    scale = Scale(4.0, 16, 1000.0)
    true = 100_000 * 4
    there = toy.frame(0, range(LINES), encoder_first=true % 65536)
    way = way_to(there, Track(50_000, 199_996, 0.0), scale, near_lines=50_000)
    assert way == Way(50_000.0, true)


@pytest.mark.parametrize(
    ("lines", "seen", "holds"),
    [(500, True, True), (-500, True, True), (5000, True, False), (-5000, True, False)]
    + [(100, False, True), (-100, False, False), (2000, False, False), (0, False, True)],
)
def test_a_web_goes_only_so_far(lines: int, seen: bool, holds: bool) -> None:
    assert is_plausible(Way(lines, 0), 100.0, LINES, seen=seen) is holds
