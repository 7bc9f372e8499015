"""The ground truth: boxes of what really changed, in the lines that were really delivered."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from streamer.message import Interval
from streamer.sources.defects import DefectKind, Patch
from streamer.sources.ground_truth import Change, GroundTruth
from streamer.sources.planting import Planted
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(columns=100, pixel_mm=0.5, line_mm=0.25, speed_m_min=60.0)


def planted(first_line: int = 10, first_column: int = 20, number: int = 7) -> Planted:
    blank = np.ones((6, 8), np.float32)
    return Planted(number, DefectKind.STAIN, first_line, first_column, Patch(blank, blank))


def change(defect: Planted, lines: int = 6, first_line: int | None = None) -> Change:
    """Everything changes from 100 to 80 but the outermost pixels on each side."""
    before = np.full((lines, 8), 100, np.uint8)
    after = before.copy()
    after[1:-1, 1:-1] = 80
    return Change(defect, defect.first_line if first_line is None else first_line, before, after)


def truth() -> GroundTruth:
    return GroundTruth("cam0", GEOMETRY)


def read(ground_truth: GroundTruth) -> dict[str, Any]:
    content = json.loads(ground_truth.to_json())
    assert isinstance(content, dict)
    return content


def test_before_the_first_line_there_is_nothing():
    content = read(truth())

    assert content["defects"] == []
    assert (content["first_line"], content["end_line"]) == (0, 0)


def test_the_content_says_version_camera_scale_and_lines():
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), ())

    assert read(ground_truth) == {
        "version": 1,
        "camera": "cam0",
        "first_line": 0,
        "end_line": 64,
        "columns": 100,
        "pixel_mm": 0.5,
        "line_mm": 0.25,
        "defects": [],
    }


def test_the_box_holds_changed_pixels_only_in_pixels_and_mm():
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), (change(planted()),))

    (entry,) = read(ground_truth)["defects"]
    assert entry == {
        "id": 7,
        "kind": "stain",
        "first_line": 11,
        "end_line": 15,
        "first_column": 21,
        "end_column": 27,
        "down_first_mm": 2.75,
        "down_end_mm": 3.75,
        "cross_first_mm": 10.5,
        "cross_end_mm": 13.5,
        "pixels": 24,
        "contrast": 0.2,
    }


@pytest.mark.parametrize("end", range(0, 20))
def test_the_box_ends_with_the_delivered_lines(end: int):
    ground_truth = truth()
    ground_truth.deliver(Interval(0, end), (change(planted()),))

    found = read(ground_truth)["defects"]
    if end <= 11:
        assert found == []
    else:
        assert found[0]["end_line"] == min(end, 15)
        assert found[0]["pixels"] == 6 * (min(end, 15) - 11)


def test_the_box_starts_with_the_delivered_lines():
    ground_truth = truth()
    ground_truth.deliver(Interval(13, 64), (change(planted()),))

    (entry,) = read(ground_truth)["defects"]
    assert (entry["first_line"], entry["end_line"]) == (13, 15)


def test_lines_delivered_one_by_one_give_the_same_truth():
    at_once, stepwise = truth(), truth()
    changes = (change(planted()), change(planted(30, 50, number=8)))
    at_once.deliver(Interval(0, 64), changes)
    for line in range(64):
        stepwise.deliver(Interval(line, line + 1), changes)

    assert stepwise.to_json() == at_once.to_json()


def test_lines_that_come_late_give_the_same_truth():
    in_order, late = truth(), truth()
    changes = (change(planted()), change(planted(30, 50, number=8)))
    for lines in (Interval(0, 13), Interval(13, 64)):
        in_order.deliver(lines, changes)
    for lines in (Interval(13, 64), Interval(0, 13)):
        late.deliver(lines, changes)

    assert late.to_json() == in_order.to_json()
    assert read(late)["end_line"] == 64


def test_a_defect_over_two_chunks_is_one_entry():
    ground_truth, defect = truth(), planted(first_line=60)
    ground_truth.deliver(Interval(0, 64), (change(defect, 4),))
    ground_truth.deliver(Interval(64, 128), (change(defect, 3, first_line=64),))

    (entry,) = read(ground_truth)["defects"]
    assert (entry["first_line"], entry["end_line"]) == (61, 66)
    assert entry["pixels"] == 6 * 3


def test_a_defect_that_changes_no_pixel_is_no_defect():
    same = np.full((6, 8), 100, np.uint8)
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), (Change(planted(), 10, same, same.copy()),))

    assert read(ground_truth)["defects"] == []


def test_a_change_in_one_channel_is_a_change():
    before = np.full((6, 8, 3), 100, np.uint8)
    after = before.copy()
    after[2, 3, 1] = 130
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), (Change(planted(), 10, before, after),))

    (entry,) = read(ground_truth)["defects"]
    assert (entry["first_line"], entry["end_line"]) == (12, 13)
    assert (entry["first_column"], entry["end_column"]) == (23, 24)
    assert entry["contrast"] == 0.1  # 30 of the three channels together


def test_contrast_on_black_is_finite():
    before = np.zeros((6, 8), np.uint8)
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), (Change(planted(), 10, before, before + 3),))

    assert read(ground_truth)["defects"][0]["contrast"] == 3 * 48


def test_16_bit_pixels_do_not_overflow():
    before = np.full((6, 8), 65_535, np.uint16)
    ground_truth = truth()
    ground_truth.deliver(Interval(0, 64), (Change(planted(), 10, before, before * 0),))

    assert read(ground_truth)["defects"][0]["contrast"] == 1.0
