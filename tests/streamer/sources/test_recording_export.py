"""Exported files hold the recorded pixels, each once, and never reach over what is missing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.config import ReplaySource, Web
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.ports import WebFormat
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.sources.recording_export import ExportPlan, export_lines

RNG = np.random.default_rng(0)
ALL = Interval(0, 1 << 40)


def web(lines=300, channels=1, bits=8):
    shape = (lines, 48) if channels == 1 else (lines, 48, 3)
    return RNG.integers(0, 1 << bits, shape, dtype=np.dtype(f"u{bits // 8}"))


class Source:
    """Delivers the pieces that it is given; see ports.LineSource."""

    def __init__(self, pixels, *pieces):
        channels = 1 if pixels.ndim == 2 else 3
        self.format = WebFormat(48, channels, pixels.dtype.itemsize * 8, "web")
        self.pieces = list(pieces)

    def read_into(self, _buffer):
        return self.pieces.pop(0) if self.pieces else None


def block(pixels, first, end, flags=LineFlag.NONE):
    return LineBlock("c", first, pixels[first:end], end - first, 1, flags)


def loss(first, count):
    return LineLoss("c", first, count, GapReason.CAMERA_LOSS, 1)


def whole(pixels, step=70):
    ends = range(0, len(pixels), step)
    return Source(pixels, *(block(pixels, n, min(n + step, len(pixels))) for n in ends))


def replayed(folder, pixels):
    source = open_source(ReplaySource(path=folder, seams=True), Web())
    lines = []
    while (piece := source.read_into(new_buffer(source.format, 64))) is not None:
        lines.append(piece.pixels[: piece.valid_lines].copy())
    source.close()
    found = np.concatenate(lines)
    assert found.dtype == pixels.dtype
    return found


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (1, 16), (3, 8), (3, 16)])
def test_pictures_replay_to_the_recorded_pixels(tmp_path, form, channels, bits):
    pixels = web(300, channels, bits)
    done = export_lines(whole(pixels), ExportPlan(tmp_path, form, ALL, 128))
    assert [path.stem for path in done.files] == [f"line-{n:012d}" for n in (0, 128, 256)]
    assert (done.lines, done.lost_lines) == (300, 0)
    assert np.array_equal(replayed(tmp_path, pixels), pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_video_holds_the_recorded_pixels(tmp_path, bits):
    pixels = web(256, 1, bits)
    done = export_lines(whole(pixels), ExportPlan(tmp_path, "ffv1", ALL, 128))
    assert [path.suffix for path in done.files] == [".mkv", ".mkv"]
    found = [replayed(path, pixels) for path in done.files]
    assert np.array_equal(np.concatenate(found), pixels)


def test_colour_video_is_refused_for_it_is_not_exact(tmp_path):
    pixels = web(64, 3)
    with pytest.raises(ValueError, match="must be png or tiff for 3 channels, got ffv1"):
        export_lines(whole(pixels), ExportPlan(tmp_path, "ffv1", ALL))


def test_no_file_reaches_over_what_is_missing_or_a_seam(tmp_path):
    pixels = web(300)
    pieces = [
        block(pixels, 0, 50), loss(50, 20), block(pixels, 70, 150),
        block(pixels, 150, 200, LineFlag.SEAM), block(pixels, 230, 300),
    ]  # fmt: skip
    done = export_lines(Source(pixels, *pieces), ExportPlan(tmp_path, "png", ALL, 100))
    assert [int(path.stem[5:]) for path in done.files] == [0, 70, 150, 230]
    assert (done.lines, done.lost_lines) == (250, 50)
    for path in done.files:
        shown = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        first = int(path.stem[5:])
        assert np.array_equal(shown, pixels[first : first + len(shown)])


@pytest.mark.parametrize(("first", "end"), [(0, 300), (33, 133), (100, 101), (250, 900)])
def test_a_part_is_that_part(tmp_path, first, end):
    pixels = web(300)
    plan = ExportPlan(tmp_path, "png", Interval(first, end), 64)
    done = export_lines(whole(pixels), plan)
    assert done.lines == min(end, 300) - first
    assert np.array_equal(replayed(tmp_path, pixels), pixels[first:end])


def test_filler_is_not_exported(tmp_path):
    pixels = web(100)
    partial = replace(block(pixels, 0, 100), valid_lines=60)
    done = export_lines(Source(pixels, partial), ExportPlan(tmp_path, "png", ALL))
    assert done.lines == 60


def test_a_folder_that_is_gone_is_told(tmp_path):
    pixels = web(64)
    with pytest.raises(OSError, match="must be writable"):
        export_lines(whole(pixels), ExportPlan(Path(tmp_path / "gone"), "png", ALL))
