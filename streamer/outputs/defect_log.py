"""The defects, alarms, coverage and pieces of a roll in SQLite; decides nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.message import Interval
from streamer.outputs.defect_tables import (
    ALL_COVERAGE,
    ALL_DEFECTS,
    PUT_DEFECT,
    SCHEMA_VERSION,
    TABLES,
)
from streamer.outputs.storage import storage_errors, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.message import Alarm, Defect, Severity

LOG_NAME = "defects.sqlite"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Names of the pictures of a defect, relative to the roll folder."""

    raw: str
    overlay: str


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

    def put_defect(
        self, defect: Defect, severity: Severity, evidence: Evidence | None = None
    ) -> None:
        """Insert or change the row of a defect; pictures and a repeat once given stay."""
        box, names = defect.region, (evidence.raw, evidence.overlay) if evidence else (None, None)
        row = (
            *(defect.id, defect.state.value, severity.value, defect.defect_class),
            *(box.down_first, box.down_end, box.cross_first, box.cross_end),
            *(defect.area_mm2, defect.peak, defect.mean, defect.first_line, defect.end_line),
            *(defect.captured_ns, utc_text(defect.captured_ns), *names),
        )
        self._execute(PUT_DEFECT, row)

    def put_repeat(self, defect_id: int, repeat_id: int, period_mm: float) -> None:
        """Say that a defect is one of the marks that repeat every `period_mm` (a roller mark).

        All marks of one `repeat_id` belong together. A defect that is not in the log is no error:
        it may have merged into another.
        """
        change = "UPDATE defects SET repeat_id = ?, repeat_period_mm = ? WHERE id = ?"
        self._execute(change, (repeat_id, period_mm, defect_id))

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
                f"BEGIN; {TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(_other_version(version))

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
    evidence_raw: str | None = None
    evidence_overlay: str | None = None
    repeat_id: int | None = None
    repeat_period_mm: float | None = None


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
        ValueError: it is damaged or of another version.
    """
    with open_log(roll_folder) as log:
        return _content(log)


@contextlib.contextmanager
def open_log(roll_folder: Path) -> Iterator[sqlite3.Connection]:
    """The log of a roll, to be read only; errors as `read_log`."""
    path = roll_folder / LOG_NAME
    if not path.is_file():
        msg = f"defect log must exist, got no {path}"
        raise FileNotFoundError(msg)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as log:
            (version,) = log.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError(_other_version(version))
            yield log
    except sqlite3.DatabaseError as error:
        msg = f"defect log must be readable, got {path}: {error}"
        raise ValueError(msg) from None


def _other_version(version: int) -> str:
    return (
        f"version must be {SCHEMA_VERSION}, got {version}; "
        "read it with the linescan whose version stands in manifest.json"
    )


def _content(log: sqlite3.Connection) -> LogContent:
    return LogContent(
        defects=tuple(LoggedDefect(*row) for row in log.execute(ALL_DEFECTS)),
        coverage=tuple(
            CoverageRow(camera, lane, Interval(*block[:2]), Interval(*block[2:4]), *block[4:])
            for camera, lane, *block in log.execute(ALL_COVERAGE)
        ),
        pieces=tuple(Piece(*row) for row in log.execute("SELECT * FROM pieces ORDER BY 1")),
        alarm_count=log.execute("SELECT count(*) FROM alarms").fetchone()[0],
    )
