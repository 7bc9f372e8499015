"""Motion between two pictures of a texture: measured to a fraction of a line, or not claimed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from streamer.config import SimulatorSource, Web
from streamer.sources.displacement import LEAST_OVERLAP, UNKNOWN, measure_displacement
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb

LINES = 240


@pytest.fixture(scope="module", params=["fabric", "rail"])
def web(request):
    source = SimulatedWeb(SimulatorSource(columns=320, surface=request.param), Web(), 0)
    blocks = [source.read_into(new_buffer(source.format, 512)).pixels for _ in range(2)]
    return np.concatenate(blocks)


def pictures(web, moved, seed=0, noise=4.0):
    """Two noisy pictures of a web that moved by so many lines towards row 0."""
    rng = np.random.default_rng(seed)
    parts = [web[300:][:LINES], web[300 + moved :][:LINES]]
    return [(p + rng.normal(0, noise, p.shape)).clip(0, 255).astype(np.uint8) for p in parts]


@settings(max_examples=25)
@given(st.integers(-20, 180), st.integers(-9, 9), st.integers(0, 99))
def test_a_motion_near_the_expected_one_is_found_on_any_surface(web, moved, error, seed):
    expected = moved + error
    found = measure_displacement(*pictures(web, moved, seed), expected, 10)
    assert found.lines == pytest.approx(moved, abs=0.1)
    assert found.columns == pytest.approx(0, abs=0.1)
    assert found.confidence > 0.3


@pytest.mark.parametrize(("moved", "expected"), [(0, 60), (100, 60), (61, 0)])
def test_a_motion_out_of_reach_is_not_claimed(web, moved, expected):
    found = measure_displacement(*pictures(web, moved), expected, 18)
    assert found.confidence < 0.2


def test_a_fraction_of_a_line_is_measured(web):
    smooth = ndimage.gaussian_filter(web.astype(np.float32), 2)
    shifted = ndimage.shift(smooth, (-0.5, 0.25), order=3, mode="nearest")
    before, after = (part[300:][:LINES].astype(np.uint8) for part in (smooth, shifted))
    found = measure_displacement(before, after, 0, 5)
    assert found.lines == pytest.approx(0.5, abs=0.25)
    assert found.columns == pytest.approx(-0.25, abs=0.25)


def test_colour_and_grey_agree(web):
    grey = pictures(web, 30)
    colour = [np.repeat(p[:, :, None], 3, axis=2) for p in grey]
    one, other = measure_displacement(*grey, 30, 5), measure_displacement(*colour, 30, 5)
    assert one.lines == pytest.approx(other.lines, abs=1e-3)


@pytest.mark.parametrize("value", [0, 128])
def test_pictures_without_texture_show_no_motion(value):
    plain = np.full((LINES, 64), value, np.uint8)
    assert measure_displacement(plain, plain, 10, 5).confidence == 0


def test_other_pictures_show_no_motion():
    rng = np.random.default_rng(1)
    pair = [rng.integers(0, 255, (LINES, 200), np.uint8) for _ in range(2)]
    assert measure_displacement(*pair, 20, 10).confidence < 0.2


def test_too_little_overlap_is_unknown(web):
    assert measure_displacement(*pictures(web, 0), LINES - LEAST_OVERLAP + 1, 5) == UNKNOWN


def test_nonsense_is_refused(web):
    before, after = pictures(web, 0)
    with pytest.raises(ValueError, match="pictures must be of one size"):
        measure_displacement(before, after[1:], 0, 5)
    with pytest.raises(ValueError, match="tolerance_lines must be >= 0, got -1"):
        measure_displacement(before, after, 0, -1)
