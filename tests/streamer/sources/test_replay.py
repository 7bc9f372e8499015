"""Replay of pieces: joining, seams, padding, damage, resume."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import config
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from pathlib import Path

WEB = config.Web()


def texture(lines: int, columns: int, seed: int = 0, top: int = 256) -> np.ndarray:
    dtype = np.uint8 if top == 256 else np.uint16
    return np.random.default_rng(seed).integers(0, top, (lines, columns), dtype=dtype)


def write(path: Path, pixels: np.ndarray) -> np.ndarray:
    assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return pixels


def replay(path: Path, first_line: int = 0, **options: Any):
    return open_source(config.ReplaySource(path=path, **options), WEB, first_line)


def read_all(source, lines: int = 16) -> list[LineBlock | LineLoss]:
    """Every item, with its own copy of the pixels."""
    items = []
    while True:
        buffer = new_buffer(source.format, lines)
        item = source.read_into(buffer)
        if item is None:
            return items
        items.append(item)


def pixels_of(items: list[LineBlock | LineLoss]) -> np.ndarray:
    return np.concatenate(
        [item.pixels[: item.valid_lines] for item in items if isinstance(item, LineBlock)]
    )


def seams_of(items: list[LineBlock | LineLoss]) -> list[int]:
    return [
        item.first_line
        for item in items
        if isinstance(item, LineBlock) and LineFlag.SEAM in item.flags
    ]


def covers_once(items: list[LineBlock | LineLoss], end: int, first: int = 0) -> bool:
    """Whether the items follow each other from `first` to `end` without hole or overlap."""
    line = first
    for item in items:
        if item.first_line != line:
            return False
        line += item.valid_lines if isinstance(item, LineBlock) else item.line_count
    return line == end


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_a_folder_is_its_images_in_the_order_of_their_names(tmp_path):
    parts = [
        write(tmp_path / name, texture(30, 40, seed))
        for seed, name in enumerate(("a.png", "b.tif", "c.bmp"))
    ]
    items = read_all(replay(tmp_path))
    np.testing.assert_array_equal(pixels_of(items), np.concatenate(parts))
    assert covers_once(items, 90)
    assert not seams_of(items)
    assert all(item.valid_lines == 16 for item in items[:-1])  # blocks run across pieces


def test_blocks_are_views_of_the_hosts_buffer_and_carry_camera_and_encoder(tmp_path):
    write(tmp_path / "a.png", texture(10, 40))
    source = replay(tmp_path / "a.png", camera="left")
    buffer = new_buffer(source.format, 8)
    block = source.read_into(buffer)
    assert block.pixels.base is buffer
    assert block.camera == "left"
    assert (block.encoder_first, block.encoder_last) == (0, 7)
    block = source.read_into(buffer)
    assert (block.first_line, block.valid_lines, block.encoder_last) == (8, 2, 9)
    assert source.read_into(buffer) is None
    source.close()
    source.close()


def test_seams_start_a_block_at_every_piece(tmp_path):
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        write(tmp_path / name, texture(20, 40, seed))
    items = read_all(replay(tmp_path, seams=True))
    assert seams_of(items) == [0, 20, 40]
    assert [item.valid_lines for item in items] == [16, 4] * 3


def test_a_one_line_image_is_a_block(tmp_path):
    only = write(tmp_path / "a.png", texture(1, 40))
    items = read_all(replay(tmp_path))
    assert len(items) == 1
    np.testing.assert_array_equal(items[0].pixels, only)


def test_transpose_runs_down_the_stored_columns(tmp_path):
    stored = write(tmp_path / "a.png", texture(24, 100))
    source = replay(tmp_path, transpose=True)
    assert source.format.columns == 24
    np.testing.assert_array_equal(pixels_of(read_all(source)), stored.T)


def test_padding_is_masked_and_no_block_mixes_masks(tmp_path):
    parts = [
        write(tmp_path / f"{n}.png", texture(10, columns, n))
        for n, columns in enumerate((30, 40, 40, 25))
    ]
    source = replay(tmp_path, width="pad")
    assert source.format.columns == 40
    items = read_all(source)
    assert covers_once(items, 40)
    assert [item.masked for item in items] == [(Interval(30, 40),), (), (), (Interval(25, 40),)]
    assert not seams_of(items)
    np.testing.assert_array_equal(items[0].pixels[:, :30], parts[0])
    np.testing.assert_array_equal(items[0].pixels[:, 30:], np.repeat(parts[0][:, -1:], 10, axis=1))


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp", ".jpg"])
@pytest.mark.parametrize("share", [0.6, 0.97])
def test_a_truncated_image_is_a_loss_and_the_next_piece_a_seam(tmp_path, extension, share, caplog):
    before = write(tmp_path / "a.png", texture(20, 64, 1))
    damaged = tmp_path / f"b{extension}"
    write(damaged, texture(30, 64, 2))
    if extension == ".tif":  # OpenCV writes the directory last: then not even the header is left
        _directory_first(damaged, texture(30, 64, 2))
    truncate(damaged, share)
    after = write(tmp_path / "c.png", texture(20, 64, 3))
    items = read_all(replay(tmp_path))
    assert covers_once(items, 70)
    losses = [item for item in items if isinstance(item, LineLoss)]
    assert [(loss.first_line, loss.line_count) for loss in losses] == [(20, 30)]
    assert losses[0].reason is GapReason.CORRUPT_INPUT
    assert damaged.name in losses[0].detail
    assert seams_of(items) == [50]
    np.testing.assert_array_equal(pixels_of(items), np.concatenate([before, after]))
    assert any("30 lines are lost" in record.message for record in caplog.records)


def _directory_first(path: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)


def test_a_file_that_vanishes_is_a_loss(tmp_path):
    write(tmp_path / "a.png", texture(20, 40))
    source = replay(tmp_path)
    (tmp_path / "a.png").unlink()
    assert [type(item) for item in read_all(source)] == [LineLoss]


def test_a_file_that_changed_its_size_is_a_loss_of_the_announced_lines(tmp_path):
    write(tmp_path / "a.png", texture(20, 40))
    source = replay(tmp_path)
    write(tmp_path / "a.png", texture(21, 40))
    assert [item.line_count for item in read_all(source)] == [20]


def test_what_is_not_there_or_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source\.path must exist, got .*nowhere"):
        replay(tmp_path / "nowhere")
    (tmp_path / "a.xyz").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"source\.path must be a folder or a file of \.png"):
        replay(tmp_path / "a.xyz")


def test_the_buffer_must_be_of_the_web(tmp_path):
    write(tmp_path / "a.png", texture(20, 40))
    source = replay(tmp_path)
    for wrong in (
        np.empty((4, 39), np.uint8),
        np.empty((4, 40), np.uint16),
        np.empty((0, 40), "u1"),
    ):
        with pytest.raises(ValueError, match=r"buffer must be \(lines >= 1, 40\) of 8 bits"):
            source.read_into(wrong)


def test_resume_in_a_damaged_piece_loses_only_its_rest(tmp_path):
    write(tmp_path / "a.png", texture(20, 40))
    truncate(tmp_path / "a.png", 0.7)
    write(tmp_path / "b.png", texture(20, 40))
    items = read_all(replay(tmp_path, first_line=15))
    assert (items[0].first_line, items[0].line_count) == (15, 5)
    assert covers_once(items, 40, first=15)


def test_resume_beyond_the_end_ends_at_once(tmp_path):
    write(tmp_path / "a.png", texture(20, 40))
    assert read_all(replay(tmp_path, first_line=20)) == []
    assert read_all(replay(tmp_path, first_line=21)) == []


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    heights=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    block=st.integers(1, 12),
    first=st.integers(0, 50),
    seams=st.booleans(),
)
def test_any_cut_and_any_resume_gives_the_same_web(tmp_path_factory, heights, block, first, seams):
    folder = tmp_path_factory.mktemp("web")
    whole = np.concatenate(
        [write(folder / f"{n}.png", texture(h, 8, n)) for n, h in enumerate(heights)]
    )
    items = read_all(replay(folder, first_line=first, seams=seams), block)
    if first >= len(whole):
        assert items == []
        return
    np.testing.assert_array_equal(pixels_of(items), whole[first:])
    assert covers_once(items, len(whole), first)
    starts = [sum(heights[:n]) for n in range(len(heights))]
    assert seams_of(items) == ([line for line in starts if line >= first] if seams else [])


def test_names_that_are_not_utf_8_are_shown_as_far_as_they_can_be(tmp_path):
    folder = tmp_path / os.fsdecode(b"web\xff")
    folder.mkdir()
    write(tmp_path / "a.png", texture(30, 20))  # OpenCV cannot write to such a name
    (tmp_path / "a.png").rename(folder / "a.png")
    broken = folder / os.fsdecode(b"b\xfe.png")
    broken.write_bytes((folder / "a.png").read_bytes())
    truncate(broken, 0.7)
    source = replay(folder)
    assert source.format.description.endswith("/web\N{REPLACEMENT CHARACTER}")
    _, lost = read_all(source, 30)
    assert isinstance(lost, LineLoss)
    assert lost.detail.startswith("b\N{REPLACEMENT CHARACTER}.png: ")
