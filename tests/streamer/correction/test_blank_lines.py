"""Lines without web are found, by the sensor's range or by the margin that is known."""

import numpy as np
import pytest
from edge_webs import MARGINS, edged_web, to_bytes, woven

from streamer.correction.blank_lines import LEAST_RUN, blank_samples, find_blank
from streamer.correction.edge_profile import profile_of, sampled_lines
from streamer.correction.edge_tracker import TrackState, track
from streamer.correction.web_grid import true_runs

LINES, COLUMNS = 128, 800


def group(margin, depth=90):
    still = np.full(LINES, float(depth))
    return edged_web(still, still, COLUMNS, margin).pixels


def known(margin):
    return track(TrackState(), sampled(group(margin)))


def sampled(pixels):
    return profile_of(pixels[list(sampled_lines(len(pixels)))])


def table(margin, lines=LINES, seed=9):
    level, noise = MARGINS[margin]
    return to_bytes(level + noise * np.random.default_rng(seed).standard_normal((lines, COLUMNS)))


@pytest.mark.parametrize("margin", ["white", "black", "bright", "table"])
@pytest.mark.parametrize(("first", "end"), [(40, 97), (0, 50), (111, 128), (127, 128), (0, 128)])
def test_lines_that_show_the_known_margin_alone_are_blank_and_no_others(margin, first, end):
    pixels = group(margin)
    pixels[first:end] = table(margin, end - first)
    blank = find_blank(pixels, known(margin))
    assert list(true_runs(blank)) == [(first, end)]


@pytest.mark.parametrize("level", [0, 3, 254, 255])
def test_the_ends_of_the_range_need_no_known_margin(level):
    pixels = group("white")
    pixels[30:90] = level
    assert list(true_runs(find_blank(pixels, TrackState()))) == [(30, 90)]


def test_a_table_that_was_never_seen_is_web():
    assert not find_blank(table("table"), TrackState()).any()


@pytest.mark.parametrize("margin", ["white", "black", "bright", "table"])
def test_web_is_never_blank(margin):
    state = known(margin)
    assert not find_blank(group(margin), state).any()
    assert not blank_samples(sampled(group(margin)), state).any()
    full = to_bytes(woven(LINES, COLUMNS, 5))
    assert not find_blank(full, state).any()


@pytest.mark.parametrize("margin", ["white", "table"])
def test_a_hole_as_wide_as_half_the_web_is_no_blank_line(margin):
    pixels = group(margin)
    pixels[20:90, 200:600] = table(margin)[20:90, 200:600]
    assert not find_blank(pixels, known(margin)).any()


def test_a_short_run_is_a_disturbance_unless_it_may_go_on():
    pixels = group("white")
    short = LEAST_RUN - 1
    pixels[:short] = 255
    pixels[70 : 70 + short] = 255
    assert not find_blank(pixels, known("white")).any()
    assert list(true_runs(find_blank(pixels, known("white"), goes_on=True))) == [(0, short)]
    pixels[-2:] = 255
    assert list(true_runs(find_blank(pixels, known("white")))) == [(LINES - 2, LINES)]


def test_sampled_lines_tell_whether_to_look_closer():
    pixels = group("white")
    pixels[100:128] = 255
    flags = blank_samples(sampled(pixels), known("white"))
    assert flags.tolist() == [line >= 100 for line in sampled_lines(LINES)]
