"""A .npy file as one piece of web, memory-mapped; knows no other format."""

from __future__ import annotations

from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from streamer.ports import WebFormat
from streamer.sources.pieces import CorruptPieceError, Piece, PieceFeed, check_bits, refuse_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.config import ReplaySource
    from streamer.message import PixelArray

_REMEDY = "save it as uint8 or uint16 in C order"


def open_array(settings: ReplaySource) -> PieceFeed:
    """The array of `settings.path`, (lines, columns[, 3]) uint8 or uint16 in C order.

    A file shorter than its header says is delivered as far as it goes; the rest is a corrupt piece.

    Raises:
        ValueError: not such an array.
    """
    path = settings.path
    shape, dtype, offset = _read_header(path)
    check_bits(str(path), dtype.itemsize * 8, settings.bits)
    pieces = list(_pieces(path, shape, dtype, offset))
    if settings.transpose:
        _require_whole(path, pieces)
        pieces = [pieces[0].transposed()]
    first = pieces[0]
    web = WebFormat(first.columns, first.channels, first.bits, f"array {path}")
    return PieceFeed(web, iter(pieces), lambda: None)


def _pieces(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int
) -> Iterator[Piece]:
    line_bytes = int(np.prod(shape[1:])) * dtype.itemsize
    whole = min((path.stat().st_size - offset) // line_bytes, shape[0])
    channels, bits = (shape[2] if len(shape) == 3 else 1), dtype.itemsize * 8
    if whole > 0:
        mapped = partial(np.memmap, path, dtype, "r", offset, (whole, *shape[1:]))
        yield Piece(str(path), whole, shape[1], channels, bits, mapped)
    if whole < shape[0]:
        missing = shape[0] - whole
        lost = partial(_refuse_missing, path, missing)
        yield Piece(str(path), missing, shape[1], channels, bits, lost)


def _require_whole(path: Path, pieces: list[Piece]) -> None:
    if len(pieces) != 1:
        msg = f"{path}: file must be whole to be transposed, got {path.stat().st_size} bytes"
        raise ValueError(msg)


def _refuse_missing(path: Path, missing: int) -> PixelArray:
    msg = f"{path.name}: file ends {missing} lines early"
    raise CorruptPieceError(msg)


def _read_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    try:
        with path.open("rb") as stream:
            shape, fortran, dtype = _parse_header(stream)
            offset = stream.tell()
    except (ValueError, EOFError) as error:
        msg = f"{path}: file must be a .npy array, got: {' '.join(str(error).split())}"
        raise ValueError(msg) from None
    _check_layout(str(path), shape, dtype, fortran)
    return shape, dtype, offset


def _parse_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        return npy.read_array_header_1_0(stream)
    if version == (2, 0):
        return npy.read_array_header_2_0(stream)
    msg = f"version {version[0]}.{version[1]}"
    raise ValueError(msg)


def _check_layout(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], fortran: bool) -> None:
    if dtype.kind != "u" or dtype.itemsize not in (1, 2):
        raise refuse_pixels(name, "uint8 or uint16", dtype, _REMEDY)
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or min(shape) < 1:
        raise refuse_pixels(name, "(lines, columns) or (lines, columns, 3)", shape, _REMEDY)
    if fortran:
        raise refuse_pixels(name, "in C order", "Fortran order", _REMEDY)
