"""Defect labels of a map: the cells that the decision called the defect."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from streamer.decision import (
    MERGED,
    DecisionSettings,
    DecisionState,
    decide,
    finish,
    severity_of,
)
from streamer.message import DefectState
from streamer.outputs.defect_log import DefectLog, Piece, read_log
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_format import SHARD_ROWS
from streamer.outputs.roll_map_labels import CellBox, Labelling, label_cells, write_labels
from streamer.web import Strip, WebGeometry

COLUMNS = 12
GEOMETRY = WebGeometry(COLUMNS * 8, 0.5, 0.5, 60.0)
SETTINGS = DecisionSettings(GEOMETRY, 0.6)


def decided_roll(folder, scores, starts=(0,)):
    """Map and log of a roll as the sink writes them, cut at `starts`, each a piece of its own."""
    roll_map, log = RollMap(folder, MapFormat("r", COLUMNS, 8, 0.5, 0.5)), DefectLog(folder)
    state, found = DecisionState(), []
    for first, end in zip(starts, [*starts[1:], len(scores)], strict=True):
        roll_map.append(scores[first:end])
        log.put_piece(Piece(first * 8, first, (end - first) * 8))
        strip = Strip(first * 8, (end - first) * 8, 8, scores[first:end], True, 1)
        state, news = decide(state, strip, SETTINGS)
        found += news
    for defect in (*found, *finish(state, SETTINGS)):
        if defect.state is DefectState.END:
            assert defect.defect_class != MERGED
            log.put_defect(defect, severity_of(defect))
    roll_map.close()
    log.close()
    content = read_log(folder)
    write_labels(folder, Labelling(content.defects, content.pieces, SETTINGS.grow_ratio))
    return content.defects


def labels(folder, level=0):
    group = zarr.open_group(folder / "map.zarr", mode="r")
    return np.asarray(group[f"labels/defects/{level}"])


def whole_labels(scores, starts, defects):
    """By labelling each piece at once; a part has the id of the defect that has its box."""
    found, ids = np.zeros(scores.shape, int), {}
    for d in defects:
        place = d.first_line // 8, d.end_line // 8, d.cross_first_mm / 4, d.cross_end_mm / 4
        ids.setdefault(place, []).append(d.id)
    for first, end in zip(starts, [*starts[1:], len(scores)], strict=True):
        parts, count = ndimage.label(scores[first:end] >= 0.6, np.ones((3, 3)))
        for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts == number
            if scores[first:end][inside].max() >= 1:
                box = rows.start + first, rows.stop + first, columns.start, columns.stop
                (found[first:end][inside],) = ids[box]
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.2), st.booleans())
def test_labels_are_those_of_labelling_the_whole_roll(tmp_path_factory, seed, share, is_cut):
    folder = tmp_path_factory.mktemp("roll")
    random = np.random.default_rng(seed)
    size = 60, COLUMNS
    grown = random.choice([0.7, 1.2], size)
    scores = np.where(random.random(size) < share, grown, 0.1).astype(np.float32)
    scores[random.random(size) < 0.02] = np.nan
    starts = (0, 23, 41) if is_cut else (0,)
    defects = decided_roll(folder, scores, starts)
    expected = whole_labels(scores, starts, defects)
    assert np.array_equal(labels(folder), expected)


def test_a_defect_over_many_shards_has_one_id_and_touches_no_other_shard(tmp_path):
    scores = np.zeros((5 * SHARD_ROWS, COLUMNS), np.float32)
    scores[SHARD_ROWS - 5 : 3 * SHARD_ROWS + 7, 4] = 0.8
    scores[2000, 4] = 3.0
    (defect,) = decided_roll(tmp_path, scores)
    found = labels(tmp_path)
    assert np.array_equal(found == defect.id, scores >= 0.6)
    shards = {path.parent.name for path in (tmp_path / "map.zarr/labels/defects/0/c").glob("*/0")}
    assert shards == {"0", "1", "2", "3"}
    for level in range(1, 6):
        rows = labels(tmp_path, level)[:, 4]
        factor = 2**level
        expected = (scores[:, 4] >= 0.6).reshape(-1, factor).any(axis=1)
        assert np.array_equal(rows == defect.id, expected)


def test_noise_beside_a_defect_in_its_box_is_not_part_of_it(tmp_path):
    scores = np.zeros((20, COLUMNS), np.float32)
    scores[2:9, 1] = scores[8, 1:9] = 1.5  # an L, whose box holds what lies in its corner
    scores[3, 6] = 0.7  # grown, without a seed
    scores[5, 4] = 1.2  # a defect of its own
    big, small = decided_roll(tmp_path, scores)
    found = labels(tmp_path)
    assert (found[3, 6], found[5, 4], found[2, 1]) == (0, small.id, big.id)
    assert (found == big.id).sum() == 14


def test_a_part_that_no_box_holds_is_shared_out():
    grown = np.ones((2, 4), bool)
    boxes = [CellBox(1, 0, 2, 0, 2), CellBox(2, 0, 2, 2, 3)]
    scores = np.full((2, 4), 2.0)
    assert label_cells(grown, scores, boxes, (False, False)).tolist() == [[1, 1, 2, 0]] * 2


def test_labels_are_replaced_and_listed_once(tmp_path):
    scores = np.zeros((20, COLUMNS), np.float32)
    scores[3, 3] = 2.0
    decided_roll(tmp_path, scores)
    write_labels(tmp_path, Labelling((), (), 0.6))
    group = zarr.open_group(tmp_path / "map.zarr", mode="r")
    assert group["labels"].attrs["ome"]["labels"] == ["coverage", "defects"]
    assert not labels(tmp_path).any()


def test_a_roll_without_rows_has_labels_without_rows(tmp_path):
    RollMap(tmp_path, MapFormat("r", 3, 8, 0.5, 0.5)).close()
    write_labels(tmp_path, Labelling((), (), 0.6))
    assert labels(tmp_path).shape == (0, 3)


def test_where_there_is_no_map_there_are_no_labels(tmp_path):
    with pytest.raises(FileNotFoundError, match="roll map must exist"):
        write_labels(tmp_path, Labelling((), (), 0.6))
