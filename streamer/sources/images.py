"""Folders of images and single images as pieces of a web; knows no decoder's quirks."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from streamer.ports import WebFormat
from streamer.sources.decode import decode, read_header
from streamer.sources.pieces import Piece, PieceFeed, check_bits

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.config import ReplaySource

EXTENSIONS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_log = logging.getLogger(__name__)


def open_images(settings: ReplaySource) -> PieceFeed:
    """The images of `settings.path`, sorted by path, one piece each; only headers are read now.

    Raises:
        ValueError: no image, or images that do not make one web; the text names the file.
    """
    paths = select_images(settings.path, settings.glob)
    pieces = [_piece(path, settings.transpose) for path in paths]
    _check_alike(pieces, settings)
    _warn_of_jpeg(paths)
    columns = max(piece.columns for piece in pieces)
    first = pieces[0]
    description = f"{len(pieces)} images of {settings.path}"
    web = WebFormat(columns, first.channels, first.bits, description)
    return PieceFeed(web, iter(pieces), lambda: None)


def select_images(path: Path, glob: str) -> list[Path]:
    """Image files of a folder that match `glob`, sorted by path; a file stands for itself.

    Raises:
        ValueError: none is left; the text says what was looked for.
    """
    if path.is_file():
        return [path]
    matches = _matches(path, glob)
    images = sorted(match for match in matches if match.suffix.lower() in EXTENSIONS)
    if not images:
        msg = (
            f"{path}: folder must hold images ({' '.join(EXTENSIONS)}) that match "
            f"{glob!r}, got {len(matches)} other files; see source.glob"
        )
        raise ValueError(msg)
    return images


def _matches(path: Path, glob: str) -> list[Path]:
    try:
        return [match for match in path.glob(glob) if match.is_file()]
    except (ValueError, NotImplementedError) as error:
        msg = f"source.glob must be a pattern relative to source.path, got {glob!r} ({error})"
        raise ValueError(msg) from None


def _piece(path: Path, transpose: bool) -> Piece:
    header = read_header(path)
    load = partial(decode, path, header)
    piece = Piece(str(path), header.lines, header.columns, header.channels, header.bits, load)
    return piece.transposed() if transpose else piece


def _check_alike(pieces: list[Piece], settings: ReplaySource) -> None:
    first = pieces[0]
    for piece in pieces:
        check_bits(piece.name, piece.bits, settings.bits)
        _require_same(piece, first, "channels", "")
        _require_same(piece, first, "bits", "")
        if settings.width == "error":
            _require_same(piece, first, "columns", "; source.width=pad masks the difference")


def _require_same(piece: Piece, first: Piece, quantity: str, remedy: str) -> None:
    given, wanted = getattr(piece, quantity), getattr(first, quantity)
    if given != wanted:
        msg = f"{piece.name}: {quantity} must be {wanted} as in {first.name}, got {given}{remedy}"
        raise ValueError(msg)


def _warn_of_jpeg(paths: list[Path]) -> None:
    lossy = [path for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]
    if lossy:
        _log.warning(
            "%d of %d images are JPEG (first: %s): lossy compression removes and invents texture",
            len(lossy),
            len(paths),
            lossy[0],
        )
