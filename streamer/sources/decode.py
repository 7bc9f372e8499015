"""Image files to pixels, honestly: a damaged file raises, never half a picture; knows no web."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from streamer.sources.pieces import CorruptPieceError, refuse_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.ImageFile import ImageFile

    from streamer.message import PixelArray

# A strip of 4096 columns and 100,000 lines is a legitimate image here, not an attack.
Image.MAX_IMAGE_PIXELS = None
MAX_PIXELS = 1 << 30  # what OpenCV decodes at most
FORMATS = ("PNG", "TIFF", "BMP", "JPEG")
_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N")
_PNG_SIGNATURE_BYTES, _PNG_FRAME_BYTES = 8, 12  # before all chunks; of a chunk beside its content
# What decoders raise at damage: tags that lack, repeat or are of another type than they must be.
_DAMAGE = (SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the first bytes of an image file say; nothing is decoded for it."""

    kind: str
    lines: int
    columns: int
    channels: int
    bits: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded array: (lines, columns) or (lines, columns, 3)."""
        plane = (self.lines, self.columns)
        return plane if self.channels == 1 else (*plane, self.channels)


def read_header(path: Path) -> ImageHeader:
    """Size, channels and bits of an image file.

    Raises:
        ValueError: not an image, or not grey or RGB of 8 or 16 bits; the text names the file.
        OSError: it cannot be read.
    """
    try:
        with _pillow(path) as image:
            _check_extent(path, image)
            channels, bits = _layout(path, image)
            return ImageHeader(str(image.format), image.height, image.width, channels, bits)
    except (OSError, *_DAMAGE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the operating system's, with the name of the file
        msg = f"{path}: file must be a PNG, TIFF, BMP or JPEG image, got {_reason(path, error)}"
        raise ValueError(msg) from None


def decode(path: Path, header: ImageHeader) -> PixelArray:
    """Pixels as (lines, columns) or RGB (lines, columns, 3), uint8 or uint16.

    JPEG goes to simplejpeg and 8-bit TIFF to Pillow, because OpenCV fills what a damaged file of
    these lacks and says nothing; 16-bit TIFF and everything with a checksum (PNG) or without
    compression (BMP) is safe with OpenCV, which alone reads 16-bit RGB.

    Raises:
        CorruptPieceError: the file is truncated, damaged, gone, or not what its header said.
    """
    try:
        pixels = _decode_bytes(path.read_bytes(), header)
    except (OSError, ValueError, *_DAMAGE, cv2.error) as error:
        msg = f"{path.name}: {' '.join(str(error).split())}"
        raise CorruptPieceError(msg) from error
    if pixels is None or pixels.shape != header.shape:
        given = "nothing that decodes" if pixels is None else f"{pixels.shape}"
        msg = f"{path.name}: image must be {header.shape}, got {given}"
        raise CorruptPieceError(msg)
    return pixels


@contextmanager
def _pillow(source: Path | io.BytesIO) -> Iterator[ImageFile]:
    """An opened image; what Pillow warns of is harmless metadata or shows as an error later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source, formats=FORMATS) as image:
            yield image


def _decode_bytes(encoded: bytes, header: ImageHeader) -> PixelArray | None:
    if header.kind == "JPEG":
        colours = "GRAY" if header.channels == 1 else "RGB"
        pixels: PixelArray = simplejpeg.decode_jpeg(encoded, colorspace=colours, strict=True)
        return pixels.reshape(header.shape)
    if header.kind == "TIFF" and header.bits == 8:
        with _pillow(io.BytesIO(encoded)) as image:
            return np.asarray(image)
    if header.kind == "PNG":
        _check_png(encoded)
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim == 2:
        return decoded
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _check_png(encoded: bytes) -> None:
    """Raise ValueError unless all chunks are there with their checksums.

    OpenCV refuses such a file too, but the reason goes to the terminal and names no file.
    """
    content, place, kind = memoryview(encoded), _PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", content[place : place + 8].tobytes().ljust(8, b"\0"))
        end = place + _PNG_FRAME_BYTES + length
        if end > len(content):
            msg = f"PNG must have {end} bytes or more, got {len(content)}: it is cut"
            raise ValueError(msg)
        if zlib.crc32(content[place + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            msg = f"checksum of the PNG chunk at byte {place} must match"
            raise ValueError(msg)
        place = end


def _check_extent(path: Path, image: ImageFile) -> None:
    pixels, pages = image.height * image.width, getattr(image, "n_frames", 1)
    if not 0 < pixels <= MAX_PIXELS:
        given = f"{image.height} x {image.width} pixels"
        msg = f"{path}: image must have 1 to {MAX_PIXELS} pixels, got {given}"
        raise ValueError(msg)
    if pages != 1:
        msg = f"{path}: image must have one page, got {pages}; save each page as a file"
        raise ValueError(msg)


def _layout(path: Path, image: ImageFile) -> tuple[int, int]:
    if image.mode == "L":
        return 1, 8
    if image.mode in _GREY_16:
        return 1, 16
    if image.mode == "RGB":
        raw_modes = " ".join(str(tile[3]) for tile in image.tile)
        return 3, 16 if ";16" in raw_modes else 8
    remedy = "convert the images first"
    raise refuse_pixels(str(path), "grey or RGB of 8 or 16 bits", f"mode {image.mode}", remedy)


def _reason(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "something else or a damaged header"
    return " ".join(str(error).split())
