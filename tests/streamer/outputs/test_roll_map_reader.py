"""Reading a piece of any level, also where the writer died before the level was written."""

import numpy as np
import pytest

from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_coverage import COVERAGE_CODES
from streamer.outputs.roll_map_format import pool
from streamer.outputs.roll_map_reader import MapReader

FORM = MapFormat("r", 140, 8, 0.5, 0.5)


def written(folder, rows, closed=True):
    scores = np.random.default_rng(1).normal(size=(rows, 140)).astype(np.float32)
    scores[scores > 1] = np.nan
    codes = np.where(np.isnan(scores), 1, 2).astype(np.uint8)
    roll_map = RollMap(folder, FORM)
    roll_map.append(scores, codes)
    if closed:
        roll_map.close()
    return scores, codes


@pytest.mark.parametrize("closed", [True, False])  # False: what a killed writer leaves
@pytest.mark.parametrize("rows", [3 * 1024, 7 * 1024, 5000])
def test_every_piece_of_every_level_is_the_pooled_map(tmp_path, rows, closed):
    scores, codes = written(tmp_path, rows, closed)
    reader = MapReader(tmp_path)
    assert reader.rows == (rows if closed else rows // 1024 * 1024)
    scores, codes = scores[: reader.rows], codes[: reader.rows]
    for level in range(6):
        for first, end in ((0, 10**6), (3, 11), (len(scores) // 2, len(scores)), (len(scores), 9)):
            np.testing.assert_array_equal(reader.scores(level, first, end), scores[first:end])
            np.testing.assert_array_equal(reader.coverage(level, first, end), codes[first:end])
        scores, codes = pool(scores), pool(codes)


def test_the_table_of_codes_is_that_of_the_map(tmp_path):
    written(tmp_path, 3)
    reader = MapReader(tmp_path)
    assert reader.codes == COVERAGE_CODES
    assert (reader.form, reader.levels[1].columns) == (FORM, 70)


def test_where_there_is_no_map_nothing_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="roll map must exist, got no"):
        MapReader(tmp_path)


@pytest.mark.parametrize("damaged", ["labels/coverage/zarr.json", "labels/coverage/0/zarr.json"])
def test_a_map_without_its_coverage_is_damaged(tmp_path, damaged):
    written(tmp_path, 3)
    (tmp_path / "map.zarr" / damaged).unlink()
    with pytest.raises(ValueError, match=r"map\.zarr must be a whole roll map, got"):
        MapReader(tmp_path)


def test_a_damaged_shard_is_named(tmp_path):
    written(tmp_path, 3)
    (tmp_path / "map.zarr" / "labels/coverage/0/c/0/0").write_bytes(b"scrap" * 40)
    with pytest.raises(ValueError, match=r"map\.zarr must be a whole roll map, got"):
        MapReader(tmp_path).coverage(0, 0, 3)
