"""Labels of real images in web coordinates, and the counts; on made-up pieces."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_truth import (
    Label,
    LabelledPiece,
    box_labels,
    count_figures,
    mask_labels,
    match_pieces,
    read_boxed_pieces,
    read_grey,
    read_masked_pieces,
)

from streamer.message import Interval
from streamer.outputs.defect_log import LoggedDefect
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(columns=200, pixel_mm=0.5, line_mm=0.25, speed_m_min=60)
TOLERANCE_MM = 8.0  # 16 columns, 32 lines


def label(lines, columns, kind="hole"):
    return Label(kind, Interval(*lines), Interval(*columns))


def piece(*labels, lines=100, columns=200, name="piece.png"):
    return LabelledPiece(name, lines, columns, tuple(labels))


def defect(lines, columns, number=1, area_mm2=1.0):
    region = (lines[0] * 0.25, lines[1] * 0.25, columns[0] * 0.5, columns[1] * 0.5)
    shown = ("end", "low", "unknown", *region, area_mm2, 1.5, 1.0, *lines, "", None)
    return LoggedDefect(number, *shown)


def match(pieces, *defects):
    return match_pieces(pieces, defects, GEOMETRY, TOLERANCE_MM)


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def images(tmp_path):
    """Two images of 40 x 60 without defects, and where their labels belong."""
    folder = tmp_path / "set" / "images"
    return [
        write_png(folder / name, np.full((40, 60), 90, np.uint8)) for name in ("a.png", "b.png")
    ]


def mask_of(image):
    return image.parent.parent / "masks" / image.name


class TestLabels:
    def test_a_mask_without_a_defect_has_no_label(self):
        assert mask_labels(np.zeros((8, 8), np.uint8), "defect") == ()

    def test_every_component_is_a_label_with_half_open_extent(self):
        mask = np.zeros((20, 30), np.uint8)
        mask[2:5, 3:9] = 255
        mask[19, 29] = 1
        assert set(mask_labels(mask, "knot")) == {
            label((2, 5), (3, 9), "knot"),
            label((19, 20), (29, 30), "knot"),
        }

    def test_pixels_that_touch_at_a_corner_are_one_defect(self):
        assert mask_labels(np.eye(6, dtype=np.uint8), "d") == (label((0, 6), (0, 6), "d"),)

    @given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8)), max_size=12))
    def test_labels_cover_exactly_the_rows_and_columns_of_the_mask(self, spots):
        mask = np.zeros((12, 9), np.uint8)
        for row, column in spots:
            mask[row, column] = 255
        labels = mask_labels(mask, "d")
        rows = {line for one in labels for line in range(one.lines.first, one.lines.end)}
        assert rows == set(np.flatnonzero(mask.any(axis=1)).tolist())
        inside = np.zeros_like(mask, dtype=bool)
        for one in labels:
            inside[one.lines.first : one.lines.end, one.columns.first : one.columns.end] = True
        assert inside[mask > 0].all()

    def test_boxes_are_cut_to_the_image(self):
        boxes = [["crush", -6, 1, 405, 57], ["dirt", 85, 1900, 169, 2100]]
        assert box_labels(boxes, 2000, 360) == (
            label((1, 57), (0, 360), "crush"),
            label((1900, 2000), (85, 169), "dirt"),
        )

    @pytest.mark.parametrize(
        "box", [["d", 400, 0, 500, 50], ["d", -90, 0, 0, 50], ["d", 0, 2000, 9, 2100]]
    )
    def test_a_box_outside_the_image_is_no_label(self, box):
        assert box_labels([box], 2000, 360) == ()

    def test_a_transposed_piece_turns_with_its_labels(self):
        turned = piece(label((2, 5), (30, 90)), lines=100, columns=200).transposed()
        assert (turned.lines, turned.columns) == (200, 100)
        assert turned.labels == (label((30, 90), (2, 5)),)
        assert turned.transposed() == piece(label((2, 5), (30, 90)))


class TestReading:
    def test_masks_are_read_from_beside_the_images(self, images):
        mask = np.zeros((40, 60), np.uint8)
        write_png(mask_of(images[0]), mask)
        mask[10:12, 50:60] = 255
        write_png(mask_of(images[1]), mask)
        clean, bad = read_masked_pieces(images)
        assert clean == piece(lines=40, columns=60, name="a.png")
        assert bad.labels == (label((10, 12), (50, 60), "defect"),)

    def test_an_image_without_a_mask_is_not_taken_for_clean(self, images):
        with pytest.raises(FileNotFoundError, match=r"image must exist .*masks.a\.png"):
            read_masked_pieces(images)

    def test_a_mask_of_another_size_is_refused(self, images):
        write_png(mask_of(images[0]), np.zeros((40, 61), np.uint8))
        with pytest.raises(ValueError, match=r"a\.png: mask must be 40 x 60 as its image"):
            read_masked_pieces(images)

    def test_boxes_are_read_from_one_file(self, images):
        boxes = {
            "a": {"boxes_in_strip": [["dent", 3, 4, 30, 90]]},
            "b": {"boxes_in_strip": []},
        }
        (images[0].parent.parent / "boxes.json").write_text(json.dumps(boxes))
        first, second = read_boxed_pieces(images)
        assert first.labels == (label((4, 40), (3, 30), "dent"),)
        assert second.labels == ()

    def test_an_image_without_boxes_is_not_taken_for_clean(self, images):
        (images[0].parent.parent / "boxes.json").write_text('{"a": {"boxes_in_strip": []}}')
        with pytest.raises(FileNotFoundError, match=r"boxes\.json must name every image, .* b"):
            read_boxed_pieces(images)

    def test_a_file_that_is_no_image_is_refused(self, tmp_path):
        (tmp_path / "x.png").write_bytes(b"no image")
        with pytest.raises(FileNotFoundError, match="readable"):
            read_grey(tmp_path / "x.png")


class TestMatching:
    def test_a_defect_on_a_label_of_a_later_piece_hits_it(self):
        pieces = [piece(), piece(lines=60), piece(label((20, 30), (50, 60)))]
        *_, third = match(pieces, defect((182, 188), (52, 58)))
        assert [truth.kind for truth in third.match.found] == ["hole"]
        assert third.match.false_alarms == ()

    @pytest.mark.parametrize(("gap", "hits"), [(0, 1), (32, 1), (33, 0)])
    def test_a_label_reaches_as_far_as_the_tolerance(self, gap, hits):
        (one,) = match([piece(label((0, 10), (0, 10)))], defect((10 + gap, 50), (0, 10)))
        assert len(one.match.found) == hits
        assert len(one.match.false_alarms) == 1 - hits

    def test_nothing_is_found_across_a_seam(self):
        pieces = [piece(label((90, 100), (0, 20))), piece(label((50, 60), (0, 20)))]
        first, second = match(pieces, defect((100, 108), (0, 20)))
        assert not first.match.found
        assert second.match.false_alarms == (1,)

    def test_every_defect_belongs_to_one_piece(self):
        spots = [defect((line, line + 8), (0, 8), number=line) for line in range(0, 300, 4)]
        matches = match([piece(), piece(), piece()], *spots)
        assert [len(m.match.false_alarms) for m in matches] == [25, 25, 25]

    def test_the_area_in_alarms_counts_per_piece(self):
        # 100 lines of 0.25 mm times 200 columns of 0.5 mm: 2500 mm2.
        first, second = match([piece(), piece()], defect((110, 150), (0, 50), area_mm2=750.0))
        assert (first.alarm_share, second.alarm_share) == (0.0, pytest.approx(0.3))
        assert (first.is_flooded, second.is_flooded) == (False, True)


class TestFigures:
    def figures(self):
        pieces = [
            piece(name="clean"),
            piece(label((0, 10), (0, 10)), label((60, 70), (150, 160), "knot")),
            piece(label((0, 100), (90, 110), "knot"), columns=180),
            piece(label((0, 10), (0, 10))),
        ]
        return count_figures(
            match(
                pieces,
                defect((40, 48), (0, 8), number=1),
                defect((104, 112), (0, 8), number=2),
                defect((112, 116), (0, 8), number=3),
                defect((150, 158), (60, 68), number=4),
                defect((200, 300), (0, 180), number=5, area_mm2=2000.0),
            )
        )

    def test_the_web_is_the_sum_of_its_pieces_and_as_wide_as_the_widest(self):
        counts = self.figures()
        assert (counts.pieces, counts.lines, counts.columns) == (4, 400, 200)

    def test_regions_and_pieces_that_were_hit(self):
        counts = self.figures()
        assert (counts.regions, counts.regions_hit) == (4, 2)
        assert (counts.defective_pieces, counts.defective_pieces_hit) == (3, 2)
        assert counts.kinds == {"hole": (1, 2), "knot": (1, 2)}

    def test_a_hit_on_a_flooded_piece_is_not_placed(self):
        counts = self.figures()
        assert (counts.flooded_pieces, counts.regions_placed) == (1, 1)

    def test_two_alarms_on_one_label_are_two_alarms_and_none_outside(self):
        counts = self.figures()
        assert (counts.alarms, counts.alarms_outside) == (5, 2)

    def test_alarms_on_clean_pieces(self):
        counts = self.figures()
        assert (counts.clean_pieces, counts.clean_pieces_alarmed, counts.alarms_on_clean) == (
            1,
            1,
            1,
        )

    def test_figures_are_json(self):
        assert json.loads(json.dumps(self.figures().as_dict()))["kinds"]["knot"] == [1, 2]
