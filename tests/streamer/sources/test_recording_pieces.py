"""Joining recordings: the same rows and pixels, no room taken, whole after a crash."""

from __future__ import annotations

import os

import numpy as np
import pytest

from streamer.config import Web
from streamer.message import GapReason, Interval, LineBlock, LineLoss
from streamer.ports import WebFormat
from streamer.sources.recording import BlockRow
from streamer.sources.recording_pieces import append_recording, recorded_lines
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_writer import RecordingWriter

FORM, WEB = WebFormat(30, 1, 8, "web"), Web()


def block(first: int, lines: int = 4) -> LineBlock:
    pixels = np.random.default_rng(first).integers(0, 256, (lines, 30), dtype=np.uint8)
    return LineBlock("cam0", first, pixels, lines, 77)


def write(folder, *items, segment_bytes=1 << 20):
    writer = RecordingWriter(folder, FORM, WEB, segment_bytes, items[0].first_line)
    with writer:
        for item in items:
            writer.append(item)
    return folder


def content(folder):
    opened = Recording(folder)
    return [
        (row.first_line, opened.pixels(row).tobytes() if isinstance(row, BlockRow) else row.detail)
        for row in opened.rows()
    ]


def expected(*items):
    return [
        (i.first_line, i.pixels.tobytes() if isinstance(i, LineBlock) else i.detail) for i in items
    ]


def test_chunks_become_one_recording_that_outlives_them(tmp_path):
    lost = LineLoss("cam0", 108, 5, GapReason.CAMERA_LOSS, 8, "cable")
    one = write(tmp_path / "one", block(100), block(104), lost, segment_bytes=100)
    two = write(tmp_path / "two", block(113), block(117), segment_bytes=100)
    for chunk in (one, two):
        append_recording(tmp_path / "piece", chunk)
    inodes = {path.stat().st_ino for path in tmp_path.glob("*/lines-*.raw")}
    assert len(inodes) == 2 + 2  # no pixel is stored twice
    for chunk in (one, two):
        for path in sorted(chunk.iterdir()):
            path.unlink()
    items = (block(100), block(104), lost, block(113), block(117))
    assert content(tmp_path / "piece") == expected(*items)
    assert recorded_lines(tmp_path / "piece") == Interval(100, 121)
    assert Recording(tmp_path / "piece").tail().closed


def test_what_is_there_already_is_not_added_again(tmp_path):
    one = write(tmp_path / "one", block(0), block(4))
    for _ in range(3):
        append_recording(tmp_path / "piece", one)
    assert content(tmp_path / "piece") == expected(block(0), block(4))
    assert len(list((tmp_path / "piece").glob("lines-*"))) == 1


def test_a_ledger_that_was_cut_off_is_continued_after_its_last_whole_row(tmp_path):
    one, two = write(tmp_path / "one", block(0)), write(tmp_path / "two", block(4))
    append_recording(tmp_path / "piece", one)
    ledger = tmp_path / "piece" / "ledger.rows"
    ledger.write_bytes(ledger.read_bytes() + b'0badc0de {"row":')
    append_recording(tmp_path / "piece", two)
    assert content(tmp_path / "piece") == expected(block(0), block(4))


def test_without_hard_links_pixels_are_copied(tmp_path, monkeypatch):
    def no_links(*_args, **_more):
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", no_links)
    append_recording(tmp_path / "piece", write(tmp_path / "one", block(0)))
    assert content(tmp_path / "piece") == expected(block(0))


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(FileNotFoundError):
        append_recording(tmp_path / "piece", tmp_path / "one")
