"""Planted textures: what is changed is labelled, the rest is the texture, and the seed repeats."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_textures import KINDS, main, plant


def texture(lines=200, columns=240) -> np.ndarray:
    return np.random.default_rng(1).integers(90, 170, (lines, columns), np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_what_is_labelled_is_changed_and_stays_inside(kind, seed) -> None:
    before = texture()
    pixels, mask = plant(before, kind, np.random.default_rng(seed))
    labelled = mask > 0
    assert labelled.any()
    assert set(np.unique(mask)) == {0, 255}
    lines, columns = np.nonzero(labelled)
    assert lines.min() >= 0.1 * 200
    assert lines.max() < 0.9 * 200
    assert columns.min() >= 0.1 * 240
    assert columns.max() < 0.9 * 240
    difference = np.abs(pixels.astype(int) - before)
    assert difference[labelled].mean() > 3
    assert difference[labelled].mean() > 5 * difference[~labelled].mean()


@pytest.fixture
def data(tmp_path):
    for name, count in (("brodatz", 2), ("skimage", 1)):
        folder = tmp_path / "data" / name / "clean" / "images"
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"D{number}.png"), texture())
    return tmp_path / "data"


def test_sets_are_written_and_repeat(data, tmp_path, capsys) -> None:
    for out in ("one", "again"):
        arguments = [str(tmp_path / out), "--data", str(data), "--copies", "3"]
        assert main(arguments) == 0
    assert "9 images in" in capsys.readouterr().out
    first, again = (sorted((tmp_path / out).rglob("*.png")) for out in ("one", "again"))
    assert len(first) == len(again) == 18
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in again]
    folder = tmp_path / "one" / "planted_brodatz" / "clean"
    names = sorted(path.name for path in (folder / "images").iterdir())
    assert names == sorted(path.name for path in (folder / "masks").iterdir())
    assert len({name.rpartition("-")[2] for name in names}) > 2  # kinds take turns


def test_missing_textures_are_2(tmp_path, capsys) -> None:
    assert main([str(tmp_path / "out"), "--data", str(tmp_path)]) == 2
    assert "data must hold brodatz or skimage, got neither" in capsys.readouterr().err
