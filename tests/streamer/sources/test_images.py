"""Folders and files of images become pieces, checked before anything is decoded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from streamer.config import ReplaySource
from streamer.sources.images import open_images, select_images

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.sources.pieces import PieceFeed


def write(path: Path, shape: tuple[int, ...] = (10, 40), bits: int = 8) -> np.ndarray:
    pixels = np.random.default_rng(5).integers(0, 1 << bits, shape, dtype=f"u{bits // 8}")
    assert cv2.imwrite(str(path), pixels)
    return pixels


def opened(path: Path, **options: Any) -> PieceFeed:
    return open_images(ReplaySource(path=path, **options))


def test_pieces_are_sorted_by_name_and_described(tmp_path):
    for name in ("c.png", "a.tif", "B.PNG", "b.bmp"):
        write(tmp_path / name)
    feed = opened(tmp_path)
    assert feed.format.description == f"4 images of {tmp_path}"
    assert (feed.format.columns, feed.format.channels, feed.format.bits) == (40, 1, 8)
    names = [piece.name.rsplit("/", 1)[-1] for piece in feed.pieces]
    assert names == ["B.PNG", "a.tif", "b.bmp", "c.png"]
    feed.close()
    feed.close()


def test_glob_selects_and_other_files_are_passed_over(tmp_path):
    kept = write(tmp_path / "web_1.PNG")
    write(tmp_path / "mask_1.png", (10, 30))
    (tmp_path / "web_notes.txt").write_text("not an image")
    (tmp_path / "web_folder.png").mkdir()
    pieces = list(opened(tmp_path, glob="web_*").pieces)
    assert len(pieces) == 1
    np.testing.assert_array_equal(pieces[0].load(), kept)


def test_glob_may_reach_into_folders(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "1.png")
    found = select_images(tmp_path, "*/*.png")
    assert [path.parent.name for path in found] == ["a", "b"]


def test_opening_decodes_nothing(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        write(tmp_path / name)
    monkeypatch.setattr("streamer.sources.decode._decode_bytes", None)
    feed = opened(tmp_path)
    assert [piece.lines for piece in feed.pieces] == [10, 10]


def test_unequal_widths_name_the_file(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", (10, 39))
    text = r"b\.png: columns must be 40 as in .*a\.png, got 39; source\.width=pad masks"
    with pytest.raises(ValueError, match=text):
        opened(tmp_path)
    assert opened(tmp_path, width="pad").format.columns == 40


def test_width_is_counted_across_the_web_when_transposed(tmp_path):
    write(tmp_path / "a.png", (30, 70))
    write(tmp_path / "b.png", (30, 55))
    feed = opened(tmp_path, transpose=True)
    assert feed.format.columns == 30
    assert [piece.lines for piece in feed.pieces] == [70, 55]


@pytest.mark.parametrize(
    ("shape", "bits", "quantity"), [((10, 40, 3), 8, "channels"), ((10, 40), 16, "bits")]
)
def test_mixed_channels_and_bits_name_the_file(tmp_path, shape, bits, quantity):
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", shape, bits)
    with pytest.raises(ValueError, match=rf"b\.png: {quantity} must be \d+ as in .*a\.png"):
        opened(tmp_path, width="pad")


@pytest.mark.parametrize(("stored", "configured"), [(8, 16), (16, 8)])
def test_configured_bits_must_be_those_of_the_file(tmp_path, stored, configured):
    write(tmp_path / "a.png", bits=stored)
    text = rf"a\.png: bits must be {configured} as source\.bits says, got {stored}"
    with pytest.raises(ValueError, match=text):
        opened(tmp_path, bits=configured)
    assert opened(tmp_path, bits=stored).format.bits == stored


@pytest.mark.parametrize("present", [[], ["notes.txt", "truth.json"]])
def test_a_folder_without_images_says_what_was_looked_for(tmp_path, present):
    for name in present:
        (tmp_path / name).write_text("{}")
    text = rf"folder must hold images \(\.png .*\) that match '\*', got {len(present)} other files"
    with pytest.raises(ValueError, match=text):
        opened(tmp_path)


@pytest.mark.parametrize("glob", ["", "/etc/*"])
def test_a_pattern_that_cannot_be_followed_is_named(tmp_path, glob):
    write(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"source\.glob must be a pattern relative to"):
        opened(tmp_path, glob=glob)


def test_a_damaged_header_in_the_folder_is_refused_before_the_start(tmp_path):
    write(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"b\.png: file must be .* got an empty file"):
        opened(tmp_path)


def test_jpeg_is_accepted_with_one_warning(tmp_path, caplog):
    for name in ("a.jpg", "b.JPEG", "c.png"):
        write(tmp_path / name)
    opened(tmp_path)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "2 of 3 images are JPEG" in warnings[0]
    caplog.clear()
    opened(tmp_path, glob="*.png")
    assert not caplog.records
