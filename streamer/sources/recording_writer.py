"""Writes a recording so that a crash or a full disk costs the last block only; knows no source."""

from __future__ import annotations

import os
import zlib
from typing import IO, TYPE_CHECKING, Self

import msgspec

from streamer.message import LineBlock, LineLoss, require
from streamer.sources import recording
from streamer.sources.recording import BlockRow, CloseRow, Header, LossRow
from streamer.sources.recording_reader import Recording

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from streamer.config import Web
    from streamer.ports import WebFormat

SEGMENT_BYTES = 1 << 30


class RecordingWriter:
    """Appends blocks and losses to a recording; a context manager that closes it.

    Every block is handed to the operating system before `append` returns: it survives the death of
    this process. It survives a power failure from the next new segment or `close` on.
    """

    def __init__(
        self,
        folder: Path,
        web_format: WebFormat,
        web: Web,
        segment_bytes: int = SEGMENT_BYTES,
        first_line: int = 0,
    ) -> None:
        """Start a new recording in an empty folder, or continue the one in it at its `end_line`.

        A new one begins with line `first_line` of the roll.

        Raises:
            FileExistsError: `folder` holds something else.
            ValueError: the recording in `folder` is of another web or version.
            OSError: the folder cannot be written.
        """
        self.folder = folder
        self.end_line = first_line
        self._header = msgspec.structs.replace(_header(web_format, web), first_line=first_line)
        self._closed = False
        self._rows_are_whole = True
        ledger_bytes = self._prepare()
        self._segments = _Segments(folder, segment_bytes)
        self._ledger = (folder / recording.LEDGER).open("ab", buffering=0)
        self._ledger.truncate(ledger_bytes)

    def append(self, item: LineBlock | LineLoss) -> None:
        """Store the valid lines of a block, or a loss.

        Raises:
            ValueError: the lines repeat, or the pixels are not what the recording holds.
            OSError: the disk is full or fails; everything appended before stays readable, and
                the recording can only be closed.
        """
        self._check(item)
        self._rows_are_whole = False  # until this one is
        try:
            row = self._store(item) if isinstance(item, LineBlock) else _loss_row(item)
            _write_all(self._ledger, recording.encode_row(row))
        except OSError as error:
            msg = (
                f"recording {self.folder} must have room to grow, got {error.strerror!r} at line "
                f"{item.first_line}; the lines before it are stored and readable"
            )
            raise OSError(msg) from error
        self._rows_are_whole = True
        self.end_line = recording.end_of(row)

    def close(self, truth: bytes = b"") -> None:
        """Finish the recording and force it to the disk; may be called twice.

        After an `append` that failed or was interrupted only the files are closed: the ledger may
        end in a part of a row, and reads up to the last whole one.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._segments.close()
            if self._rows_are_whole:
                self._finish(truth)
        finally:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self) -> int:
        """Length of the ledger that is kept, in bytes; sets `end_line`."""
        if (self.folder / recording.HEADER).is_file():
            known = Recording(self.folder)
            _require_same_web(self.folder, known.header, self._header)
            tail = known.tail()
            self.end_line = tail.end_line
            return tail.ledger_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            msg = f"{self.folder}: folder must be empty or a recording, got other files in it"
            raise FileExistsError(msg)
        recording.write_whole(self.folder / recording.HEADER, msgspec.json.encode(self._header))
        return 0

    def _check(self, item: LineBlock | LineLoss) -> None:
        ready = self._rows_are_whole and not self._closed
        require(ready, "recording must be open and in order to append", str(self.folder))
        ascending = item.first_line >= self.end_line
        require(ascending, f"first_line must be >= {self.end_line}", item.first_line)
        if isinstance(item, LineBlock):
            pixels, bits = item.pixels, self._header.bits
            wanted = self._header.block_shape(len(pixels))
            fits = pixels.shape == wanted and pixels.dtype.itemsize * 8 == bits
            given = (pixels.shape, str(pixels.dtype))
            require(fits, f"block must be {wanted} of {bits} bits", given)

    def _store(self, block: LineBlock) -> BlockRow:
        web = block.pixels[: block.valid_lines]
        payload = web.astype(self._header.stored_dtype, copy=False).tobytes()
        segment, offset = self._segments.write(payload)
        masked = tuple((interval.first, interval.end) for interval in block.masked)
        return BlockRow(
            block.first_line,
            block.valid_lines,
            segment,
            offset,
            len(payload),
            zlib.crc32(payload),
            block.captured_ns,
            int(block.flags),
            masked,
            block.encoder_first,
            block.encoder_last,
        )

    def _finish(self, truth: bytes) -> None:
        _write_all(self._ledger, recording.encode_row(CloseRow(self.end_line)))
        os.fsync(self._ledger.fileno())
        if truth:
            recording.write_whole(self.folder / recording.TRUTH, truth)


class _Segments:
    """Append-only pixel files of bounded size; never writes into a file that it did not start."""

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._number = len(list(folder.glob("lines-*.raw"))) - 1
        self._file: IO[bytes] | None = None

    def write(self, payload: bytes) -> tuple[int, int]:
        """Append `payload`; the segment and offset where it now is."""
        if self._file is None or self._file.tell() >= self._segment_bytes:
            self.close()
            self._number += 1
            path = self._folder / recording.segment_name(self._number)
            self._file = path.open("xb", buffering=0)
        offset = self._file.tell()
        _write_all(self._file, payload)
        return self._number, offset

    def close(self) -> None:
        """Force the present segment to the disk and close it."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                os.fsync(file.fileno())


def _write_all(file: IO[bytes], payload: bytes) -> None:
    """Write everything: a raw file may take less than it is given when the disk runs full."""
    rest = memoryview(payload)
    while rest:
        rest = rest[file.write(rest) :]


def _header(web_format: WebFormat, web: Web) -> Header:
    return Header(
        format=recording.FORMAT,
        version=(recording.MAJOR, recording.MINOR),
        columns=web_format.columns,
        channels=web_format.channels,
        bits=web_format.bits,
        pixel_mm=web.pixel_mm,
        line_mm=web.down_mm,
        web_speed_m_min=web.web_speed_m_min,
        description=web_format.description,
    )


def _loss_row(loss: LineLoss) -> LossRow:
    return LossRow(loss.first_line, loss.line_count, loss.reason, loss.captured_ns, loss.detail)


def _require_same_web(folder: Path, known: Header, wanted: Header) -> None:
    for quantity in ("columns", "channels", "bits", "pixel_mm", "line_mm"):
        stored, given = getattr(known, quantity), getattr(wanted, quantity)
        if stored != given:
            msg = f"{folder}: {quantity} must be {stored} as in the recording, got {given}"
            raise ValueError(msg)
