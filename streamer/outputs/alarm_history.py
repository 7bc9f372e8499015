"""The alarms of a roll as the defect log keeps them, message by message or one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.outputs.defect_log import open_log

if TYPE_CHECKING:
    from pathlib import Path

DEFECT_PREFIX = "defect-"


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One message of an alarm; lengths in mm, `peak` in units of the alarm level."""

    sequence: int
    id: str
    kind: str
    state: str
    severity: str
    camera: str
    down_first_mm: float
    down_end_mm: float
    cross_first_mm: float
    cross_end_mm: float
    peak: float
    raised_utc: str
    signal: str
    text: str


@dataclass(frozen=True, slots=True)
class LoggedAlarm:
    """An alarm from its first message to its last; `ended_utc` is None while it is active."""

    last: LoggedMessage
    raised_utc: str
    ended_utc: str | None
    messages: int


def defect_of(alarm_id: str) -> int | None:
    """Number of the defect that an alarm is about: ROLL/CAMERA/defect-N; None of other alarms."""
    number = alarm_id.rpartition("/")[2].removeprefix(DEFECT_PREFIX)
    return int(number) if number.isdecimal() else None


def alarm_messages(roll_folder: Path, alarm_id: str) -> tuple[LoggedMessage, ...]:
    """The history of one alarm, in the order of its messages; () if there is no such alarm.

    Raises:
        FileNotFoundError: there is no log in the folder.
        ValueError: it is damaged or of another version.
    """
    with open_log(roll_folder) as log:
        rows = log.execute(
            f"SELECT {_FIELDS} FROM alarms WHERE id = ? ORDER BY sequence", [alarm_id]
        )
        return tuple(LoggedMessage(*row) for row in rows)


def read_alarms(
    roll_folder: Path, kinds: tuple[str, ...], most: int | None = None
) -> tuple[LoggedAlarm, ...]:
    """Alarms of some kinds, by their first message; at most `most`; errors as `alarm_messages`."""
    marks, limit = ", ".join("?" * len(kinds)), -1 if most is None else most
    with open_log(roll_folder) as log:
        rows = log.execute(_ALARMS.format(marks=marks), (*kinds, limit))
        return tuple(
            LoggedAlarm(LoggedMessage(*row), first, row[11] if row[3] == "end" else None, count)
            for first, count, *row in rows
        )


def count_alarms(roll_folder: Path) -> dict[str, tuple[int, int]]:
    """(alarms, messages) by kind; errors as `alarm_messages`."""
    counts = "SELECT kind, count(DISTINCT id), count(*) FROM alarms GROUP BY kind ORDER BY kind"
    with open_log(roll_folder) as log:
        return {kind: (alarms, messages) for kind, alarms, messages in log.execute(counts)}


_FIELDS = (
    "sequence, id, kind, state, severity, camera, down_first_mm, down_end_mm, cross_first_mm, "
    "cross_end_mm, peak, raised_utc, signal, text"
)
_ALARMS = f"""
WITH spans AS (
    SELECT min(sequence) AS first, max(sequence) AS last, count(*) AS messages
    FROM alarms WHERE kind IN ({{marks}}) GROUP BY id)
SELECT (SELECT raised_utc FROM alarms WHERE sequence = spans.first), messages, {_FIELDS}
FROM spans JOIN alarms ON sequence = spans.last ORDER BY spans.first LIMIT ?
"""
