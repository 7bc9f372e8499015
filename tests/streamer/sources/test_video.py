"""Video files as a web: exact when lossless, refused when not, honest when cut."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from streamer.config import ReplaySource, Web
from streamer.message import GapReason, LineBlock, LineFlag, LineLoss
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.sources.pieces import CorruptPieceError
from streamer.sources.video import VideoHeader, open_video

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.sources.pieces import PieceFeed

FRAMES, LINES, COLUMNS = 12, 64, 96


def write(
    path: Path, codec: str = "FFV1", bits: int = 8, colour: bool = False, count: int = FRAMES
) -> np.ndarray:
    shape = (count, LINES, COLUMNS, 3) if colour else (count, LINES, COLUMNS)
    frames = np.random.default_rng(4).integers(0, 1 << bits, shape, dtype=f"u{bits // 8}")
    options = [cv2.VIDEOWRITER_PROP_IS_COLOR, int(colour)]
    options += [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U] if bits == 16 else []
    four = cv2.VideoWriter.fourcc(*codec) if codec else 0
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, four, 25, (COLUMNS, LINES), options)
    assert writer.isOpened(), f"this OpenCV does not write {codec}"
    for frame in frames:
        writer.write(frame[..., ::-1].copy() if colour else frame)
    writer.release()
    return frames


def opened(path: Path, **options: Any) -> PieceFeed:
    return open_video(ReplaySource(path=path, **options))


def replayed(path: Path, first_line: int = 0, **options: Any) -> list[LineBlock | LineLoss]:
    source = open_source(ReplaySource(path=path, **options), Web(), first_line)
    items = []
    while (item := source.read_into(new_buffer(source.format, 50))) is not None:
        items.append(item)
    source.close()
    source.close()
    return items


def pixels_of(items: list[LineBlock | LineLoss]) -> np.ndarray:
    return np.concatenate([item.pixels for item in items if isinstance(item, LineBlock)])


@pytest.mark.parametrize(
    ("codec", "container", "bits"),
    [
        ("FFV1", "avi", 8),
        ("FFV1", "mkv", 8),
        ("FFV1", "mkv", 16),
        ("MPNG", "avi", 8),
        ("", "avi", 8),
    ],
)
def test_grey_video_is_exact(tmp_path, codec, container, bits):
    path = tmp_path / f"a.{container}"
    frames = write(path, codec, bits)
    feed = opened(path)
    assert (feed.format.columns, feed.format.channels, feed.format.bits) == (COLUMNS, 1, bits)
    feed.close()
    items = replayed(path)
    np.testing.assert_array_equal(pixels_of(items), frames.reshape(-1, COLUMNS))
    assert items[-1].first_line + items[-1].valid_lines == FRAMES * LINES


@pytest.mark.parametrize("codec", ["FFV1", "HFYU", "MPNG"])
def test_colour_video_is_exact_rgb(tmp_path, codec):
    frames = write(tmp_path / "a.avi", codec, colour=True)
    np.testing.assert_array_equal(
        pixels_of(replayed(tmp_path / "a.avi")), frames.reshape(-1, COLUMNS, 3)
    )


@pytest.mark.parametrize("codec", ["ULRG", "FFVH"])
def test_other_lossless_codecs_open_without_question(tmp_path, codec):
    write(tmp_path / "a.avi", codec, colour=True)
    feed = opened(tmp_path / "a.avi")
    assert feed.format.channels == 3
    feed.close()


@pytest.mark.parametrize(
    ("codec", "container"), [("MJPG", "avi"), ("mp4v", "mp4"), ("VP90", "webm")]
)
def test_lossy_codecs_need_permission(tmp_path, codec, container, caplog):
    path = tmp_path / f"a.{container}"
    write(path, codec)
    text = r"codec must be lossless \(FFV1, .*\), got \w+; source\.allow_lossy=true accepts it"
    with pytest.raises(ValueError, match=text):
        opened(path)
    items = replayed(path, allow_lossy=True)
    assert len(pixels_of(items)) == FRAMES * LINES
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("is lossy" in warning for warning in warnings)


@pytest.mark.parametrize("bytes_per_pixel", [0.5, 1.0])
def test_an_unnamed_codec_is_lossless_only_if_the_file_can_hold_every_pixel(
    tmp_path, bytes_per_pixel
):
    path = tmp_path / "a.avi"
    path.write_bytes(bytes(int(FRAMES * LINES * COLUMNS * bytes_per_pixel)))
    header = VideoHeader(path, "\0\0\0\0", "Y800", LINES, COLUMNS, FRAMES, 25.0)
    assert header.is_lossless is (bytes_per_pixel >= 1)


def test_16_bit_in_the_order_that_opencv_garbles_is_refused(tmp_path):
    write(tmp_path / "a.avi", "MPNG", bits=16)
    with pytest.raises(ValueError, match="got 16-bit big-endian; use FFV1 for 16-bit video"):
        opened(tmp_path / "a.avi")


def test_configured_bits_must_be_those_of_the_file(tmp_path):
    write(tmp_path / "a.avi")
    with pytest.raises(ValueError, match=r"a\.avi: bits must be 16 as source\.bits says, got 8"):
        opened(tmp_path / "a.avi", bits=16)


def test_transpose_turns_every_frame(tmp_path):
    frames = write(tmp_path / "a.avi")
    items = replayed(tmp_path / "a.avi", transpose=True)
    np.testing.assert_array_equal(pixels_of(items), frames.swapaxes(1, 2).reshape(-1, LINES))


def test_seams_make_every_frame_a_piece(tmp_path):
    write(tmp_path / "a.avi")
    items = replayed(tmp_path / "a.avi", seams=True)
    seams = [item.first_line for item in items if LineFlag.SEAM in item.flags]
    assert seams == [LINES * n for n in range(FRAMES)]


@pytest.mark.parametrize("first_line", [1, LINES, 5 * LINES + 7])
def test_resume(tmp_path, first_line):
    frames = write(tmp_path / "a.avi")
    items = replayed(tmp_path / "a.avi", first_line)
    assert items[0].first_line == first_line
    np.testing.assert_array_equal(pixels_of(items), frames.reshape(-1, COLUMNS)[first_line:])


@pytest.mark.parametrize("share", [0.3, 0.55, 0.9])
@pytest.mark.parametrize(
    ("codec", "container"), [("FFV1", "avi"), ("FFV1", "mkv"), ("MPNG", "avi"), ("", "avi")]
)
def test_a_cut_video_delivers_whole_frames_and_names_the_rest(tmp_path, codec, container, share):
    path = tmp_path / f"a.{container}"
    frames = write(path, codec)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    items = replayed(path, allow_lossy=True)  # raw video that is cut looks like a lossy one
    loss = items[-1]
    assert isinstance(loss, LineLoss)
    assert loss.reason is GapReason.CORRUPT_INPUT
    assert "frames that the container counts are missing" in loss.detail
    delivered = pixels_of(items)
    assert len(delivered) % LINES == 0
    assert 0 < len(delivered) < FRAMES * LINES
    assert loss.first_line == len(delivered)
    assert loss.first_line + loss.line_count == FRAMES * LINES
    np.testing.assert_array_equal(delivered, frames.reshape(-1, COLUMNS)[: len(delivered)])


def test_frames_that_the_decoder_leaves_out_are_lost_where_they_were(tmp_path):
    path = tmp_path / "a.mkv"
    frames = write(path, "HFYU", colour=True)
    content = bytearray(path.read_bytes())
    size = len(content) // FRAMES
    content[5 * size : 7 * size] = bytes(2 * size)
    path.write_bytes(content)
    items = replayed(path)
    (loss,) = [item for item in items if isinstance(item, LineLoss)]
    assert (loss.first_line, loss.line_count) == (5 * LINES, 2 * LINES)
    assert len(pixels_of(items)) + loss.line_count == FRAMES * LINES
    last = items[-1]
    assert isinstance(last, LineBlock)
    web = frames.reshape(-1, COLUMNS, 3)
    np.testing.assert_array_equal(last.pixels, web[last.first_line :][: last.valid_lines])


@pytest.mark.parametrize(("container", "bits"), [("avi", 8), ("mkv", 8), ("mkv", 16)])
def test_ffv1_frames_that_fail_their_checksum_are_lost_up_to_the_next_key_frame(
    tmp_path, container, bits
):
    path = tmp_path / f"a.{container}"
    frames = write(path, bits=bits, count=30)  # a key frame every 12
    content = bytearray(path.read_bytes())
    middle = int(len(content) * 0.3)
    content[middle : middle + 4] = b"\xff" * 4
    path.write_bytes(content)
    items = replayed(path)
    losses = [item for item in items if isinstance(item, LineLoss)]
    first, end = losses[0].first_line // LINES, 12
    assert 6 < first < 10
    assert [loss.first_line for loss in losses] == [n * LINES for n in range(first, end)]
    assert "fails its checksum" in losses[0].detail
    whole = np.delete(frames, np.s_[first:end], axis=0)
    np.testing.assert_array_equal(pixels_of(items), whole.reshape(-1, COLUMNS))


@pytest.mark.parametrize(("codec", "warned"), [("FFV1", False), ("HFYU", True)])
def test_codecs_without_checksums_are_warned_of(tmp_path, codec, warned, caplog):
    write(tmp_path / "a.avi", codec, colour=True)
    opened(tmp_path / "a.avi").close()
    assert any("has no checksums" in r.getMessage() for r in caplog.records) is warned


def test_a_frame_that_does_not_decode_is_a_corrupt_piece(tmp_path):
    write(tmp_path / "a.avi")
    feed = opened(tmp_path / "a.avi")
    piece = next(feed.pieces)
    feed.close()
    with pytest.raises(CorruptPieceError, match=r"a\.avi: a frame does not decode"):
        piece.load()


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mkv").write_bytes(content)
    text = rf"a\.mkv: file must be a video that OpenCV can open, got {len(content)} bytes"
    with pytest.raises(ValueError, match=text):
        opened(tmp_path / "a.mkv")


def test_a_name_that_would_crash_the_decoder_is_refused(tmp_path):
    path = tmp_path / os.fsdecode(b"web\xff.mkv")
    path.write_bytes(b"not reached")
    with pytest.raises(
        ValueError, match="web\N{REPLACEMENT CHARACTER}.mkv: file name must be UTF-8"
    ):
        open_video(ReplaySource(path=path))
