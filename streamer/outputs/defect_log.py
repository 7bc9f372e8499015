"""The defects, alarms, coverage and pieces of a roll in SQLite; decides nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.message import Interval
from streamer.outputs.storage import storage_errors, utc_text

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.message import Alarm, Defect, Severity

LOG_NAME = "defects.sqlite"
SCHEMA_VERSION = 1


_TABLES = """
CREATE TABLE defects (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, severity TEXT NOT NULL, class TEXT NOT NULL,
    down_first_mm REAL NOT NULL, down_end_mm REAL NOT NULL,
    cross_first_mm REAL NOT NULL, cross_end_mm REAL NOT NULL,
    area_mm2 REAL NOT NULL, peak REAL NOT NULL, mean REAL NOT NULL,
    first_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    captured_ns INTEGER NOT NULL, captured_utc TEXT NOT NULL, evidence TEXT) STRICT;
CREATE TABLE alarms (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    severity TEXT NOT NULL, camera TEXT NOT NULL,
    down_first_mm REAL NOT NULL, down_end_mm REAL NOT NULL,
    cross_first_mm REAL NOT NULL, cross_end_mm REAL NOT NULL,
    peak REAL NOT NULL, raised_ns INTEGER NOT NULL, raised_utc TEXT NOT NULL,
    captured_ns INTEGER NOT NULL, signal TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE coverage (
    number INTEGER PRIMARY KEY, camera TEXT NOT NULL, lane INTEGER NOT NULL,
    first_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    first_column INTEGER NOT NULL, end_column INTEGER NOT NULL,
    status TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE pieces (
    first_line INTEGER PRIMARY KEY, first_row INTEGER NOT NULL, line_count INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """What became of a block of a lane: `status` is "inspected", "masked" or a GapReason."""

    camera: str
    lane: int
    lines: Interval
    columns: Interval
    status: str
    detail: str = ""

    @property
    def area(self) -> int:
        """Pixels: lines times columns."""
        return self.lines.size * self.columns.size

    def continues(self, before: CoverageRow) -> bool:
        """Whether this is the same as `before`, directly below it."""
        return self.lines.first == before.lines.end and self._kind == before._kind

    @property
    def _kind(self) -> tuple[str, int, Interval, str, str]:
        return self.camera, self.lane, self.columns, self.status, self.detail


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines that follow each other on the web; row `first_row` of the map is where they start."""

    first_line: int
    first_row: int
    line_count: int


class DefectLog:
    """Writes `defects.sqlite` in the roll folder.

    Nothing is stored for good before `commit`; after it, a crash of this process loses nothing
    (write-ahead log), a crash of the machine may lose the last commits but never the file.
    Every method raises StorageError when the disk is full, gone or read-only.
    """

    def __init__(self, roll_folder: Path) -> None:
        """Create the log, or continue the one that a crash has left.

        Raises:
            StorageError: the file cannot be written or is no log of this version.
        """
        self._path = roll_folder / LOG_NAME
        self._closed = False
        self._last: dict[tuple[str, int, Interval], tuple[int, CoverageRow]] = {}
        with storage_errors(self._path, "defect log"):
            self._log = sqlite3.connect(self._path)
            self._log.execute("PRAGMA journal_mode=WAL")
            self._log.execute("PRAGMA synchronous=NORMAL")
            self._create_tables()

    def put_defect(self, defect: Defect, severity: Severity, evidence: str | None = None) -> None:
        """Insert or replace the row of a defect; a path of evidence once given stays."""
        box = defect.region
        row = (
            *(defect.id, defect.state.value, severity.value, defect.defect_class),
            *(box.down_first, box.down_end, box.cross_first, box.cross_end),
            *(defect.area_mm2, defect.peak, defect.mean, defect.first_line, defect.end_line),
            *(defect.captured_ns, utc_text(defect.captured_ns), evidence, defect.id),
        )
        marks = ", ".join("?" * (len(row) - 2))
        keep = "coalesce(?, (SELECT evidence FROM defects WHERE id = ?))"
        self._execute(f"INSERT OR REPLACE INTO defects VALUES ({marks}, {keep})", row)

    def add_alarm(self, alarm: Alarm) -> None:
        """Append to the alarm history."""
        box = alarm.region
        row = (
            *(alarm.sequence, alarm.id, alarm.kind.value, alarm.state.value),
            *(alarm.severity.value, alarm.camera),
            *(box.down_first, box.down_end, box.cross_first, box.cross_end),
            *(alarm.peak, alarm.raised_ns, utc_text(alarm.raised_ns)),
            *(alarm.captured_ns, alarm.signal, alarm.text),
        )
        self._execute(f"INSERT INTO alarms VALUES ({', '.join('?' * len(row))})", row)

    def add_coverage(self, row: CoverageRow) -> None:
        """Append; a row that continues the one before it in its lane lengthens that one."""
        place = (row.camera, row.lane, row.columns)
        number, before = self._last.get(place, (0, row))
        if number and row.continues(before):
            row = replace(row, lines=Interval(before.lines.first, row.lines.end))
            change = "UPDATE coverage SET end_line = ? WHERE number = ?"
            self._execute(change, (row.lines.end, number))
        else:
            number = self._insert_coverage(row)
        self._last[place] = (number, row)

    def put_piece(self, piece: Piece) -> None:
        """Insert or replace the piece that starts at this line."""
        row = (piece.first_line, piece.first_row, piece.line_count)
        self._execute("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?)", row)

    def commit(self) -> None:
        """Store everything given so far."""
        with storage_errors(self._path, "defect log"):
            self._log.commit()

    def close(self) -> None:
        """Commit, and leave one file without a write-ahead log beside it; may be called twice."""
        if self._closed:
            return
        self._closed = True
        with storage_errors(self._path, "defect log"), contextlib.closing(self._log):
            self._log.commit()
            # A reader may hold the log open: then the file beside it stays, and nothing is lost.
            self._log.execute("PRAGMA busy_timeout=200")
            with contextlib.suppress(sqlite3.OperationalError):
                self._log.execute("PRAGMA journal_mode=DELETE")

    def _create_tables(self) -> None:
        (version,) = self._log.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._log.executescript(
                f"BEGIN; {_TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            msg = f"version must be {SCHEMA_VERSION}, got {version}"
            raise sqlite3.DatabaseError(msg)

    def _insert_coverage(self, row: CoverageRow) -> int:
        values = (
            *(row.camera, row.lane, row.lines.first, row.lines.end),
            *(row.columns.first, row.columns.end, row.status, row.detail),
        )
        return self._execute("INSERT INTO coverage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def _execute(self, statement: str, row: tuple[object, ...]) -> int:
        with storage_errors(self._path, "defect log"):
            return self._log.execute(statement, row).lastrowid or 0


@dataclass(frozen=True, slots=True)
class LoggedDefect:
    """A row of the defect table; lengths in mm, scores in units of the alarm level."""

    id: int
    state: str
    severity: str
    defect_class: str
    down_first_mm: float
    down_end_mm: float
    cross_first_mm: float
    cross_end_mm: float
    area_mm2: float
    peak: float
    mean: float
    first_line: int
    end_line: int
    captured_utc: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a report needs of a log; each in web order."""

    defects: tuple[LoggedDefect, ...]
    coverage: tuple[CoverageRow, ...]
    pieces: tuple[Piece, ...]
    alarm_count: int


def read_log(roll_folder: Path) -> LogContent:
    """Everything in the log of a roll; of defects, those that did not merge into another.

    Raises:
        FileNotFoundError: there is no log in the folder.
        ValueError: it is damaged.
    """
    path = roll_folder / LOG_NAME
    if not path.is_file():
        msg = f"defect log must exist, got no {path}"
        raise FileNotFoundError(msg)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as log:
            return _content(log)
    except sqlite3.DatabaseError as error:
        msg = f"defect log must be readable, got {path}: {error}"
        raise ValueError(msg) from None


def _content(log: sqlite3.Connection) -> LogContent:
    return LogContent(
        defects=tuple(LoggedDefect(*row) for row in log.execute(_DEFECTS)),
        coverage=tuple(
            CoverageRow(camera, lane, Interval(*block[:2]), Interval(*block[2:4]), *block[4:])
            for camera, lane, *block in log.execute(_COVERAGE)
        ),
        pieces=tuple(Piece(*row) for row in log.execute("SELECT * FROM pieces ORDER BY 1")),
        alarm_count=log.execute("SELECT count(*) FROM alarms").fetchone()[0],
    )


_DEFECTS = """
SELECT id, state, severity, class, down_first_mm, down_end_mm, cross_first_mm, cross_end_mm,
    area_mm2, peak, mean, first_line, end_line, captured_utc, evidence
FROM defects WHERE class != 'merged' ORDER BY first_line, cross_first_mm, id
"""
_COVERAGE = """
SELECT camera, lane, first_line, end_line, first_column, end_column, status, detail
FROM coverage ORDER BY first_line, lane, first_column, number
"""
