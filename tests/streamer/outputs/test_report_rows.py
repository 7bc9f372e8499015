"""Rows of the table and marks of the map, as the log and the map have them."""

from dataclasses import replace

import pytest

from streamer.grading_section import Grading
from streamer.outputs import report_rows
from streamer.outputs.defect_log import LoggedDefect
from streamer.outputs.report_grading import view_grading
from streamer.outputs.report_rows import MOST_REPEATS, band_views, defect_rows, repeat_rows
from streamer.outputs.roll_content import read_roll
from tests.streamer.outputs.test_report import MANIFEST, TRUTH, make_roll


def mark(number, first_mm, repeat=None, period=None, cross=10.0):
    box = (first_mm, first_mm + 5, cross, cross + 4)
    row = LoggedDefect(number, "end", "low", "unknown", *box, 20, 1.2, 1, 0, 8, "2023-01-01")
    return replace(row, repeat_id=repeat, repeat_period_mm=period)


@pytest.fixture
def content(tmp_path):
    return read_roll(make_roll(tmp_path, replace(MANIFEST, truth=TRUTH)))


def test_rows_are_in_web_order_with_points_camera_pictures_and_truth(content):
    rows = defect_rows(content, view_grading(content.manifest, content.log, Grading()))
    assert [(row.defect.id, row.points, row.camera) for row in rows] == [
        (2, 1, "cam0"),
        (1, 1, "cam0"),
    ]
    assert [row.planted for row in rows] == ["", "knot"]
    assert all(row.raw.startswith("data:image/jpeg") for row in rows)
    assert all(row.overlay.startswith("data:image/jpeg") for row in rows)


def test_only_the_worst_have_pictures_in_a_long_table(content, monkeypatch):
    monkeypatch.setattr(report_rows, "MOST_THUMBNAILS", 1)
    rows = defect_rows(content, view_grading(content.manifest, content.log, Grading()))
    assert [bool(row.raw) for row in rows] == [False, True]


def test_every_defect_and_missed_truth_has_a_mark_on_a_band(content):
    gaps = [row for row in content.log.coverage if row.status == "worker_lost"]
    views = band_views(content, gaps)
    assert sorted(m.defect.id for view in views for m in view.defects) == [1, 2]
    assert {truth.id for view in views for truth, _ in view.missed} == {"2"}
    assert sum(len(view.gaps) for view in views) == 1
    assert all(view.picture.startswith("data:image/png") for view in views)


def test_marks_that_repeat_are_one_row_with_their_place():
    marks = [mark(n, 300.0 * n, repeat=4, period=300.0) for n in range(5)] + [mark(9, 20.0)]
    (row,) = repeat_rows(marks)
    assert (row.id, row.period_mm, row.cross_mm) == (4, 300.0, 12.0)
    assert (row.first_m, row.end_m) == (0.0, pytest.approx(1.205))
    assert row.defects == (0, 1, 2, 3, 4)


def test_repeats_are_bounded():
    marks = [mark(n, 1.0 * n, repeat=n, period=300.0) for n in range(MOST_REPEATS + 9)]
    assert len(repeat_rows(marks)) == MOST_REPEATS
