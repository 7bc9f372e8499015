"""The defect log: rows as given, a crash loses nothing that was committed."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import (
    Alarm,
    AlarmKind,
    Defect,
    DefectState,
    Interval,
    RegionMm,
    Severity,
)
from streamer.outputs.defect_log import CoverageRow, DefectLog, Evidence, Piece, read_log
from streamer.outputs.storage import StorageError

DEFECT = Defect(
    id=3,
    state=DefectState.NEW,
    region=RegionMm(1.0, 2.0, 3.0, 4.0),
    peak=1.5,
    mean=0.9,
    area_mm2=0.75,
    first_line=4,
    end_line=8,
    captured_ns=1_700_000_000_000_000_000,
)
ALARM = Alarm(
    id="r-3",
    sequence=1,
    kind=AlarmKind.DEFECT,
    state=DefectState.NEW,
    severity=Severity.LOW,
    roll="r",
    camera="cam0",
    region=RegionMm(1.0, 2.0, 3.0, 4.0),
    encoder_first=0,
    encoder_end=8,
    raised_ns=5,
    captured_ns=4,
    peak=1.5,
    config_digest="c",
    model_digest="m",
)


@pytest.fixture
def log(tmp_path):
    opened = DefectLog(tmp_path)
    yield opened
    opened.close()


def block(first, end, status="inspected", lane=0, columns=(0, 10), detail=""):
    return CoverageRow("cam0", lane, Interval(first, end), Interval(*columns), status, detail)


def test_a_defect_is_one_row_however_often_it_is_told(log, tmp_path):
    log.put_defect(DEFECT, Severity.LOW)
    log.put_defect(
        replace(DEFECT, state=DefectState.END, peak=3.0), Severity.HIGH, Evidence("r.png", "o.png")
    )
    log.commit()
    (row,) = read_log(tmp_path).defects
    assert (row.id, row.state, row.severity, row.peak) == (3, "end", "high", 3.0)
    assert (row.evidence_raw, row.evidence_overlay) == ("r.png", "o.png")
    assert (row.repeat_id, row.repeat_period_mm) == (None, None)
    assert (row.down_first_mm, row.down_end_mm) == (1.0, 2.0)
    assert (row.cross_first_mm, row.cross_end_mm) == (3.0, 4.0)
    assert (row.mean, row.area_mm2, row.first_line, row.end_line) == (0.9, 0.75, 4, 8)
    assert row.captured_utc == "2023-11-14T22:13:20.000000Z"


def test_pictures_and_repeat_once_given_stay(log, tmp_path):
    log.put_defect(DEFECT, Severity.LOW, Evidence("a.png", "b.png"))
    log.put_repeat(3, 7, 628.3)
    log.put_repeat(99, 7, 628.3)  # no such defect
    log.put_defect(replace(DEFECT, peak=2.0), Severity.MEDIUM)
    log.commit()
    (row,) = read_log(tmp_path).defects
    assert (row.evidence_raw, row.evidence_overlay) == ("a.png", "b.png")
    assert (row.repeat_id, row.repeat_period_mm) == (7, 628.3)
    assert (row.peak, row.severity) == (2.0, "medium")


def test_defects_come_in_web_order_without_those_that_merged(log, tmp_path):
    for number, line in ((1, 90), (2, 10), (4, 50)):
        log.put_defect(replace(DEFECT, id=number, first_line=line), Severity.LOW)
    log.put_defect(replace(DEFECT, id=9, defect_class="merged"), Severity.LOW)
    log.commit()
    assert [d.id for d in read_log(tmp_path).defects] == [2, 4, 1]


def test_the_alarm_history_keeps_every_message(log, tmp_path):
    log.add_alarm(ALARM)
    log.add_alarm(replace(ALARM, sequence=2, state=DefectState.END))
    log.commit()
    assert read_log(tmp_path).alarm_count == 2
    rows = sqlite3.connect(tmp_path / "defects.sqlite").execute(
        "SELECT sequence, id, state, raised_utc FROM alarms ORDER BY sequence"
    )
    assert list(rows) == [
        (1, "r-3", "new", "1970-01-01T00:00:00.000000Z"),
        (2, "r-3", "end", "1970-01-01T00:00:00.000000Z"),
    ]


def test_pieces_are_replaced_by_their_first_line(log, tmp_path):
    log.put_piece(Piece(0, 0, 8))
    log.put_piece(Piece(100, 13, 50))
    log.put_piece(Piece(0, 0, 100))
    log.commit()
    assert read_log(tmp_path).pieces == (Piece(0, 0, 100), Piece(100, 13, 50))


def test_coverage_that_continues_lengthens_its_row(log, tmp_path):
    rows = [
        block(0, 8),
        block(0, 8, lane=1, columns=(10, 20)),
        block(8, 16),
        block(8, 16, "overload", lane=1, columns=(10, 20)),
        block(16, 24),
        block(30, 32),
        block(32, 40, detail="again"),
    ]
    for row in rows:
        log.add_coverage(row)
    log.commit()
    assert read_log(tmp_path).coverage == (
        block(0, 24),
        block(0, 8, lane=1, columns=(10, 20)),
        block(8, 16, "overload", lane=1, columns=(10, 20)),
        block(30, 32),
        block(32, 40, detail="again"),
    )


statuses = st.sampled_from(["inspected", "masked", "timeout"])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), statuses), max_size=30))
def test_merged_coverage_has_the_same_area_per_lane_and_status(tmp_path_factory, given_rows):
    folder = tmp_path_factory.mktemp("log")
    log, ends, expected = DefectLog(folder), {}, {}
    for lane, lines, status in given_rows:
        first = ends.get(lane, 0)
        row = block(first, first + lines, status, lane, (lane * 10, lane * 10 + 7))
        ends[lane] = first + lines
        expected[lane, status] = expected.get((lane, status), 0) + row.area
        log.add_coverage(row)
    log.close()
    found = {}
    for row in read_log(folder).coverage:
        found[row.lane, row.status] = found.get((row.lane, row.status), 0) + row.area
    assert found == expected


def test_a_reader_sees_nothing_before_the_commit(log, tmp_path):
    log.put_defect(DEFECT, Severity.LOW)
    assert read_log(tmp_path).defects == ()
    log.commit()
    assert len(read_log(tmp_path).defects) == 1


def test_a_closed_log_is_one_file_that_a_read_only_folder_can_show(log, tmp_path):
    log.put_defect(DEFECT, Severity.LOW)
    log.close()
    log.close()
    assert os.listdir(tmp_path) == ["defects.sqlite"]
    assert len(read_log(tmp_path).defects) == 1


def test_a_reader_does_not_keep_the_log_from_closing(log, tmp_path):
    log.put_defect(DEFECT, Severity.LOW)
    log.commit()
    reader = sqlite3.connect(tmp_path / "defects.sqlite")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM defects").fetchall()
    log.close()
    reader.close()
    assert len(read_log(tmp_path).defects) == 1


def test_after_a_kill_what_was_committed_is_there_and_the_log_goes_on(tmp_path):
    writer = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from streamer.outputs.defect_log import DefectLog, Piece\n"
        "log = DefectLog(Path(sys.argv[1]))\n"
        "for i in range(100):\n"
        "    log.put_piece(Piece(i, i, 1))\n"
        "log.commit()\n"
        "log.put_piece(Piece(1000, 0, 1))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", writer, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(read_log(tmp_path).pieces) == 100
    log = DefectLog(tmp_path)
    log.put_piece(Piece(100, 100, 1))
    log.close()
    assert len(read_log(tmp_path).pieces) == 101


def test_a_full_disk_has_a_clear_text(log):
    log._log.execute("PRAGMA max_page_count=20")
    text = "defect log must be writable at .*defects.sqlite, got: database or disk is full"

    def fill():
        for number in range(10_000):
            log.put_piece(Piece(number, number, 1))

    with pytest.raises(StorageError, match=text):
        fill()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageError, match="defect log must be writable at .*absent"):
        DefectLog(tmp_path / "absent")


def test_a_file_that_is_no_log_is_refused(tmp_path):
    (tmp_path / "defects.sqlite").write_bytes(b"hello" * 1000)
    with pytest.raises(StorageError, match="got: file is not a database"):
        DefectLog(tmp_path)


@pytest.mark.parametrize("version", [1, 7])
def test_a_log_of_another_version_is_refused(tmp_path, version):
    other = sqlite3.connect(tmp_path / "defects.sqlite")
    other.execute(f"PRAGMA user_version={version}")
    other.close()
    text = f"version must be 2, got {version}; read it with the linescan whose version"
    with pytest.raises(StorageError, match=text):
        DefectLog(tmp_path)
    with pytest.raises(ValueError, match=text):
        read_log(tmp_path)


def test_reading_where_there_is_no_log(tmp_path):
    with pytest.raises(FileNotFoundError, match="defect log must exist, got no"):
        read_log(tmp_path)


def test_reading_a_damaged_log(tmp_path):
    (tmp_path / "defects.sqlite").write_bytes(b"hello" * 1000)
    with pytest.raises(ValueError, match="defect log must be readable, got .*not a database"):
        read_log(tmp_path)


def test_a_folder_with_odd_characters_can_be_read(tmp_path):
    folder = tmp_path / "roll #1 %20?"
    folder.mkdir()
    DefectLog(folder).close()
    assert read_log(folder).defects == ()
