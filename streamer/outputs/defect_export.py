"""The defects of a roll as a table for other programs, CSV or Parquet; knows no report."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streamer.outputs.alarm_history import defect_of, read_alarms
from streamer.outputs.defect_log import read_log
from streamer.outputs.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.outputs.alarm_history import LoggedAlarm
    from streamer.outputs.defect_log import LoggedDefect

EXPORT_SCHEMA = "linescan.defects/1"
Cell = str | int | float | None


class MissingPyarrow(ImportError):
    """Parquet was asked for, and the package that writes it is not installed."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; its name ends in its unit, `kind` is text, int, float or time (UTC).

    Scores are in units of the alarm level. Lengths count from the start of the roll and the left
    edge of the web.
    """

    name: str
    kind: str
    value: Callable[[LoggedDefect, LoggedAlarm | None], Cell]


COLUMNS = (
    Column("defect_id", "int", lambda d, _: d.id),
    Column("state", "text", lambda d, _: d.state),
    Column("severity", "text", lambda d, _: d.severity),
    Column("class", "text", lambda d, _: d.defect_class),
    Column("down_first_mm", "float", lambda d, _: d.down_first_mm),
    Column("down_end_mm", "float", lambda d, _: d.down_end_mm),
    Column("cross_first_mm", "float", lambda d, _: d.cross_first_mm),
    Column("cross_end_mm", "float", lambda d, _: d.cross_end_mm),
    Column("length_mm", "float", lambda d, _: d.down_end_mm - d.down_first_mm),
    Column("width_mm", "float", lambda d, _: d.cross_end_mm - d.cross_first_mm),
    Column("area_mm2", "float", lambda d, _: d.area_mm2),
    Column("peak_alarm_levels", "float", lambda d, _: d.peak),
    Column("mean_alarm_levels", "float", lambda d, _: d.mean),
    Column("first_line", "int", lambda d, _: d.first_line),
    Column("end_line", "int", lambda d, _: d.end_line),
    Column("captured_utc", "time", lambda d, _: d.captured_utc),
    Column("alarm_id", "text", lambda _, a: a.last.id if a else None),
    Column("alarm_raised_utc", "time", lambda _, a: a.raised_utc if a else None),
    Column("alarm_ended_utc", "time", lambda _, a: a.ended_utc if a else None),
    Column("alarm_messages", "int", lambda _, a: a.messages if a else 0),
    Column("repeat_id", "int", lambda d, _: d.repeat_id),
    Column("repeat_period_mm", "float", lambda d, _: d.repeat_period_mm),
    Column("evidence_raw", "text", lambda d, _: d.evidence_raw),
    Column("evidence_overlay", "text", lambda d, _: d.evidence_overlay),
)


def export_csv(roll_folder: Path, path: Path) -> int:
    """Write the defects as CSV (RFC 4180, UTF-8, one line of names); the number of defects.

    Raises:
        FileNotFoundError: there is no log in the folder.
        ValueError: it is damaged or of another version.
        StorageError: the file cannot be written.
    """
    rows = _rows(roll_folder)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.name for column in COLUMNS])
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode(), "CSV")
    return len(rows)


def export_parquet(roll_folder: Path, path: Path) -> int:
    """Write the defects as Parquet, with types and UTC times in microseconds; else as `export_csv`.

    Raises:
        MissingPyarrow: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        msg = 'pyarrow must be installed for Parquet, got none; pip install "linescan[parquet]"'
        raise MissingPyarrow(msg) from None
    rows = _rows(roll_folder)
    columns = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    arrays = {
        column.name: pyarrow.array(_typed(column, values), _parquet_type(pyarrow, column.kind))
        for column, values in zip(COLUMNS, columns, strict=True)
    }
    table = pyarrow.table(arrays).replace_schema_metadata({"schema": EXPORT_SCHEMA})
    memory = io.BytesIO()
    parquet.write_table(table, memory)
    write_atomically(path, memory.getvalue(), "Parquet")
    return len(rows)


def _rows(roll_folder: Path) -> list[list[Cell]]:
    """A row per defect, in web order."""
    defects = read_log(roll_folder).defects
    alarms = {defect_of(alarm.last.id): alarm for alarm in read_alarms(roll_folder, ("defect",))}
    return [
        [column.value(defect, alarms.get(defect.id)) for column in COLUMNS] for defect in defects
    ]


def _typed(column: Column, values: tuple[Cell, ...]) -> list[Any]:
    if column.kind != "time":
        return list(values)
    return [datetime.fromisoformat(str(value)) if value else None for value in values]


def _parquet_type(pyarrow: Any, kind: str) -> Any:
    types = {"text": pyarrow.string, "int": pyarrow.int64, "float": pyarrow.float64}
    return pyarrow.timestamp("us", tz="UTC") if kind == "time" else types[kind]()
