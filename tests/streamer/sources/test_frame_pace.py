"""A stall is as long as frames take: configured, expected, or seen."""

import pytest

from streamer.sources.frame_pace import FramePace


def seen(pace, *times_s):
    for now_s in times_s:
        pace.see(now_s)
    return pace.stall_s


@pytest.mark.parametrize(
    ("configured_s", "rate_hz", "lines", "times_s", "stall_s"),
    [
        (2.5, 1000.0, 100, (0, 9, 18), 2.5),
        (None, 1000.0, 100, (), 1.0),  # nothing is known before two frames
        (None, 1000.0, 100, (0,), 1.0),
        (None, 1000.0, 100, (0, 0.1), 0.5),
        (None, 1000.0, 500, (0, 0.5), 1.5),
        (None, 1000.0, 500, (), 1.5),
        (None, None, 500, (0, 0.1), 0.5),
        (
            None,
            10_000.0,
            100,
            (0, 2.0, 4.0),
            6.0,
        ),  # slower than the web should be
    ],
)
def test_the_limit_follows_the_frames(configured_s, rate_hz, lines, times_s, stall_s):
    pace = FramePace(configured_s, rate_hz)
    pace.begin(lines)
    assert seen(pace, *times_s) == pytest.approx(stall_s)


def test_one_late_frame_hardly_moves_it_and_a_new_session_forgets():
    pace = FramePace(None, None)
    assert seen(pace, 0.0, 0.2, 0.4, 1.4) == pytest.approx(3 * (0.2 + 0.8 / 8))
    pace.begin(10)
    assert pace.stall_s == 1.0
