"""Which cases are shown in which order, and that pictures show what they say."""

import base64
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.evaluation.gallery import (
    FRAME,
    LONGEST_SIDE,
    MASKED_SHADE,
    OUTLINE,
    Case,
    Heat,
    choose_cases,
    draw_image,
    draw_maps,
    relative_peaks,
)

NAN = float("nan")


def case(name, is_defective, figure=NAN, peak=1.0, class_name="c"):
    return Case("s", class_name, name, is_defective, figure, "AUROC", peak)


def decode(uri):
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)


def near(picture, colour, tolerance=60):
    return (np.abs(picture.astype(int) - colour).max(2) < tolerance).any()


class TestChoice:
    def test_the_worst_come_first(self):
        cases = [case(f"d{n}", True, n / 10) for n in range(10)]
        cases += [case(f"c{n}", False, peak=n) for n in range(4)]
        groups = {title: [c.name for c in of_group] for title, of_group in choose_cases(cases, 8)}
        assert groups == {
            "Defects found worst": ["d0", "d1", "d2", "d3"],
            "Clean within the crop, highest scores": ["c3", "c2"],
            "Defects found best": ["d9", "d8"],
        }

    def test_classes_take_turns(self):
        bad = [case(f"a{n}", True, 0.1 + n / 100, class_name="a") for n in range(9)]
        good = [case(f"b{n}", True, 0.8, class_name="b") for n in range(2)]
        (_, worst), *_ = choose_cases(bad + good, 6)
        assert [c.name for c in worst] == ["a0", "a1", "b0"]

    def test_unknown_truth_is_shown_by_its_peaks(self):
        cases = [
            case("low", None, peak=1),
            case("high", None, peak=3),
            case("none", None, peak=NAN),
        ]
        ((title, chosen),) = choose_cases(cases, 9)
        assert title == "Truth unknown, highest scores"
        assert [c.name for c in chosen] == ["high", "low", "none"]

    @given(
        st.lists(st.tuples(st.sampled_from([True, False, None]), st.floats(0, 1)), max_size=30),
        st.integers(0, 12),
    )
    @settings(max_examples=80)
    def test_none_is_shown_twice_and_never_too_many(self, kinds, count):
        cases = [case(f"{n}", kind, figure, figure) for n, (kind, figure) in enumerate(kinds)]
        shown = [c.name for _, of_group in choose_cases(cases, count) for c in of_group]
        assert len(shown) == len(set(shown)) <= count

    def test_remarks(self):
        assert case("x", True, 0.5).remark == "AUROC 0.500"
        assert case("x", False, peak=2.5).remark == "peak 2.50 x median of its class"

    def test_peaks_are_relative_to_their_class(self):
        found = relative_peaks([2.0, 4.0, 8.0, NAN])
        assert found[:3] == [0.5, 1, 2]
        assert math.isnan(found[3])
        assert relative_peaks([]) == []


class TestPictures:
    def test_defects_have_an_outline_and_are_not_painted_over(self):
        pixels = np.full((200, 300), 90, np.uint8)
        mask = np.zeros((200, 300), np.uint8)
        mask[80:120, 100:160] = 255
        plain, marked = (decode(draw_image(pixels, m, 0)) for m in (None, mask))
        assert not near(plain, OUTLINE)
        assert near(marked, OUTLINE)
        scale = marked.shape[1] / 300
        centre = marked[round(100 * scale), round(130 * scale)]
        assert np.abs(centre.astype(int) - 90).max() < 6

    def test_a_frame_parts_what_is_judged(self):
        pixels = np.zeros((200, 300, 3), np.uint8)
        picture = decode(draw_image(pixels, None, 0.1))
        row = picture[round(0.1 * picture.shape[0])].max(1)
        assert row.max() > FRAME[0] - 40
        assert picture[:10].max() < 60

    def test_large_pictures_shrink_and_small_ones_grow(self):
        assert (
            max(decode(draw_image(np.zeros((256, 4096), np.uint8), None, 0)).shape) <= LONGEST_SIDE
        )
        assert decode(draw_image(np.zeros((20, 30), np.uint8), None, 0)).shape == (80, 120, 3)

    def test_sixteen_bits_are_stretched(self):
        ramp = np.tile(np.linspace(1000, 3000, 300).astype(np.uint16), (200, 1))
        picture = decode(draw_image(ramp, None, 0))
        assert picture.min() < 20
        assert picture.max() > 235

    def test_hot_spots_are_bright_and_masked_cells_grey(self):
        scores = np.random.default_rng(0).random((20, 30)).astype(np.float32) * 0.1
        scores[10, 10], scores[:, 25:] = 1, np.nan
        uris = draw_maps({"run": (scores, 8)}, {"run": Heat.over([scores], 0)}, (160, 240))
        picture = decode(uris["run"])
        scale = picture.shape[1] / 240
        assert picture[round(84 * scale), round(84 * scale)].max() > 200
        grey = picture[round(80 * scale), round(225 * scale)]
        assert np.abs(grey.astype(int) - MASKED_SHADE).max() < 8


class TestHeat:
    def test_the_scale_is_that_of_what_is_judged(self):
        scores = np.zeros((20, 20), np.float32)
        scores[0] = 100
        scores[10, 10] = 1
        assert Heat.over([scores], 0.1).high <= 1
        assert Heat.over([scores], 0).high == pytest.approx(100)

    def test_masked_maps_have_a_scale_too(self):
        empty = Heat.over([np.full((4, 4), np.nan, np.float32)], 0)
        assert (empty.low, empty.high) == (0, 1)
