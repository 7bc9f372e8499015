"""Kept maps: what goes in comes out, keys follow what maps depend on, damage counts as nothing."""

import numpy as np
import pytest

from streamer.cli.evaluate_maps import ImageMap, Maps
from streamer.cli.evaluate_store import MapStore
from streamer.outputs.storage import StorageError


def a_map(name="a.png", seed=0):
    scores = np.random.default_rng(seed).random((5, 7), np.float32)
    scores[0, 0] = np.nan
    return ImageMap(name, (40, 56), scores, 8, 9, 0.25, 0.125)


@pytest.fixture
def store(tmp_path):
    return MapStore(tmp_path)


def test_what_is_kept_comes_back(store, tmp_path):
    found = Maps((a_map(), a_map("b.png", 1)), ("c.png: it is cut",))
    store.save(tmp_path / "x.npz", found)
    back = store.load(tmp_path / "x.npz")
    assert back.faults == found.faults
    for one, other in zip(back.maps, found.maps, strict=True):
        assert np.array_equal(one.scores, other.scores, equal_nan=True)
        assert (
            one.image,
            one.shape,
            one.stride,
            one.patch_size,
            one.backbone_s,
            one.scoring_s,
        ) == (
            other.image,
            other.shape,
            other.stride,
            other.patch_size,
            other.backbone_s,
            other.scoring_s,
        )


def test_no_map_at_all_is_kept_too(store, tmp_path):
    store.save(tmp_path / "x.npz", Maps((), ("a.png: no image",)))
    assert store.load(tmp_path / "x.npz") == Maps((), ("a.png: no image",))


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_half_a_file_is_none(store, tmp_path, keep):
    file = tmp_path / "x.npz"
    store.save(file, Maps((a_map(),)))
    file.write_bytes(file.read_bytes()[:keep])
    assert store.load(file) is None


def test_a_file_that_is_not_there_is_none(store, tmp_path):
    assert store.load(tmp_path / "none.npz") is None


def test_a_foreign_file_is_none(store, tmp_path):
    np.savez(tmp_path / "x.npz", other=np.zeros(3))
    assert store.load(tmp_path / "x.npz") is None


def test_keys_follow_run_names_order_and_bytes(store, tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    before = store.file("run", [first, second])
    assert before == store.file("run", [first, second])
    others = {store.file("other", [first, second]), store.file("run", [second, first])}
    second.write_bytes(b"3")
    others |= {store.file("run", [first, second]), store.file("run", [first, tmp_path / "gone"])}
    assert len(others | {before}) == 5


def test_a_folder_that_cannot_be_written(store, tmp_path):
    with pytest.raises(StorageError, match="maps must be writable"):
        store.save(tmp_path / "no" / "x.npz", Maps())
