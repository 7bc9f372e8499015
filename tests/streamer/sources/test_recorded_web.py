"""Replay of recordings: same pixels, seams, masks and losses."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import config
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.ports import WebFormat
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.sources.recorded_web import RecordedWeb, truth_between
from streamer.sources.recording_writer import RecordingWriter

WEB = config.Web()
COLUMNS = 12
TRUTH = {
    "version": 1,
    "first_line": 0,
    "end_line": 30,
    "defects": [
        {
            "id": 1,
            "kind": "hole",
            "first_line": 2,
            "end_line": 5,
            "first_column": 0,
            "end_column": 4,
        },
        {
            "id": 2,
            "kind": "knot",
            "first_line": 12,
            "end_line": 25,
            "first_column": 3,
            "end_column": 3,
        },
    ],
}


def block(first: int, lines: int, **fields: object) -> LineBlock:
    pixels = np.random.default_rng(first).integers(0, 256, (lines, COLUMNS), dtype=np.uint8)
    return LineBlock(
        "cam7",
        first,
        pixels,
        lines,
        5,
        encoder_first=first,
        encoder_last=first + lines - 1,
        **fields,
    )


ITEMS = (
    block(0, 8, flags=LineFlag.SEAM),
    LineLoss("cam7", 8, 4, GapReason.PARTIAL_FRAME, 6, "stale tail"),
    block(12, 8, masked=(Interval(10, 12),)),
    block(23, 7, flags=LineFlag.SEAM | LineFlag.OVERSPEED),
)


@pytest.fixture
def folder(tmp_path):
    with RecordingWriter(tmp_path / "rec", WebFormat(COLUMNS, 1, 8, "web"), WEB) as writer:
        for item in ITEMS:
            writer.append(item)
        writer.close(json.dumps(TRUTH).encode())
    return tmp_path / "rec"


def replay(path, first_line: int = 0, web: config.Web = WEB, **options: object) -> RecordedWeb:
    return open_source(config.ReplaySource(path=path, **options), web, first_line)


def read_all(source, lines: int) -> list[LineBlock | LineLoss]:
    items = []
    while (item := source.read_into(new_buffer(source.format, lines))) is not None:
        items.append(item)
    return items


def test_blocks_losses_seams_masks_and_encoder_are_replayed(folder):
    source = replay(folder, camera="left")
    assert source.format == WebFormat(COLUMNS, 1, 8, "web")
    items = read_all(source, 8)
    assert len(items) == len(ITEMS)
    for got, recorded in zip(items, ITEMS, strict=True):
        assert got.camera == "left"
        if isinstance(recorded, LineLoss):
            assert replace(got, camera="cam7", captured_ns=6) == recorded
            continue
        np.testing.assert_array_equal(got.pixels, recorded.pixels)
        for name in ("first_line", "flags", "masked", "encoder_first", "encoder_last"):
            assert getattr(got, name) == getattr(recorded, name)
    source.close()
    source.close()


def test_time_is_that_of_the_replay(folder):
    assert all(item.captured_ns > 10**18 for item in read_all(replay(folder), 8))


def test_a_replay_can_be_recorded_and_is_the_same_again(folder, tmp_path):
    source = replay(folder)
    with RecordingWriter(tmp_path / "again", source.format, WEB) as writer:
        buffer = new_buffer(source.format, 64)
        while (item := source.read_into(buffer)) is not None:
            writer.append(item)
        writer.close(source.truth)
    for name in ("lines-00000.raw", "truth.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@settings(max_examples=40, deadline=None)
@given(lines=st.integers(1, 12), first=st.integers(0, 31))
def test_any_buffer_and_any_resume_gives_the_same_lines(tmp_path_factory, lines, first):
    folder = tmp_path_factory.mktemp("rec")
    with RecordingWriter(folder, WebFormat(COLUMNS, 1, 8, ""), WEB) as writer:
        for item in ITEMS:
            writer.append(item)
    wanted = {
        item.first_line + n: item.pixels[n]
        for item in ITEMS
        if isinstance(item, LineBlock)
        for n in range(item.valid_lines)
    }
    lost = set(range(8, 12))
    got_lost, end = set(), first
    for item in read_all(replay(folder, first), lines):
        assert item.first_line >= end
        if isinstance(item, LineLoss):
            end = item.first_line + item.line_count
            got_lost |= set(range(item.first_line, end))
            continue
        end = item.first_line + item.valid_lines
        assert item.encoder_first == item.first_line
        assert item.encoder_last == end - 1
        assert (LineFlag.SEAM in item.flags) == (item.first_line in (0, 23))
        for n in range(item.valid_lines):
            np.testing.assert_array_equal(item.pixels[n], wanted.pop(item.first_line + n))
    assert all(line < first for line in wanted)
    assert got_lost == {line for line in lost if line >= first}


def test_damaged_pixels_are_a_loss_and_the_replay_goes_on(folder, caplog):
    path = folder / "lines-00000.raw"
    content = bytearray(path.read_bytes())
    content[8 * COLUMNS] ^= 1
    path.write_bytes(content)
    items = read_all(replay(folder), 8)
    loss = items[2]
    assert isinstance(loss, LineLoss)
    assert (loss.first_line, loss.line_count, loss.reason) == (12, 8, GapReason.CORRUPT_INPUT)
    assert "lines-00000.raw: checksum" in loss.detail
    np.testing.assert_array_equal(items[3].pixels, ITEMS[3].pixels)
    assert "8 lines are lost" in caplog.text


def test_resume_inside_a_damaged_block_loses_its_rest(folder):
    (folder / "lines-00000.raw").write_bytes(b"")
    items = read_all(replay(folder, 14), 8)
    assert [(item.first_line, item.line_count) for item in items] == [(14, 6), (23, 7)]


def test_an_empty_block_is_replayed_with_its_flags(tmp_path):
    empty = LineBlock("cam7", 3, np.zeros((2, COLUMNS), np.uint8), 0, 0, LineFlag.PARTIAL)
    with RecordingWriter(tmp_path, WebFormat(COLUMNS, 1, 8, ""), WEB) as writer:
        writer.append(empty)
        writer.append(block(3, 2))
    items = read_all(replay(tmp_path), 8)
    assert [(item.first_line, item.valid_lines) for item in items] == [(3, 0), (3, 2)]
    assert items[0].flags == LineFlag.PARTIAL


@pytest.mark.parametrize("key", ["transpose", "seams"])
def test_settings_of_images_are_refused(folder, key):
    text = f"source.{key} must be false for a recording, which stores its own, got true"
    with pytest.raises(ValueError, match=text):
        replay(folder, **{key: True})


def test_bits_must_be_those_of_the_recording(folder):
    with pytest.raises(ValueError, match=r"bits must be 16 as source\.bits says, got 8"):
        replay(folder, bits=16)


def test_another_scale_is_warned_of(folder, caplog):
    replay(folder)
    assert not caplog.records
    replay(folder, web=config.Web(pixel_mm=0.1))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "recorded with 0.5 x 0.5 mm per pixel, web says 0.1 x 0.1" in record.getMessage()


def test_a_buffer_of_another_web_is_refused(folder):
    with pytest.raises(ValueError, match=r"buffer must be \(lines >= 1, 12\) of 8 bits"):
        replay(folder).read_into(np.empty((4, 13), np.uint8))


def test_truth_is_that_of_the_delivered_lines(folder):
    source = replay(folder)
    assert json.loads(source.truth)["defects"] == []
    buffer = new_buffer(source.format, 8)
    source.read_into(buffer)
    after_8 = json.loads(source.truth)
    assert (after_8["first_line"], after_8["end_line"]) == (0, 8)
    assert [defect["id"] for defect in after_8["defects"]] == [1]
    while source.read_into(buffer) is not None:
        pass
    assert json.loads(source.truth) == TRUTH


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ((0, 30), [1, 2]),
        ((0, 2), []),
        ((4, 12), [1]),
        ((5, 12), []),
        ((24, 30), [2]),
    ],
)
def test_truth_between(lines, ids):
    cut = json.loads(truth_between(json.dumps(TRUTH).encode(), Interval(*lines)))
    assert [defect["id"] for defect in cut["defects"]] == ids
    assert (cut["first_line"], cut["end_line"]) == lines


def test_no_truth_stays_none():
    assert truth_between(b"", Interval(3, 4)) == b""


def test_bad_truth_is_refused_at_open(folder):
    (folder / "truth.json").write_text("{")
    with pytest.raises(ValueError, match=r"truth\.json: file must be ground truth"):
        replay(folder)


@pytest.mark.parametrize("ledger", [None, b"", b"scrap\n", b"00000000 {}\n"])
def test_a_recording_that_names_no_line_is_refused(folder, ledger):
    (folder / "ledger.rows").unlink()
    if ledger is not None:
        (folder / "ledger.rows").write_bytes(ledger)
    with pytest.raises(ValueError, match="recording must hold lines, got none"):
        replay(folder)
