"""The roll map: what was appended is what is read, also after a crash."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.outputs.roll_map import MapFormat, RollMap, read_map
from streamer.outputs.roll_map_format import LEVELS, SHARD_ROWS, map_levels
from streamer.outputs.roll_map_reader import MapReader
from streamer.outputs.storage import StorageError


def form(columns=5):
    return MapFormat(roll="roll7", columns=columns, stride=8, pixel_mm=0.5, line_mm=0.25)


def read_all(folder):
    found, shards = read_map(folder)
    blocks = list(shards)
    return found, np.vstack(blocks) if blocks else np.zeros((0, found.columns), np.float32)


def some_scores(rows, columns=5, seed=1):
    scores = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    scores[scores > 1.5] = np.nan
    return scores


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=5), st.sampled_from([1, 5, 513]))
def test_any_strips_read_back_as_they_were(tmp_path_factory, counts, columns):
    folder = tmp_path_factory.mktemp("roll")
    scores = some_scores(sum(counts), columns)
    roll_map = RollMap(folder, form(columns))
    for first, count in zip(np.cumsum([0, *counts]), counts, strict=False):
        roll_map.append(scores[first : first + count])
    assert roll_map.rows == len(scores)
    roll_map.close()
    found, read = read_all(folder)
    assert found == form(columns)
    np.testing.assert_array_equal(read, scores)


def read_level(folder, number, label=""):
    return np.asarray(zarr.open_group(folder / "map.zarr", mode="r")[f"{label}{number}"])


def largest_of_blocks(cells, rows, columns):
    """By a plain loop over the blocks."""
    found = np.full((-(-len(cells) // rows), -(-cells.shape[1] // columns)), np.nan, np.float32)
    for row, column in np.ndindex(found.shape):
        block = cells[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns]
        if not np.isnan(block).all():
            found[row, column] = np.nanmax(block)
    return found


def test_the_attributes_and_the_layout_are_as_documented(tmp_path):
    roll_map = RollMap(tmp_path, form(600))
    roll_map.append(some_scores(3, 600))
    roll_map.close()
    group = zarr.open_group(tmp_path / "map.zarr", mode="r")
    own = {name: value for name, value in group.attrs.items() if name != "ome"}
    assert own == {
        "schema": "linescan.map/2",
        "roll": "roll7",
        "columns": 600,
        "stride": 8,
        "pixel_mm": 0.5,
        "line_mm": 0.25,
    }
    scores = group["0"]
    assert group.metadata.zarr_format == 3
    assert (scores.shards, scores.chunks) == ((1024, 1024), (256, 512))
    assert scores.dtype == np.float32
    assert np.isnan(scores.fill_value)
    assert group["labels/coverage/0"].dtype == np.uint8
    assert list(group["labels"].group_keys()) == ["coverage"]


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 2500), st.sampled_from([1, 5, 129, 300]), st.integers(0, 9))
def test_each_level_is_the_largest_of_what_it_covers(tmp_path_factory, rows, columns, seed):
    folder = tmp_path_factory.mktemp("roll")
    scores = some_scores(rows, columns, seed)
    scores[:: 3 + seed] = np.nan
    codes = np.random.default_rng(seed).integers(0, 13, scores.shape).astype(np.uint8)
    roll_map = RollMap(folder, form(columns))
    roll_map.append(scores[: rows // 2], codes[: rows // 2])
    roll_map.append(scores[rows // 2 :], codes[rows // 2 :])
    roll_map.close()
    for number, level in enumerate(map_levels(columns)[:5]):
        block = level.rows_per_cell, level.columns_per_cell
        expected = largest_of_blocks(scores, *block)
        np.testing.assert_array_equal(read_level(folder, number), expected)
        expected = largest_of_blocks(codes, *block)
        np.testing.assert_array_equal(read_level(folder, number, "labels/coverage/"), expected)
    assert len(read_level(folder, LEVELS - 1)) == -(-rows // 512)


def test_without_codes_only_what_was_inspected_is_known(tmp_path):
    roll_map = RollMap(tmp_path, form(2))
    roll_map.append(np.float32([[0.5, np.nan]]))
    roll_map.close()
    assert read_level(tmp_path, 0, "labels/coverage/").tolist() == [[2, 0]]


def test_codes_of_another_shape_are_refused(tmp_path):
    roll_map = RollMap(tmp_path, form())
    with pytest.raises(ValueError, match=r"coverage must be \(3, 5\), got \(2, 5\)"):
        roll_map.append(some_scores(3), np.zeros((2, 5), np.uint8))


def test_only_whole_shards_are_written_before_the_end(tmp_path):
    roll_map = RollMap(tmp_path, form())
    roll_map.append(some_scores(SHARD_ROWS - 1))
    assert read_all(tmp_path)[1].shape == (0, 5)
    roll_map.append(some_scores(SHARD_ROWS + 2))
    assert read_all(tmp_path)[1].shape == (2 * SHARD_ROWS, 5)
    roll_map.close()
    assert read_all(tmp_path)[1].shape == (2 * SHARD_ROWS + 1, 5)


def test_close_may_be_called_twice(tmp_path):
    roll_map = RollMap(tmp_path, form())
    roll_map.append(some_scores(3))
    roll_map.close()
    roll_map.close()
    assert read_all(tmp_path)[1].shape == (3, 5)


def test_what_was_appended_may_be_overwritten_by_the_caller(tmp_path):
    roll_map = RollMap(tmp_path, form())
    scores = some_scores(3)
    roll_map.append(scores)
    kept = scores.copy()
    scores[:] = 9
    roll_map.close()
    np.testing.assert_array_equal(read_all(tmp_path)[1], kept)


def killed_writer(folder, shards):
    """A process that appends 700 rows a time, killed when it has closed so many shards; rows."""
    writer = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from streamer.outputs.roll_map import MapFormat, RollMap\n"
        "m = RollMap(Path(sys.argv[1]), MapFormat('r', 200, 8, 0.5, 0.5))\n"
        "for i in range(10**6):\n"
        "    m.append(np.full((700, 200), i, np.float32), np.full((700, 200), 2, np.uint8))\n"
        "    print(m.rows // 1024, flush=True)\n"
    )
    closed = 0
    command = [sys.executable, "-c", writer, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while closed < shards:
            closed = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        closed = max([closed, *map(int, process.stdout.read().splitlines(keepends=False)[:-1])])
    return closed * SHARD_ROWS


@pytest.mark.parametrize("shards", [1, 5, 9])
def test_after_a_kill_every_closed_shard_of_every_level_reads(tmp_path, shards):
    rows = killed_writer(tmp_path, shards)
    written = np.repeat(np.arange(rows // 700 + 1), 700)[:rows].astype(np.float32)
    assert np.array_equal(read_all(tmp_path)[1][:rows, 0], written)
    for number, level in enumerate(map_levels(200)):
        closed = rows // level.rows_per_cell // SHARD_ROWS * SHARD_ROWS
        expected = written.reshape(-1, level.rows_per_cell).max(axis=1)[:closed]
        assert np.array_equal(read_level(tmp_path, number)[:closed, 0], expected)
        codes = read_level(tmp_path, number, "labels/coverage/")
        assert (codes[:closed] == 2).all()
        assert len(codes) >= closed


def test_after_a_kill_coarse_levels_go_as_far_as_the_finest(tmp_path):
    rows = killed_writer(tmp_path, 3)
    reader = MapReader(tmp_path)
    written = np.repeat(np.arange(rows // 700 + 1), 700)[:rows].astype(np.float32)
    for number, level in enumerate(reader.levels[:8]):
        expected = written.reshape(-1, level.rows_per_cell).max(axis=1)
        found = reader.scores(number, 0, len(expected))
        assert np.array_equal(found, np.repeat(expected[:, None], level.columns, axis=1))
        assert (reader.coverage(number, 0, len(expected)) == 2).all()


def test_a_strip_of_another_width_is_refused(tmp_path):
    roll_map = RollMap(tmp_path, form())
    with pytest.raises(ValueError, match=r"scores must be \(rows, 5\), got \(3, 4\)"):
        roll_map.append(some_scores(3, 4))


def test_an_existing_map_is_never_overwritten(tmp_path):
    RollMap(tmp_path, form()).close()
    with pytest.raises(FileExistsError, match="roll map must not exist yet, got .*map.zarr"):
        RollMap(tmp_path, form())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="roll map must be writable at .*file/map.zarr"):
        RollMap(tmp_path / "file", form())


def test_a_full_disk_has_a_clear_text(tmp_path):
    writer = (
        "import resource, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from streamer.outputs.roll_map import MapFormat, RollMap\n"
        "from streamer.outputs.storage import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "m = RollMap(Path(sys.argv[1]), MapFormat('r', 500, 8, 0.5, 0.5))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try:\n"
        "    m.append(np.random.default_rng(0).normal(size=(1024, 500)).astype('f4'))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", writer, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"roll map must be writable at {tmp_path}/map.zarr, got: File")
    assert read_all(tmp_path)[1].size == 0 or np.isnan(read_all(tmp_path)[1]).all()


def test_reading_where_there_is_no_map(tmp_path):
    with pytest.raises(FileNotFoundError, match="roll map must exist, got no"):
        read_map(tmp_path)


def test_a_map_of_another_version_is_refused(tmp_path):
    zarr.create_group(tmp_path / "map.zarr", attributes={"schema": "linescan.map/1"})
    with pytest.raises(
        ValueError, match="schema must be linescan.map/2, got 'linescan.map/1'; inspect"
    ):
        read_map(tmp_path)


@pytest.mark.parametrize("damaged", ["zarr.json", "0/zarr.json", "0/c/0/0"])
def test_a_damaged_map_is_named(tmp_path, damaged):
    roll_map = RollMap(tmp_path, form())
    roll_map.append(some_scores(40))
    roll_map.close()
    (tmp_path / "map.zarr" / damaged).write_bytes(b"scrap" * 40)
    with pytest.raises(ValueError, match=r"map\.zarr must be a whole roll map, got: "):
        read_all(tmp_path)


def test_a_format_without_columns_is_refused():
    with pytest.raises(ValueError, match="MapFormat must be positive"):
        form(0)
