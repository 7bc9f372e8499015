import numpy as np
import pytest

from streamer.cli.overlay import Box, draw_overlay
from streamer.message import Interval


def plain(lines: int, columns: int, value: int = 120) -> np.ndarray:
    return np.full((lines, columns), value, np.uint8)


def test_typical_texture_is_only_dimmed() -> None:
    drawn = draw_overlay(plain(300, 400), np.zeros((300, 400), np.float32), [])
    assert drawn.shape == (300, 400, 3)
    assert drawn.dtype == np.uint8
    assert (drawn == int(120 * 0.85)).all()


def test_heat_shows_where_the_score_is_high_and_nowhere_else() -> None:
    heat = np.zeros((600, 300), np.float32)
    heat[510:530, 100:120] = 3.0
    drawn = draw_overlay(plain(600, 300), heat, []).astype(int)
    coloured = np.abs(drawn[..., 2] - drawn[..., 0]) > 20
    assert coloured[510:530, 100:120].all()
    assert coloured.sum() == 400


def test_more_heat_is_more_colour() -> None:
    heat = np.linspace(0, 2, 300, dtype=np.float32)[None].repeat(300, axis=0)
    drawn = draw_overlay(plain(300, 300), heat, []).astype(int)
    red = drawn[150, :, 2]
    assert red[0] == red[50]
    assert red[299] > red[200] > red[100]


def test_a_box_is_drawn_around_its_region_with_its_peak() -> None:
    heat = np.zeros((300, 300), np.float32)
    box = Box(Interval(100, 150), Interval(120, 200), 1.74)
    drawn = draw_overlay(plain(300, 300), heat, [box])
    assert (drawn[98, 165:198] > 200).all()
    assert (drawn[102:148, 202] > 200).all()
    inside = drawn[105:145, 125:195]
    assert (inside == int(120 * 0.85)).all()
    label = drawn[70:96, 118:160]
    assert (label == 0).any()
    assert (label > 200).any()


@pytest.mark.parametrize("box", [(0, 10, 0, 10), (290, 300, 290, 300), (0, 300, 0, 300)])
def test_boxes_at_the_edges_stay_labelled(box) -> None:
    region = Box(Interval(*box[:2]), Interval(*box[2:]), 12.3)
    drawn = draw_overlay(plain(300, 300), np.zeros((300, 300), np.float32), [region])
    assert (drawn > 200).all(axis=2).sum() > 40


def test_small_pictures_are_enlarged_by_a_whole_factor() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 55), np.uint8)
    drawn = draw_overlay(pixels, np.zeros((400, 55), np.float32), [])
    assert drawn.shape == (2000, 275, 3)
    dimmed = (pixels * 0.85).astype(np.uint8)
    np.testing.assert_array_equal(drawn[::5, ::5, 0], dimmed)
    long = draw_overlay(plain(8000, 40), np.zeros((8000, 40), np.float32), [])
    assert long.shape == (8000, 40, 3)


def test_16_bit_pictures_are_stretched_over_what_they_use() -> None:
    pixels = np.linspace(1000, 3000, 300 * 300).reshape(300, 300).astype(np.uint16)
    drawn = draw_overlay(pixels, np.zeros((300, 300), np.float32), [])
    assert drawn.min() < 5
    assert drawn.max() > 210
    flat = draw_overlay(np.full((300, 300), 700, np.uint16), np.zeros((300, 300), np.float32), [])
    assert flat.max() == 0


def test_colours_keep_their_order() -> None:
    red = np.zeros((300, 300, 3), np.uint8)
    red[..., 0] = 200
    drawn = draw_overlay(red, np.zeros((300, 300), np.float32), [])
    assert drawn[0, 0].tolist() == [0, 0, 170]  # blue, green, red


def test_a_caption_stands_in_the_lower_left_corner() -> None:
    picture = np.full((300, 400), 90, np.uint8)
    cold = np.zeros(picture.shape, np.float32)
    plain, named = draw_overlay(picture, cold, []), draw_overlay(picture, cold, [], "peak 0.5x")
    changed = np.argwhere((plain != named).any(axis=2))
    assert changed[:, 0].min() > 250
    assert changed[:, 0].max() == 299
    assert changed[:, 1].min() == 0
    assert changed[:, 1].max() < 200


def test_what_was_not_judged_is_grey_and_hatched() -> None:
    colour = np.zeros((600, 300, 3), np.uint8)
    colour[...] = (200, 40, 40)
    heat = np.zeros((600, 300), np.float32)
    heat[:, :100] = np.nan
    drawn = draw_overlay(colour, heat, []).astype(int)
    masked, web = drawn[:, :100], drawn[:, 100:]
    assert (masked.max(axis=2) == masked.min(axis=2)).all()
    assert len(np.unique(masked)) == 2
    stripes = masked[..., 0] == 150
    assert stripes.mean() == pytest.approx(0.25, abs=0.01)
    # Stripes are slanted, and go on where the picture is drawn in pieces.
    np.testing.assert_array_equal(stripes[1:, :-1], stripes[:-1, 1:])
    assert (web == (np.array([40, 40, 200]) * 0.85).astype(int)).all()
