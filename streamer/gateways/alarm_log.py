"""Alarms as lines of JSON in files that are turned over; decides nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from streamer.outputs.alarm_message import alarm_record, encode
from streamer.outputs.storage import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.gateway_sections import AlarmLogGateway
    from streamer.line_ports import LineView
    from streamer.line_status import Command

BYTES_PER_MB = 1_000_000


class AlarmLog:
    """Appends what is news; see line_ports.Gateway.

    A line is whole or absent after a crash of this process. What was active before it started is
    written again, as the sink tells it: a reader takes (publisher, sequence) once.
    """

    def __init__(self, settings: AlarmLogGateway) -> None:
        """Open the file, after making the folder.

        Raises:
            StorageError: it cannot be written.
        """
        self._folder, self._kept = settings.folder, settings.files
        self._largest_bytes = round(settings.file_mb * BYTES_PER_MB)
        with storage_errors(self._folder, "alarm log"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._open()

    def show(self, view: LineView) -> None:
        """Append the news of a view, in one write.

        Raises:
            StorageError: the disk is full, gone or read-only.
        """
        if not view.news or view.status is None:
            return
        publisher = view.status.publisher
        lines = b"".join(encode(alarm_record(a, publisher)) + b"\n" for a in view.news)
        with storage_errors(self._path(0), "alarm log"):
            if os.fstat(self._file).st_size + len(lines) > self._largest_bytes:
                self._turn_over()
            self._append(lines)

    def take_commands(self) -> tuple[Command, ...]:
        """Nobody asks anything through a file."""
        return ()

    def close(self) -> None:
        """Force everything to the disk; may be called twice."""
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            with storage_errors(self._path(0), "alarm log"):
                os.fsync(file)
        finally:
            os.close(file)

    def _append(self, lines: bytes) -> None:
        begin = os.fstat(self._file).st_size
        written = os.write(self._file, lines)
        if written < len(lines):  # the disk is full: half a line would spoil the next one, too
            os.ftruncate(self._file, begin)
            os.write(self._file, lines)

    def _turn_over(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        self._path(self._kept - 1).unlink(missing_ok=True)
        for number in range(self._kept - 2, -1, -1):
            if self._path(number).exists():
                self._path(number).rename(self._path(number + 1))
        self._file = self._open()

    def _open(self) -> int:
        return os.open(self._path(0), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _path(self, number: int) -> Path:
        return self._folder / (f"alarms.{number}.jsonl" if number else "alarms.jsonl")
