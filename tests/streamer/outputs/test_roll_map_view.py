"""Pieces of a map in the pixels of a picture: nothing is lost, nothing is out of place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.message import Defect, DefectState, Interval, RegionMm, Severity
from streamer.outputs.defect_log import CoverageRow, DefectLog, Piece
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_view import (
    HIGHEST_PX,
    LOWEST_PX,
    MOST_CELLS,
    NARROWEST_PX,
    WIDEST_PX,
    MapScene,
    Span,
    picture_size,
)


def write(folder, scores, pieces=(), web_columns=None):
    """A map with cells of 4 x 4 mm."""
    roll_map = RollMap(folder, MapFormat("r", scores.shape[1], 8, 0.5, 0.5))
    roll_map.append(scores)
    roll_map.close()
    log = DefectLog(folder)
    columns = Interval(0, web_columns or scores.shape[1] * 8)
    log.add_coverage(CoverageRow("c", 0, Interval(0, len(scores) * 8), columns, "inspected"))
    for piece in pieces or [Piece(0, 0, len(scores) * 8)]:
        log.put_piece(piece)
    return log


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_every_high_cell_of_a_piece_shows_where_it_lies(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("roll")
    rows, columns = data.draw(st.sampled_from([(40, 9), (3000, 12), (9000, 200)]))
    scores = np.zeros((rows, columns), np.float32)
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    scores[row, column] = 5.0
    write(folder, scores).close()
    scene = MapScene(folder)
    first, end = data.draw(st.floats(0, row * 4)), data.draw(st.floats(row * 4 + 4, rows * 4))
    view = scene.view(Span(first, end), scene.cross)
    high = np.argwhere(view.scores == 5.0)
    assert len(high)
    pixel_mm = np.array([columns * 4, end - first]) / view.scores.shape
    low_mm = high.min(axis=0) * pixel_mm + (0, first)
    high_mm = (high.max(axis=0) + 1) * pixel_mm + (0, first)
    # Within a pixel or a cell of what was read, whichever is larger.
    slack = np.maximum(pixel_mm, view.cell_mm[::-1]) + 1e-6
    assert (low_mm >= np.array([column, row]) * 4 - slack).all()
    assert (high_mm <= np.array([column + 1, row + 1]) * 4 + slack).all()


def test_close_up_every_pixel_has_the_score_of_its_cell(tmp_path):
    scores = np.arange(200, dtype=np.float32).reshape(20, 10)
    write(tmp_path, scores).close()
    view = MapScene(tmp_path).view(Span(8, 48), Span(4, 24))  # rows 2..11, columns 1..5
    height, width = view.scores.shape
    assert view.level == 0
    ys, xs = np.indices((height, width))
    expected = scores[2 + xs * 10 // width, 1 + ys * 5 // height]
    assert np.array_equal(view.scores, expected)
    assert (view.coverage == 2).all()


def test_lines_that_nobody_recorded_are_not_written(tmp_path):
    pieces = [Piece(0, 0, 80), Piece(240, 10, 80)]
    write(tmp_path, np.ones((20, 10), np.float32), pieces).close()
    scene = MapScene(tmp_path)
    assert scene.down == Span(0, 160)
    view = scene.view(scene.down, scene.cross)
    width = view.scores.shape[1]
    missing = np.isnan(view.scores[0])
    assert np.flatnonzero(missing)[[0, -1]] == pytest.approx([width / 4, 3 * width / 4], abs=1.5)
    assert (view.coverage[0][missing] == 0).all()


def test_the_width_is_that_of_the_web(tmp_path):
    write(tmp_path, np.zeros((20, 10), np.float32), web_columns=75).close()
    assert MapScene(tmp_path).cross == Span(0, 37.5)


def test_defects_of_the_piece_come_with_it_the_strongest_first(tmp_path):
    log = write(tmp_path, np.zeros((100, 10), np.float32))
    for number, (place, peak) in enumerate([(0, 2.0), (150, 1.5), (160, 3.0), (390, 9.0)], start=1):
        region = RegionMm(place, place + 8, 8, 16)
        log.put_defect(
            Defect(number, DefectState.END, region, peak, 1.0, 1.0, 2 * place, 2 * place + 16, 1),
            Severity.LOW,
        )
    log.close()
    view = MapScene(tmp_path).view(Span(100, 200), Span(0, 40))
    assert [defect.id for defect in view.defects] == [3, 2]
    assert MapScene(tmp_path).view(Span(100, 200), Span(20, 40)).defects == ()


def test_a_long_roll_is_read_from_a_coarse_level(tmp_path):
    write(tmp_path, np.zeros((30_000, 4), np.float32)).close()
    scene = MapScene(tmp_path)
    view = scene.view(scene.down, scene.cross)
    assert view.cell_mm[0] <= scene.down.size_mm / view.scores.shape[1]
    assert view.level == 4


def test_memory_is_bounded_however_long_the_roll(tmp_path):
    write(tmp_path, np.zeros((8, 2000), np.float32)).close()
    scene = MapScene(tmp_path)
    down = Span(0, 4.0 * 40_000_000)
    number = scene._level(down, scene.cross, picture_size(down, scene.cross))
    level = scene._reader.levels[number]
    assert level.rows(40_000_000) * level.columns <= MOST_CELLS * 1.01


@given(st.floats(1, 1e8), st.floats(1, 1e4))
def test_pictures_are_bounded_and_true_to_scale_where_they_can_be(down_mm, cross_mm):
    height, width = picture_size(Span(0, down_mm), Span(0, cross_mm))
    assert LOWEST_PX <= height <= HIGHEST_PX
    assert NARROWEST_PX <= width <= WIDEST_PX
    if height > LOWEST_PX and width > NARROWEST_PX:
        assert width / height == pytest.approx(down_mm / cross_mm, rel=0.01)
