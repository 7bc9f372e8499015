"""Evidence: the right tile, the right crop, never too large, never too many."""

import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.message import Defect, DefectState, Interval, RegionMm, ScoreMap
from streamer.outputs.evidence import Box, EvidenceLimits, EvidenceStore, draw_evidence
from streamer.outputs.storage import StorageError
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(columns=400, pixel_mm=0.5, line_mm=0.25, speed_m_min=60)


def tile(first_line=0, first_column=0, peaks=(), lines=200, columns=400, dtype=np.uint8, masked=()):
    scores = np.zeros((-(-lines // 8), -(-columns // 8)), np.float32)
    for row, column, score in peaks:
        scores[row, column] = score
    grey = 120 if dtype == np.uint8 else 120 << 8
    return ScoreMap(
        roll="r",
        camera="cam0",
        lane=0,
        sequence=first_line,
        first_line=first_line,
        line_count=lines,
        first_column=first_column,
        column_count=columns,
        stride=8,
        scores=scores,
        background=0.0,
        alarm_level=1.0,
        profile_digest="",
        model_digest="",
        captured_ns=0,
        scored_ns=0,
        worker="w",
        masked=masked,
        evidence=np.full((lines, columns), grey, dtype),
    )


def without_pixels(score_map):
    fields = {name: getattr(score_map, name) for name in ScoreMap.__dataclass_fields__}
    return ScoreMap(**{**fields, "evidence": None})


def defect(lines, columns, number=1):
    box = RegionMm(lines[0] * 0.25, lines[1] * 0.25, columns[0] * 0.5, columns[1] * 0.5)
    return Defect(number, DefectState.END, box, 2.0, 1.0, 1.0, lines[0], lines[1], 0)


def colourful(picture):
    """(lines, columns) where the picture is not grey."""
    return np.ptp(picture.astype(int), axis=2) > 12


def read(paths):
    return tuple(cv2.imread(str(path)) for path in paths)


def test_a_picture_shows_the_pixels_and_the_heat_beside_them(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY)
    store.add(tile(peaks=[(5, 10, 2.0)]))
    paths = store.write(defect((40, 48), (80, 88), number=17))
    folder = tmp_path / "evidence"
    assert paths == (folder / "defect_000017_raw.png", folder / "defect_000017_overlay.png")
    raw, heat = read(paths)
    assert raw.shape == heat.shape
    assert not colourful(raw).any()
    assert colourful(heat).any()


def rescaled(score_map, background, alarm_level):
    """The same verdict by a method that scores in another range."""
    fields = {name: getattr(score_map, name) for name in ScoreMap.__dataclass_fields__}
    scores = background + score_map.scores * np.float32(alarm_level - background)
    fields |= {"scores": scores, "background": background, "alarm_level": alarm_level}
    return ScoreMap(**fields)


@pytest.mark.parametrize(("background", "alarm_level"), [(0.02, 0.05), (40.0, 90.0)])
def test_the_heat_is_in_units_of_the_alarm_level(background, alarm_level):
    box = Box(Interval(40, 48), Interval(80, 88))
    plain = tile(peaks=[(5, 10, 2.0), (5, 20, 0.2)])
    shown = draw_evidence(rescaled(plain, background, alarm_level), box)
    for picture, expected in zip(shown, draw_evidence(plain, box), strict=True):
        assert np.abs(picture.astype(int) - expected).max() <= 2


def test_the_peak_is_sought_in_units_of_the_alarm_level(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY)
    weak, strong = tile(peaks=[(24, 10, 1.1)]), tile(first_line=200, peaks=[(0, 10, 2.0)])
    strong.evidence[:] = 250
    store.add(rescaled(weak, 40.0, 90.0))
    store.add(rescaled(strong, 0.02, 0.05))
    raw, _ = read(store.write(defect((192, 208), (80, 88))))
    assert raw.mean() > 200


def test_the_box_surrounds_the_defect():
    score_map = tile()
    score_map.evidence[96:104, 200:208] = 250
    raw, heat = draw_evidence(score_map, Box(Interval(96, 104), Interval(200, 208)))
    spot = np.argwhere(raw[..., 0] > 200)
    frame = np.argwhere(heat[..., 2].astype(int) - heat[..., 0] > 100)
    assert np.abs(spot.min(axis=0) - frame.min(axis=0)).max() <= 1
    assert np.abs(spot.max(axis=0) - frame.max(axis=0)).max() <= 2


def test_of_several_tiles_the_one_with_the_peak_is_shown(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY)
    first, second, third = (
        tile(0, peaks=[(24, 1, 1.2)]),
        tile(200, peaks=[(2, 1, 3.0)]),
        tile(400, peaks=[(2, 40, 9.0)]),
    )
    second.evidence[:] = 33
    for score_map in (first, second, third):
        store.add(score_map)
    raw, _ = read(store.write(defect((192, 450), (0, 30))))
    assert np.all(raw == 33)


def test_scores_that_are_not_known_do_not_count_and_do_not_heat(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY)
    unknown = [(r, c, np.nan) for r in range(25) for c in range(50)]
    blind = tile(peaks=unknown, masked=(Interval(0, 400),))
    store.add(blind)
    _, heat = read(store.write(defect((0, 200), (0, 400))))
    assert np.all(heat[10:-10, 10:-10] == 120)


def test_without_pixels_of_the_defect_there_is_no_picture(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY)
    assert store.write(defect((0, 8), (0, 8))) is None
    store.add(without_pixels(tile()))
    assert store.write(defect((0, 8), (0, 8))) is None
    store.add(tile())
    assert store.write(defect((200, 208), (0, 8))) is None
    assert os.listdir(tmp_path / "evidence") == []


def test_only_the_latest_tiles_are_kept(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY, EvidenceLimits(keep_tiles=2))
    for number in range(3):
        store.add(tile(number * 200))
    assert store.write(defect((0, 8), (0, 8))) is None
    assert store.write(defect((200, 208), (0, 8))) is not None


def test_there_are_never_more_pictures_than_allowed(tmp_path):
    store = EvidenceStore(tmp_path, GEOMETRY, EvidenceLimits(max_pictures=2))
    store.add(tile())
    written = [store.write(defect((0, 8), (0, 8), n)) for n in range(4)]
    assert [pair is not None for pair in written] == [True, True, False, False]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pictures_are_alike_and_fit_side_by_side_on_512_pixels(data):
    lines, columns = (data.draw(st.integers(1, 1500)) for _ in range(2))
    first = data.draw(st.integers(0, lines - 1)), data.draw(st.integers(0, columns - 1))
    end = data.draw(st.integers(first[0] + 1, lines)), data.draw(st.integers(first[1] + 1, columns))
    box = Box(Interval(first[0], end[0]), Interval(first[1], end[1]))
    raw, overlay = draw_evidence(tile(lines=lines, columns=columns), box)
    assert raw.shape == overlay.shape
    assert max(raw.shape[0], 2 * raw.shape[1]) <= 512
    assert raw.dtype == overlay.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_8_and_16_bit_look_the_same(dtype):
    raw, _ = draw_evidence(tile(dtype=dtype), Box(Interval(0, 8), Interval(0, 8)))
    assert np.all(raw == 120)


def test_rgb_stays_in_its_order(tmp_path):
    score_map = tile()
    fields = {name: getattr(score_map, name) for name in ScoreMap.__dataclass_fields__}
    red = np.zeros((200, 400, 3), np.uint8)
    red[..., 0] = 255
    store = EvidenceStore(tmp_path, GEOMETRY)
    store.add(ScoreMap(**{**fields, "evidence": red}))
    raw, _ = read(store.write(defect((0, 8), (0, 8))))
    assert np.all(raw == (0, 0, 255))


def test_a_tile_without_pixels_cannot_be_drawn():
    with pytest.raises(ValueError, match="ScoreMap.evidence must be there"):
        draw_evidence(without_pixels(tile()), Box(Interval(0, 8), Interval(0, 8)))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(StorageError, match="evidence must be writable at .*absent"):
        EvidenceStore(tmp_path / "absent", GEOMETRY)


@pytest.mark.parametrize("limits", [{"max_pictures": -1}, {"keep_tiles": 0}])
def test_limits_refuse_what_makes_no_sense(limits):
    with pytest.raises(ValueError, match=f"{next(iter(limits))} must be"):
        EvidenceLimits(**limits)
