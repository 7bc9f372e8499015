"""Reads a recording, whole or cut off by a crash, in bounded memory; knows no source and no web."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import GapReason
from streamer.sources import recording
from streamer.sources.pieces import CorruptPieceError
from streamer.sources.recording import BlockRow, CloseRow, LossRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.message import PixelArray
    from streamer.sources.recording import Row

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a recording ends: first line after it, bytes of whole rows, whether it was closed."""

    end_line: int
    ledger_bytes: int
    closed: bool


class Recording:
    """A recording on disk. It may still be growing: rows written later are not promised."""

    def __init__(self, folder: Path) -> None:
        """Read the header.

        Raises:
            ValueError: not a recording that this program knows.
            OSError: it cannot be read.
        """
        self.folder = folder
        self.header = recording.read_header(folder)

    @property
    def truth(self) -> bytes:
        """See `recording.read_truth`."""
        return recording.read_truth(self.folder)

    @property
    def is_empty(self) -> bool:
        """Whether the ledger names no block and no loss; reads up to the first that it names."""
        rows = (row for row, _ in self._ledger_rows())
        return not any(isinstance(row, BlockRow | LossRow) for row in rows)

    def rows(self) -> Iterator[BlockRow | LossRow]:
        """Blocks and losses in order.

        A damaged row inside becomes a loss of the lines that it named; a damaged end (the writer
        was killed, the disk ran full) is left out and logged, as nothing says what it was.
        """
        end_line, damaged, closed = self.header.first_line, 0, False
        for row, line_bytes in self._ledger_rows():
            if row is None:
                damaged += line_bytes
                continue
            if damaged and row_start(row) > end_line:
                yield _damaged_rows(end_line, row_start(row))
            damaged, closed, end_line = 0, isinstance(row, CloseRow), recording.end_of(row)
            if not isinstance(row, CloseRow):
                yield row
        if damaged or not closed:
            _log.warning(
                "%s was not closed: it ends at line %d, %d bytes of its ledger are cut off",
                self.folder,
                end_line,
                damaged,
            )

    def pixels(self, row: BlockRow) -> PixelArray:
        """Pixels of a block, bit for bit as they were appended.

        Raises:
            CorruptPieceError: they are not all there, or not as they were written.
        """
        name = recording.segment_name(row.segment)
        try:
            with (self.folder / name).open("rb") as file:
                file.seek(row.offset)
                payload = file.read(row.byte_count)
        except OSError as error:
            msg = f"{name}: {error.strerror}"
            raise CorruptPieceError(msg) from error
        if len(payload) != row.byte_count or zlib.crc32(payload) != row.crc32:
            msg = f"{name}: checksum of the {row.byte_count} bytes at {row.offset} must match"
            raise CorruptPieceError(msg)
        shape = self.header.block_shape(row.line_count)
        stored = np.frombuffer(payload, self.header.stored_dtype)
        if stored.size != np.prod(shape):
            msg = f"{name}: block must be {shape}, got {stored.size} pixels"
            raise CorruptPieceError(msg)
        return stored.reshape(shape)

    def tail(self) -> Tail:
        """Where a writer continues: after the last whole row."""
        end_line, kept_bytes, read_bytes, closed = self.header.first_line, 0, 0, False
        for row, line_bytes in self._ledger_rows():
            read_bytes += line_bytes
            if row is not None:
                end_line, kept_bytes = recording.end_of(row), read_bytes
                closed = isinstance(row, CloseRow)
        return Tail(end_line, kept_bytes, closed)

    def _ledger_rows(self) -> Iterator[tuple[Row | None, int]]:
        """Each row, None for a damaged one, with its length in bytes."""
        path = self.folder / recording.LEDGER
        if not path.is_file():  # killed between the header and the ledger
            return
        with path.open("rb") as ledger:
            for line in ledger:
                yield recording.decode_row(line), len(line)


def row_start(row: Row) -> int:
    """First line of a row; a close row starts where it ends."""
    return row.end_line if isinstance(row, CloseRow) else row.first_line


def _damaged_rows(first_line: int, end_line: int) -> LossRow:
    detail = "ledger of the recording is damaged"
    return LossRow(first_line, end_line - first_line, GapReason.CORRUPT_INPUT, 0, detail)
