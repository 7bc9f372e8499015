"""Pictures of the report: nothing small is lost in pooling, colours say what they should."""

import base64
import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.outputs.defect_log import Piece
from streamer.outputs.report_map import (
    UNKNOWN_COLOUR,
    PooledMap,
    PooledSize,
    band_pictures,
    colour_map,
    legend_gradient,
    pool_map,
    pooled_map,
    row_lines,
    thumbnail,
)
from streamer.outputs.roll_map import MapFormat, RollMap


def decode(uri):
    kind, content = uri.split(",", 1)
    assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_highest_score_survives_at_its_place(data):
    rows, columns = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 200))
    size = PooledSize.fitting(rows * 8, 8, columns, data.draw(st.integers(1, 3)))
    size = PooledSize(data.draw(st.integers(1, size.bins)), size.columns, size.lines)
    scores = np.zeros((rows, columns), np.float32)
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    scores[row, column] = 7
    cut = data.draw(st.integers(0, rows))
    pooled = pool_map([scores[:cut], scores[cut:]], [], 8, size).scores
    assert pooled.shape == (size.bins, size.columns)
    assert np.argwhere(pooled == 7).shape[0] == 1
    where = np.argwhere(pooled == 7)[0]
    assert where[0] == row * size.bins // rows
    assert abs(where[1] - column * size.columns / columns) <= 1


def test_no_bin_of_a_whole_map_stays_empty():
    scores = np.ones((777, 300), np.float32)
    size = PooledSize.fitting(777 * 8 - 3, 8, 300, 2)
    assert not np.isnan(pool_map([scores], [], 8, size).scores).any()


def test_unknown_gives_way_to_what_is_known_and_stays_where_nothing_is():
    scores = np.full((4, 2), np.nan, np.float32)
    scores[0, 0] = -3
    pooled = pool_map([scores], [], 8, PooledSize(2, 2, 32)).scores
    assert pooled[0, 0] == -3
    assert np.isnan(pooled).sum() == 3


def test_rows_of_later_pieces_lie_where_their_lines_are():
    pieces = [Piece(0, 0, 20), Piece(100, 3, 16)]  # 20 lines are 3 rows of 8
    assert row_lines(np.arange(5), pieces, 8).tolist() == [0, 8, 16, 100, 108]
    scores = np.arange(5, dtype=np.float32)[:, np.newaxis]
    pooled = pool_map([scores], pieces, 8, PooledSize(116, 1, 116)).scores[:, 0]
    assert np.flatnonzero(~np.isnan(pooled)).tolist() == [0, 8, 16, 100, 108]


def test_an_empty_roll_has_an_empty_map():
    size = PooledSize.fitting(0, 8, 5, 1)
    assert np.isnan(pool_map([np.zeros((0, 5), np.float32)], [], 8, size).scores).all()


def test_the_picture_is_cross_web_by_down_web_and_grey_where_unknown():
    scores = np.zeros((3, 2), np.float32)
    scores[2, 1] = np.nan
    picture = colour_map(scores)
    assert picture.shape == (2, 3, 3)
    assert tuple(picture[1, 2]) == UNKNOWN_COLOUR
    assert tuple(picture[0, 0]) == (252, 251, 250)


def test_the_alarm_level_looks_warm_and_normal_looks_like_paper():
    normal, alarm, high = colour_map(np.array([[0.2], [1.0], [9.0]], np.float32))[0].astype(int)
    assert normal.min() > 235
    assert alarm[2] - alarm[0] > 120
    assert high[2] < alarm[2]


def test_bands_together_are_the_map():
    scores = np.random.default_rng(0).random((100, 4)).astype(np.float32)
    parts = [decode(uri) for uri in band_pictures(PooledMap(scores, 800), 3)]
    assert np.array_equal(np.hstack(parts), colour_map(scores))


def test_more_bands_than_bins_leave_some_without_a_picture():
    assert band_pictures(PooledMap(np.zeros((1, 1), np.float32), 8), 2).count("") == 1


def test_a_thumbnail_is_small_and_keeps_its_shape(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((240, 512, 3), 90, np.uint8))
    assert decode(thumbnail(path)).shape == (75, 160, 3)
    cv2.imwrite(str(path), np.full((30, 20, 3), 90, np.uint8))
    assert decode(thumbnail(path)).shape == (30, 20, 3)


def test_a_picture_is_shown_whatever_its_name(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 20, 3), 90, np.uint8))
    path = (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"\xff.png"))
    assert decode(thumbnail(path)).shape == (30, 20, 3)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_picture_that_cannot_be_read_is_left_out(tmp_path, content):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    assert thumbnail(path) == ""


def test_the_legend_runs_from_0_to_2():
    assert legend_gradient().startswith("rgb(250, 251, 252) 0%")
    assert legend_gradient().endswith("80%")


@pytest.mark.parametrize("rows", [50, 9000])
def test_a_long_map_is_pooled_from_its_pyramid_and_loses_no_peak(tmp_path, rows):
    scores = np.random.default_rng(rows).uniform(0, 0.5, (rows, 40)).astype(np.float32)
    peaks = {int(row): 1.0 + row / rows for row in np.linspace(0, rows - 1, 7)}
    for row, peak in peaks.items():
        scores[row, row % 40] = peak
    written = RollMap(tmp_path, MapFormat("r", 40, 8, 0.5, 0.5))
    written.append(scores)
    written.close()
    size = PooledSize(100, 10, rows * 8)
    pooled = pooled_map(tmp_path, [Piece(0, 0, rows * 8)], size).scores
    whole = pool_map([scores], [], 8, size).scores
    assert pooled.shape == (100, 10)
    for row, peak in peaks.items():
        near = row * 100 // rows
        assert np.nanmax(pooled[max(near - 1, 0) : near + 1]) == np.float32(peak)
    assert np.nanmax(pooled) == np.nanmax(whole)
