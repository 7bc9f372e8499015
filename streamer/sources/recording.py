"""The recording format: a folder that is only ever appended to; knows no camera and no replay."""

# recording.json    header: format, version, web; written whole before the first line
# ledger.rows       a row per block, loss or close: CRC-32 (8 hex digits), space, JSON, newline
# lines-00000.raw   pixels of the blocks, C order, 16 bits little-endian; a new file per 1 GiB
# truth.json        ground truth, when the source has one
#
# Pixels are written before the row that names them, so a row is a promise that its pixels are
# there, and its CRC-32 lets a reader check. After a crash all up to the last whole row reads.

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import numpy as np

from streamer.message import GapReason  # noqa: TC001  (msgspec reads it at run time)
from streamer.ports import WebFormat

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "linescan-recording"
MAJOR, MINOR = 1, 1  # 1.1: first_line
HEADER, LEDGER, TRUTH = "recording.json", "ledger.rows", "truth.json"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Content of recording.json; readers ignore fields that they do not know.

    `first_line` is the line of the roll that a replay begins with: rows keep the roll's numbers.
    """

    format: str
    version: tuple[int, int]
    columns: int
    channels: int
    bits: int
    pixel_mm: float
    line_mm: float
    web_speed_m_min: float
    description: str = ""
    first_line: int = 0

    @property
    def web_format(self) -> WebFormat:
        """What a replay delivers."""
        return WebFormat(self.columns, self.channels, self.bits, self.description)

    @property
    def stored_dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """Type of a stored pixel, little-endian on every machine."""
        return np.dtype("u1") if self.bits == 8 else np.dtype("<u2")

    def block_shape(self, lines: int) -> tuple[int, ...]:
        """Shape of `lines` lines: (lines, columns) or (lines, columns, 3)."""
        plane = (lines, self.columns)
        return plane if self.channels == 1 else (*plane, self.channels)


class BlockRow(msgspec.Struct, frozen=True, tag="block", tag_field="row"):
    """A block: its pixels are `byte_count` bytes at `offset` of segment file `segment`."""

    first_line: int
    line_count: int
    segment: int
    offset: int
    byte_count: int
    crc32: int
    captured_ns: int
    flags: int = 0
    masked: tuple[tuple[int, int], ...] = ()
    encoder_first: int = 0
    encoder_last: int = 0


class LossRow(msgspec.Struct, frozen=True, tag="loss", tag_field="row"):
    """Lines that the source knew to exist but could not deliver."""

    first_line: int
    line_count: int
    reason: GapReason
    captured_ns: int
    detail: str = ""


class CloseRow(msgspec.Struct, frozen=True, tag="close", tag_field="row"):
    """The writer was closed in order; more rows may follow when the recording was continued."""

    end_line: int


class TruthDefect(msgspec.Struct, frozen=True):
    """Where a known defect lies, in pixels, half-open; readers ignore what else is said of it."""

    id: int | str
    kind: str
    first_line: int
    end_line: int
    first_column: int
    end_column: int

    def __post_init__(self) -> None:
        """Raise ValueError when it lies nowhere."""
        lines, columns = (self.first_line, self.end_line), (self.first_column, self.end_column)
        if not (0 <= lines[0] <= lines[1] and 0 <= columns[0] <= columns[1]):
            msg = f"a defect must have lines and columns from 0 on, got {lines} and {columns}"
            raise ValueError(msg)


class Truth(msgspec.Struct, frozen=True):
    """Content of truth.json: the lines that it speaks of and the defects in them."""

    version: Literal[1]
    first_line: int
    end_line: int
    defects: list[TruthDefect]


Row: TypeAlias = BlockRow | LossRow | CloseRow
_row_decoder = msgspec.json.Decoder(Row)
_header_decoder = msgspec.json.Decoder(Header)
_truth_decoder = msgspec.json.Decoder(Truth)


def segment_name(number: int) -> str:
    """File name of a segment of pixels."""
    return f"lines-{number:05d}.raw"


def encode_row(row: Row) -> bytes:
    """One line of the ledger, with its newline."""
    payload = msgspec.json.encode(row)
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def decode_row(line: bytes) -> Row | None:
    """The row of one line of the ledger; None when the line is damaged or cut."""
    stated, _, payload = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or stated != b"%08x" % zlib.crc32(payload):
        return None
    try:
        row: Row = _row_decoder.decode(payload)
    except msgspec.DecodeError:
        return None
    return row


def end_of(row: Row) -> int:
    """First line after the row."""
    return row.end_line if isinstance(row, CloseRow) else row.first_line + row.line_count


def read_header(folder: Path) -> Header:
    """The header of a recording.

    Raises:
        ValueError: not a recording, or one of a major version that this program does not know.
    """
    try:
        header = _header_decoder.decode((folder / HEADER).read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{folder / HEADER}: file must be the header of a recording, got: {error}"
        raise ValueError(msg) from None
    if header.format != FORMAT:
        msg = f"{folder / HEADER}: format must be {FORMAT!r}, got {header.format!r}"
        raise ValueError(msg)
    if header.version[0] != MAJOR:
        msg = (
            f"{folder}: recording version must be {MAJOR}.x, got {header.version}; update linescan"
        )
        raise ValueError(msg)
    _check_geometry(folder, header)
    return header


def read_truth(folder: Path) -> bytes:
    """The JSON ground truth of a recording; b"" when it has none.

    Raises:
        ValueError: truth.json is something else than `linescan simulate` writes.
    """
    path = folder / TRUTH
    if not path.is_file():
        return b""
    truth = path.read_bytes()
    try:
        _truth_decoder.decode(truth)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = (
            f"{path}: file must be ground truth as `linescan simulate` writes it, got: {error}; "
            f"remove it to go without"
        )
        raise ValueError(msg) from None
    return truth


def _check_geometry(folder: Path, header: Header) -> None:
    sizes = (header.columns, header.channels, header.bits)
    if header.columns < 1 or header.channels not in (1, 3) or header.bits not in (8, 16):
        msg = f"{folder / HEADER}: columns, channels and bits must describe a web, got {sizes}"
        raise ValueError(msg)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
