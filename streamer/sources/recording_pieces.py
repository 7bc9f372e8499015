"""Joins recordings that follow each other into one, without copying pixels; knows no alarm."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import msgspec

from streamer.message import Interval
from streamer.sources import recording
from streamer.sources.recording import BlockRow, CloseRow
from streamer.sources.recording_reader import Recording

if TYPE_CHECKING:
    from pathlib import Path


def recorded_lines(folder: Path) -> Interval:
    """The lines of the roll that a recording holds or names as lost.

    Raises:
        ValueError: not a recording of this program.
        OSError: it cannot be read.
    """
    opened = Recording(folder)
    return Interval(opened.header.first_line, opened.tail().end_line)


def append_recording(target: Path, chunk: Path) -> None:
    """Make `target` go on with what `chunk` holds; made if absent, unchanged if it has it already.

    Pixel files are hard links: they cost no room, and stay when the chunk is removed. Where the
    file system knows none they are copied. `target` reads after a crash at any moment.

    Raises:
        ValueError: not a recording of this program.
        OSError: it cannot be read or written; the text names the file.
    """
    opened = Recording(chunk)
    if not (target / recording.HEADER).is_file():
        target.mkdir(parents=True, exist_ok=True)
        recording.write_whole(target / recording.HEADER, msgspec.json.encode(opened.header))
    tail = Recording(target).tail()
    first_segment = len(list(target.glob("lines-*.raw")))
    rows = [row for row in opened.rows() if row.first_line >= tail.end_line]
    if not rows:
        return
    for number, path in enumerate(sorted(chunk.glob("lines-*.raw"))):
        _link(path, target / recording.segment_name(first_segment + number))
    moved = (
        msgspec.structs.replace(row, segment=row.segment + first_segment)
        if isinstance(row, BlockRow)
        else row
        for row in rows
    )
    lines = [recording.encode_row(row) for row in (*moved, CloseRow(recording.end_of(rows[-1])))]
    with (target / recording.LEDGER).open("ab") as ledger:
        ledger.truncate(tail.ledger_bytes)
        ledger.write(b"".join(lines))
        ledger.flush()
        os.fsync(ledger.fileno())


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # of another file system, or of one without hard links
        shutil.copyfile(source, target)
