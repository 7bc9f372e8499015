"""The border between margin and web in one profile."""

import numpy as np
import pytest
from edge_webs import edged_web, to_bytes, woven

from streamer.correction.edge_profile import profile_of, sampled_lines
from streamer.correction.edge_search import (
    Material,
    find_border,
    material_of,
    outer_is_web,
    separations,
)

LINES, COLUMNS = 128, 1200


def profile(pixels):
    return profile_of(pixels[list(sampled_lines(len(pixels)))])


def web_of(seen):
    return material_of(seen, slice(100, 200))


@pytest.mark.parametrize("margin", ["white", "table", "black", "bright"])
@pytest.mark.parametrize("depth", [20, 137, 400])
def test_the_border_is_found_whatever_lies_beside_the_web(margin, depth):
    if margin == "table" and depth == 20:
        depth = 40  # in five cells nearly as bright as the web nothing is certain
    still = np.full(LINES, float(depth))
    seen = profile(edged_web(still, still, COLUMNS, margin).pixels)
    for view in (seen, seen.mirrored):
        sighting = find_border(view, web_of(seen), None)
        assert sighting is not None
        assert abs(sighting.depth_px - depth) <= (4 if margin == "table" else 1)
        assert sighting.confidence > 0.9


@pytest.mark.parametrize("margin", ["white", "table", "black"])
def test_a_known_margin_is_found_again_and_is_not_the_web(margin):
    still = np.full(LINES, 96.0)
    seen = profile(edged_web(still, still, COLUMNS, margin).pixels)
    first = find_border(seen, web_of(seen), None)
    again = find_border(seen, web_of(seen), first.margin)
    assert again.depth_px == pytest.approx(first.depth_px, abs=1)
    assert not outer_is_web(seen, web_of(seen), first.margin)
    full = profile(to_bytes(woven(LINES, COLUMNS, 3)))
    assert find_border(full, web_of(full), first.margin) is None
    assert outer_is_web(full, web_of(full), first.margin)


@pytest.mark.parametrize("seed", range(6))
def test_no_texture_that_fills_the_picture_has_a_border(texture, seed):
    seen = profile(texture(LINES, 600, seed))
    web = material_of(seen, slice(30, 120))
    assert find_border(seen, web, None) is None
    assert find_border(seen.mirrored, web, None) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_web_that_fills_the_picture_has_no_border(seed):
    rolloff = 0.1 * (seed % 6)
    web = to_bytes(woven(LINES, COLUMNS, seed, rolloff))
    seen = profile(web)
    assert find_border(seen, web_of(seen), None) is None
    assert find_border(seen.mirrored, web_of(seen), None) is None


def test_a_dark_flank_with_the_texture_of_the_web_is_web():
    web = woven(LINES, COLUMNS)
    web[:, :160] *= 0.3  # the light is less there, and so is every difference
    seen = profile(to_bytes(web))
    assert find_border(seen, web_of(seen), None) is None


def test_dirt_on_the_table_does_not_end_the_margin():
    still = np.full(LINES, 300.0)
    web = edged_web(still, still, COLUMNS, "white")
    web.pixels[:, 100:112] = woven(LINES, 12)
    seen = profile(web.pixels)
    assert find_border(seen, web_of(seen), None).depth_px == pytest.approx(300, abs=1)


def test_materials_that_differ_by_less_than_their_spreads_have_no_say():
    web = Material(0.5, -2.0, 0.02, 0.1)
    assert separations(web, web) == (0, 0)
    assert separations(web, Material(0.52, -2.1, 0.02, 0.1)) == (0, 0)
    by_level, by_texture = separations(web, Material(0.6, -4.0, 0.02, 0.1))
    assert by_level == pytest.approx(2.5)
    assert by_texture == 5
    assert web.blended(Material(0.7, -2.0, 0.02, 0.1), 0.5).level == pytest.approx(0.6)


def test_where_web_fades_into_the_dark_only_what_is_unlit_is_margin():
    web = woven(LINES, COLUMNS)
    fade = np.clip((np.arange(COLUMNS) - 80) / 200, 0.01, 1)  # dark up to column 80, full at 280
    seen = profile(to_bytes(web * fade))
    sighting = find_border(seen, web_of(seen), None)
    unlit = 80 + 200 * 0.03 * 255 / 130
    assert sighting.depth_px == pytest.approx(unlit, abs=8)


def test_a_web_of_half_the_width_is_found_between_its_margins():
    margins = np.full(LINES, 300.0)  # the middle of the picture shows a third of margin, too
    for margin in ("black", "white"):
        seen = profile(edged_web(margins - 80, margins, COLUMNS - 200, margin).pixels)
        web = material_of(seen, slice(50, 200))
        assert find_border(seen, web, None).depth_px == pytest.approx(220, abs=1)
        assert find_border(seen.mirrored, web, None).depth_px == pytest.approx(300, abs=1)
