"""The ring: bounded, and what surrounds a defect is kept for good and replays."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Recorder, ReplaySource, Web
from streamer.message import (
    Alarm,
    AlarmKind,
    DefectState,
    GapReason,
    Interval,
    LineBlock,
    LineLoss,
    RegionMm,
    Severity,
)
from streamer.ports import WebFormat
from streamer.sources.recorded_web import open_recorded
from streamer.sources.recording import BlockRow
from streamer.sources.recording_pieces import recorded_lines
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_ring import RingRecording, RingRules, piece_name

FORM, WEB = WebFormat(8, 1, 8, "web"), Web(pixel_mm=1.0)
RULES = RingRules(100, 20, 10, 15, 1.0, keeps_last=True)
BLOCK = 5


def block(first: int, lines: int = BLOCK) -> LineBlock:
    pixels = np.random.default_rng(first).integers(0, 256, (lines, 8), dtype=np.uint8)
    return LineBlock("cam0", first, pixels, lines, 77)


def alarm(first: float, end: float, state=DefectState.NEW, name="defect-1", **changed) -> Alarm:
    place = ("roll", "cam0", RegionMm(first, end, 0, 1), 0, 8, 1, 1, 1.5, "", "")
    made = Alarm(f"roll/cam0/{name}", 1, AlarmKind.DEFECT, state, Severity.LOW, *place, text="hole")
    return dataclasses.replace(made, **changed)


@pytest.fixture
def ring(tmp_path):
    return RingRecording(tmp_path, RULES, WEB)


def run(ring, first, end):
    for line in range(first, end, BLOCK):
        ring.append(FORM, block(line))


def lines(folder):
    """Each line that a recording holds, checked against what was appended."""
    opened, found = Recording(folder), set()
    for row in opened.rows():
        if isinstance(row, BlockRow):
            wanted = block(row.first_line, row.line_count).pixels
            np.testing.assert_array_equal(opened.pixels(row), wanted)
            found |= set(range(row.first_line, row.first_line + row.line_count))
    return found


def die(writer):
    """What the end of a process does to its files."""
    writer._ledger.close()
    writer._segments._file.close()


def size(folder):
    inodes = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*.raw")}
    return sum(inodes.values())


def test_no_more_is_on_the_disk_than_the_ring_and_a_chunk(ring, tmp_path):
    most = 0
    for first in range(0, 1000, BLOCK):
        ring.append(FORM, block(first))
        most = max(most, size(tmp_path))
    assert 100 * 8 <= most <= (100 + 20 + BLOCK) * 8
    assert ring.end_line == 1000


def test_what_is_left_at_the_end_is_one_recording(ring, tmp_path):
    run(ring, 0, 503)
    ring.close(b"")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert lines(tmp_path / "last") == set(range(400, 505))


def test_what_surrounds_a_defect_is_kept_whole_before_and_after_it(ring, tmp_path):
    run(ring, 0, 300)
    ring.keep(alarm(250, 260))
    run(ring, 300, 900)
    ring.keep(alarm(250, 261, DefectState.END))
    ring.close(b"")
    kept = lines(tmp_path / "alarm-defect-1")
    assert set(range(240, 275)) <= kept <= set(range(220, 300))
    said = json.loads((tmp_path / "alarm-defect-1" / "alarm.json").read_text())
    assert said == {
        "alarm": "roll/cam0/defect-1",
        "text": "hole",
        "first_line": 240,
        "end_line": 276,
    }


def test_a_piece_is_on_the_disk_as_soon_as_its_chunks_are(ring, tmp_path):
    run(ring, 0, 260)
    ring.keep(alarm(250, 255))
    assert lines(tmp_path / "alarm-defect-1") == {*range(240, 260)}
    run(ring, 260, 280)
    assert lines(tmp_path / "alarm-defect-1") == {*range(240, 280)}


def test_a_defect_that_grows_takes_more_but_never_more_than_a_ring(ring, tmp_path):
    run(ring, 0, 100)
    ring.keep(alarm(50, 60))
    for end in range(100, 600, 50):
        run(ring, end, end + 50)
        ring.keep(alarm(50, end, DefectState.UPDATE))
    ring.close(b"")
    assert lines(tmp_path / "alarm-defect-1") == set(range(40, 140))


def test_defects_that_lie_together_share_their_pixels(ring, tmp_path):
    run(ring, 0, 100)
    for number in range(5):
        ring.keep(alarm(50 + number, 60, name=f"defect-{number}"))
    assert size(tmp_path) == 100 * 8
    assert len(list(tmp_path.glob("alarm-*"))) == 5


def test_an_alarm_that_comes_too_late_says_what_is_gone(ring, tmp_path, caplog):
    run(ring, 0, 400)
    ring.keep(alarm(290, 305))
    assert "lines 280..300 are no longer in the ring" in caplog.text
    ring.close(b"")
    assert lines(tmp_path / "alarm-defect-1") == set(range(300, 320))


@pytest.mark.parametrize("kind", [AlarmKind.NOT_INSPECTED, AlarmKind.SYSTEM])
def test_other_alarms_keep_nothing(ring, tmp_path, kind):
    run(ring, 0, 100)
    ring.keep(alarm(50, 60, kind=kind))
    assert list(tmp_path.glob("alarm-*")) == []


def test_with_alarms_alone_the_ring_goes_at_the_end(tmp_path):
    ring = RingRecording(tmp_path, dataclasses.replace(RULES, keeps_last=False), WEB)
    run(ring, 0, 100)
    ring.keep(alarm(50, 60))
    ring.close(b"")
    assert [path.name for path in tmp_path.iterdir()] == ["alarm-defect-1"]


def test_one_that_died_is_continued_with_its_ring_and_its_wishes(ring, tmp_path):
    run(ring, 0, 310)
    ring.keep(alarm(290, 305))
    die(ring._writer)
    again = RingRecording(tmp_path, RULES, WEB)
    assert again.end_line == 310
    run(again, 310, 400)
    again.close(b"")
    assert set(range(280, 320)) <= lines(tmp_path / "alarm-defect-1")
    assert lines(tmp_path / "last") == set(range(300, 400)) | lines(tmp_path / "last")


def test_a_piece_replays_with_its_losses_from_line_0_on(ring, tmp_path):
    run(ring, 0, 250)
    ring.append(FORM, LineLoss("cam0", 250, 5, GapReason.CAMERA_LOSS, 1, "cable"))
    run(ring, 255, 300)
    ring.keep(alarm(245, 255))
    ring.close(b"")
    piece = tmp_path / "alarm-defect-1"
    first = recorded_lines(piece).first
    source = open_recorded(ReplaySource(path=piece), WEB)
    replayed = []
    while (item := source.read_into(np.zeros((64, 8), np.uint8))) is not None:
        replayed.append(item)
    assert replayed[0].first_line == 0
    losses = [item for item in replayed if isinstance(item, LineLoss)]
    assert [(x.first_line + first, x.line_count, x.detail) for x in losses] == [(250, 5, "cable")]
    for item in replayed:
        if isinstance(item, LineBlock):
            np.testing.assert_array_equal(item.pixels, block(item.first_line + first).pixels)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.integers(0, 60)), max_size=6))
def test_every_defect_that_is_told_in_time_is_kept_with_its_surroundings(tmp_path_factory, defects):
    folder = tmp_path_factory.mktemp("ring")
    ring = RingRecording(folder, RULES, WEB)
    told = {}
    for number, (first, length, late) in enumerate(defects):
        told_at = max(-(-(first + length + late) // BLOCK), 1) * BLOCK
        one = alarm(first, first + length, name=f"defect-{number}")
        told.setdefault(told_at, []).append(one)
    for line in range(0, 500, BLOCK):
        ring.append(FORM, block(line))
        for one in told.pop(line + BLOCK, []):
            ring.keep(one)
    for one in (one for late in told.values() for one in late):
        ring.keep(one)
    ring.close(b"")
    for number, (first, length, late) in enumerate(defects):
        wanted = set(range(max(first - 10, 0), first + length + 15))
        oldest = first + length + late + BLOCK - 100  # what the ring has lost by then
        found = lines(folder / f"alarm-defect-{number}")
        assert {one for one in wanted if one >= oldest} <= found


def test_sizes_follow_from_metres():
    settings = Recorder(mode="alarms", ring_m=40, before_m=2, after_m=1)
    rules = RingRules.of(settings, Web(pixel_mm=0.5, line_mm=0.25))
    assert rules == RingRules(160_000, 6_000, 8_000, 4_000, 0.25, keeps_last=False)
    assert rules.around(alarm(10_000, 10_100)) == Interval(32_000, 44_400)
    assert rules.around(alarm(10, 20)).first == 0


def test_names_of_pieces_are_names_of_folders():
    assert piece_name("roll/cam0+cam1/defect-7") == "alarm-defect-7"
    assert piece_name("../..") == "alarm-__"
