"""The table of defects: CSV by the book, Parquet with types, and the same rows in both."""

import csv
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyarrow import parquet

from streamer.message import Alarm, AlarmKind, Defect, DefectState, RegionMm, Severity
from streamer.outputs.defect_export import COLUMNS, MissingPyarrow, export_csv, export_parquet
from streamer.outputs.defect_log import DefectLog, Evidence
from streamer.outputs.storage import StorageError

SECOND = 1_000_000_000
DEFECT = Defect(
    id=3,
    state=DefectState.END,
    region=RegionMm(1000.5, 1020.5, 30.0, 40.0),
    peak=1.5,
    mean=0.9,
    area_mm2=0.75,
    first_line=4,
    end_line=8,
    captured_ns=1_700_000_000 * SECOND,
    defect_class='thread, "thick"\nand knotty',
)


def alarm(sequence, state):
    return Alarm(
        id="r/cam0/defect-3",
        sequence=sequence,
        kind=AlarmKind.DEFECT,
        state=state,
        severity=Severity.LOW,
        roll="r",
        camera="cam0",
        region=DEFECT.region,
        encoder_first=0,
        encoder_end=8,
        raised_ns=(1_700_000_000 + sequence) * SECOND,
        captured_ns=4,
        peak=1.5,
        config_digest="c",
        model_digest="m",
    )


@pytest.fixture
def folder(tmp_path):
    log = DefectLog(tmp_path)
    log.put_defect(DEFECT, Severity.LOW, Evidence("evidence/r.png", "evidence/o.png"))
    log.put_repeat(3, 2, 628.25)
    log.put_defect(replace(DEFECT, id=1, first_line=90, defect_class="unknown"), Severity.HIGH)
    log.put_defect(replace(DEFECT, id=4, defect_class="merged"), Severity.HIGH)
    log.add_alarm(alarm(1, DefectState.NEW))
    log.add_alarm(alarm(2, DefectState.END))
    log.close()
    return tmp_path


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def test_csv_has_a_row_per_defect_with_units_in_its_header(folder, tmp_path):
    assert export_csv(folder, tmp_path / "d.csv") == 2
    first, second = read_csv(tmp_path / "d.csv")
    assert (first["defect_id"], second["defect_id"]) == ("3", "1")
    assert first["class"] == 'thread, "thick"\nand knotty'
    assert (first["down_first_mm"], first["length_mm"], first["width_mm"]) == (
        "1000.5",
        "20.0",
        "10.0",
    )
    assert (first["peak_alarm_levels"], first["area_mm2"]) == ("1.5", "0.75")
    assert first["captured_utc"] == "2023-11-14T22:13:20.000000Z"
    assert first["alarm_raised_utc"] == "2023-11-14T22:13:21.000000Z"
    assert first["alarm_ended_utc"] == "2023-11-14T22:13:22.000000Z"
    assert (first["alarm_id"], first["alarm_messages"]) == ("r/cam0/defect-3", "2")
    assert (first["repeat_id"], first["repeat_period_mm"]) == ("2", "628.25")
    assert (first["evidence_raw"], first["evidence_overlay"]) == (
        "evidence/r.png",
        "evidence/o.png",
    )
    assert (second["repeat_id"], second["alarm_id"], second["alarm_messages"]) == ("", "", "0")


def test_csv_ends_its_lines_as_rfc_4180_says(folder, tmp_path):
    export_csv(folder, tmp_path / "d.csv")
    text = (tmp_path / "d.csv").read_bytes()
    assert text.startswith(b"defect_id,state,severity,class,")
    assert text.count(b"\r\n") == 3
    assert text.endswith(b"\r\n")
    assert b'"thread, ""thick""\nand knotty"' in text


def test_parquet_has_the_same_rows_with_types(folder, tmp_path):
    assert export_parquet(folder, tmp_path / "d.parquet") == 2
    export_csv(folder, tmp_path / "d.csv")
    table = parquet.read_table(tmp_path / "d.parquet")
    assert table.schema.names == [column.name for column in COLUMNS]
    assert table.schema.metadata[b"schema"] == b"linescan.defects/1"
    assert str(table.schema.field("captured_utc").type) == "timestamp[us, tz=UTC]"
    rows = table.to_pylist()
    assert rows[0]["captured_utc"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert rows[0]["repeat_period_mm"] == 628.25
    assert rows[1]["repeat_id"] is None
    times = {column.name for column in COLUMNS if column.kind == "time"}
    for row, text in zip(rows, read_csv(tmp_path / "d.csv"), strict=True):
        shown = {name: "" if value is None else str(value) for name, value in row.items()}
        assert {n: shown[n] for n in shown.keys() - times} == {
            n: text[n] for n in text.keys() - times
        }


def test_a_roll_without_defects_has_a_table_without_rows(tmp_path):
    DefectLog(tmp_path).close()
    assert export_csv(tmp_path, tmp_path / "d.csv") == 0
    assert export_parquet(tmp_path, tmp_path / "d.parquet") == 0
    assert read_csv(tmp_path / "d.csv") == []
    table = parquet.read_table(tmp_path / "d.parquet")
    assert (table.num_rows, table.num_columns) == (0, len(COLUMNS))
    assert str(table.schema.field("peak_alarm_levels").type) == "double"


def test_without_pyarrow_the_next_step_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    text = r'pyarrow must be installed for Parquet, got none; pip install "linescan\[parquet\]"'
    with pytest.raises(MissingPyarrow, match=text):
        export_parquet(folder, tmp_path / "d.parquet")
    assert not (tmp_path / "d.parquet").exists()


@pytest.mark.parametrize("export", [export_csv, export_parquet])
def test_a_place_that_cannot_be_written_is_named(folder, tmp_path, export):
    with pytest.raises(StorageError, match="must be writable at .*absent"):
        export(folder, tmp_path / "absent" / "d")
