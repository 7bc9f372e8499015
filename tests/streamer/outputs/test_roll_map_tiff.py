"""The map as TIFF: what a TIFF reader finds is what the map holds, level by level."""

import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.roll_map_format import SHARD_ROWS
from streamer.outputs.roll_map_reader import MapReader
from streamer.outputs.roll_map_tiff import MEANING, level_count, write_tiff
from streamer.outputs.storage import StorageError

FORM = MapFormat("roll7", 300, 8, 0.5, 0.25)


def roll(folder, rows=1100, form=FORM):
    scores = np.random.default_rng(3).normal(size=(rows, form.columns)).astype(np.float32)
    scores[:, :7] = np.nan
    roll_map = RollMap(folder, form)
    roll_map.append(scores)
    roll_map.close()
    return scores


def test_every_level_of_the_file_is_that_of_the_map(tmp_path):
    scores = roll(tmp_path)
    assert write_tiff(tmp_path, tmp_path / "map.ome.tif") == tmp_path / "map.ome.tif"
    reader = MapReader(tmp_path)
    with tifffile.TiffFile(tmp_path / "map.ome.tif") as file:
        (series,) = file.series
        assert [level.shape for level in series.levels] == [
            (1100, 300), (550, 150), (275, 75), (138, 75),
        ]  # fmt: skip
        np.testing.assert_array_equal(series.levels[0].asarray(), scores)
        for number, level in enumerate(series.levels):
            np.testing.assert_array_equal(level.asarray(), reader.scores(number, 0, 10**6))
        assert all(page.is_tiled and page.tile == (256, 256) for page in series.pages)


def test_the_size_of_a_cell_and_the_meaning_are_in_the_file(tmp_path):
    roll(tmp_path)
    write_tiff(tmp_path, tmp_path / "map.ome.tif")
    with tifffile.TiffFile(tmp_path / "map.ome.tif") as file:
        page = file.pages[0]
        assert page.tags["ResolutionUnit"].value == 3  # centimetre
        per_cm = [n / d for n, d in (page.tags[f"{a}Resolution"].value for a in "XY")]
        assert per_cm == pytest.approx([10 / 4.0, 10 / 2.0])
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (4.0, "mm")
        assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeYUnit"]) == (2.0, "mm")
        assert MEANING in file.ome_metadata


def test_another_reader_opens_it(tmp_path):
    scores = roll(tmp_path, 40)
    write_tiff(tmp_path, tmp_path / "map.tif")
    with Image.open(tmp_path / "map.tif") as picture:
        np.testing.assert_array_equal(np.asarray(picture), scores)


@pytest.mark.parametrize(("rows", "count"), [(1, 2), (1100, 4), (200_000, 10)])
def test_levels_end_with_the_first_that_is_one_tile(tmp_path, rows, count):
    roll(tmp_path, 1)
    reader = MapReader(tmp_path)
    reader._scores[0] = np.broadcast_to(np.float32(0), (rows, 300))
    assert level_count(reader) == count


def test_memory_does_not_grow_with_the_roll(tmp_path):
    peaks = []
    for shards in (2, 12):
        folder = tmp_path / str(shards)
        folder.mkdir()
        roll(folder, shards * SHARD_ROWS)
        tracemalloc.start()
        write_tiff(folder, folder / "map.ome.tif")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_a_map_that_a_crash_has_cut_is_written_all_the_same(tmp_path):
    roll_map = RollMap(tmp_path, FORM)
    roll_map.append(np.ones((1500, 300), np.float32))  # never closed
    write_tiff(tmp_path, tmp_path / "map.ome.tif")
    with tifffile.TiffFile(tmp_path / "map.ome.tif") as file:
        assert [level.shape[0] for level in file.series[0].levels] == [1024, 512, 256]


def test_a_map_without_rows_is_no_picture(tmp_path):
    RollMap(tmp_path, FORM).close()
    with pytest.raises(ValueError, match="roll map must hold rows, got none"):
        write_tiff(tmp_path, tmp_path / "map.ome.tif")
    assert not (tmp_path / "map.ome.tif").exists()


def test_what_cannot_be_written_is_named(tmp_path):
    roll(tmp_path, 3)
    with pytest.raises(StorageError, match="TIFF must be writable at .*absent/map.tif"):
        write_tiff(tmp_path, tmp_path / "absent" / "map.tif")


def test_a_damaged_map_leaves_the_old_file(tmp_path):
    roll(tmp_path, 3)
    (tmp_path / "map.zarr/0/c/0/0").write_bytes(b"scrap" * 40)
    (tmp_path / "map.tif").write_bytes(b"old")
    with pytest.raises(ValueError, match="whole roll map"):
        write_tiff(tmp_path, tmp_path / "map.tif")
    assert (tmp_path / "map.tif").read_bytes() == b"old"
    assert not list(tmp_path.glob(".*partial"))
