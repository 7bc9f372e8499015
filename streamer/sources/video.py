"""Video files as pieces of a web, one per frame, through OpenCV; knows no other format."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import cv2

from streamer.ports import WebFormat
from streamer.sources.ffv1 import FrameCheck
from streamer.sources.pieces import (
    CorruptPieceError,
    Piece,
    PieceFeed,
    check_bits,
    printable,
    refuse_pixels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streamer.config import ReplaySource
    from streamer.message import PixelArray

# Upper case, as FFmpeg spells some in lower case. Ut Video is every "UL..".
LOSSLESS = frozenset(
    ("FFV1", "HFYU", "FFVH", "MPNG", "PNG1", "PNG ", "LAGS", "Y800", "GREY", "RAW ", "DIB ", "RAWV")
)
_UNNAMED = "\0\0\0\0"  # what OpenCV says of raw video, and of some codecs that it cannot name
_GREY_8 = "Y800"
_GREY_16 = "Y1\0\x10"  # little-endian; OpenCV hands out the other order as 8-bit nonsense
_GREY_16_SWAPPED = "\x10\x001Y"
_STEADY = 0.05  # of a frame: how exact a time stamp must be to be taken for a frame number
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """What the container says; `frames` is 0 when it does not say."""

    path: Path
    codec: str
    pixel_format: str
    lines: int
    columns: int
    frames: int
    frames_per_s: float

    @property
    def codec_name(self) -> str:
        """For people."""
        return self.codec.strip("\0 ") or "unnamed"

    @property
    def is_grey(self) -> bool:
        """Whether frames are delivered as they are stored, in one channel."""
        return self.pixel_format in (_GREY_8, _GREY_16)

    @property
    def is_lossless(self) -> bool:
        """Whether the codec keeps every pixel; unnamed codecs do if the file is large enough."""
        if self.codec == _UNNAMED:
            raw_bytes = self.frames * self.lines * self.columns
            return 0 < raw_bytes <= self.path.stat().st_size
        return self.codec in LOSSLESS or self.codec.startswith("UL")

    @property
    def frame(self) -> Piece:
        """A frame as a piece that nothing can load yet."""
        channels = 1 if self.is_grey else 3
        bits = 16 if self.pixel_format == _GREY_16 else 8
        fault = f"{self.path.name}: frames that the container counts are missing"
        return Piece(
            str(self.path), self.lines, self.columns, channels, bits, partial(_refuse, fault)
        )


def open_video(settings: ReplaySource) -> PieceFeed:
    """The frames of `settings.path` in order; colour as RGB of 8 bits, grey as it is stored.

    Frames that the container counts but that are not there are corrupt pieces, and so are FFV1
    frames whose checksums fail. Codecs without a checksum cannot tell damage from texture.

    Raises:
        ValueError: not a video, a lossy codec without `source.allow_lossy`, or the wrong bits.
    """
    path = settings.path
    if str(path) != printable(str(path)):  # OpenCV would crash
        msg = f"{printable(str(path))}: file name must be UTF-8 for a video, rename it"
        raise ValueError(msg)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        header = _read_header(path, capture)
        _check(header, settings)
    except ValueError:
        capture.release()
        raise
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0 if header.is_grey else 1)
    film = _Film(capture, header, settings.transpose, _open_check(header))
    description = f"{header.frames} frames of {path} ({header.codec_name})"
    web = WebFormat(film.frame.columns, film.frame.channels, film.frame.bits, description)
    return PieceFeed(web, film.pieces(), film.close)


def _open_check(header: VideoHeader) -> FrameCheck | None:
    check = FrameCheck(header.path) if header.codec == "FFV1" else None
    if check is None or not check.has_checksums:
        _log.warning(
            "%s: %s has no checksums: damage inside a frame goes unseen",
            header.path,
            header.codec_name,
        )
    return check


def _read_header(path: Path, capture: cv2.VideoCapture) -> VideoHeader:
    lines = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    columns = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    if not capture.isOpened() or min(lines, columns) <= 0:
        msg = f"{path}: file must be a video that OpenCV can open, got {path.stat().st_size} bytes"
        raise ValueError(msg)
    return VideoHeader(
        path,
        _tag(capture, cv2.CAP_PROP_FOURCC).upper(),
        _tag(capture, cv2.CAP_PROP_CODEC_PIXEL_FORMAT),
        lines,
        columns,
        max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0),
        capture.get(cv2.CAP_PROP_FPS),
    )


def _tag(capture: cv2.VideoCapture, quantity: int) -> str:
    return (int(capture.get(quantity)) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1")


def _check(header: VideoHeader, settings: ReplaySource) -> None:
    name, codec = str(header.path), header.codec_name
    if not header.is_lossless and not settings.allow_lossy:
        known = "FFV1, HuffYUV, Ut Video, PNG or raw"
        remedy = "source.allow_lossy=true accepts it"
        msg = f"{name}: codec must be lossless ({known}), got {codec}; {remedy}"
        raise ValueError(msg)
    if header.pixel_format == _GREY_16_SWAPPED:
        remedy = "use FFV1 for 16-bit video"
        raise refuse_pixels(name, "8-bit, or 16-bit little-endian", "16-bit big-endian", remedy)
    check_bits(name, header.frame.bits, settings.bits)
    if not header.is_lossless:
        _log.warning("%s: %s is lossy: it removes and invents texture", name, codec)


@dataclass(frozen=True, slots=True)
class _Film:
    """An open video; `check` is there when the codec can tell damage."""

    capture: cv2.VideoCapture
    header: VideoHeader
    transpose: bool
    check: FrameCheck | None

    @property
    def frame(self) -> Piece:
        """A frame as it lies on the web, that nothing can load yet."""
        return self.header.frame.transposed() if self.transpose else self.header.frame

    def close(self) -> None:
        self.capture.release()
        if self.check is not None:
            self.check.close()

    def pieces(self) -> Iterator[Piece]:
        """Frames as they are grabbed; one that the replay skips is never converted."""
        frame, count = self.frame, 0
        while self.capture.grab():
            position_ms = self.capture.get(cv2.CAP_PROP_POS_MSEC)
            index = max(self._index(position_ms, count), count)
            if index > count:
                yield replace(frame, lines=frame.lines * (index - count))
            yield replace(
                frame, name=f"{frame.name} frame {index}", load=self._loader(position_ms, index)
            )
            count = index + 1
        if count < self.header.frames:
            yield replace(frame, lines=frame.lines * (self.header.frames - count))

    def _index(self, position_ms: float, expected: int) -> int:
        """Number of the frame just grabbed: its time shows when the decoder left some out."""
        position = position_ms * self.header.frames_per_s / 1000
        steady = abs(position - round(position)) < _STEADY and round(position) < self.header.frames
        return round(position) if steady else expected

    def _loader(self, position_ms: float, index: int) -> Callable[[], PixelArray]:
        if self.check is not None and self.check.is_damaged(position_ms):
            fault = f"{self.header.path.name}: frame {index} fails its checksum"
            return partial(_refuse, fault)
        return self._retrieve

    def _retrieve(self) -> PixelArray:
        ok, pixels = self.capture.retrieve()
        wanted = (self.header.lines, self.header.columns)
        if not ok or pixels.shape[:2] != wanted or (pixels.ndim == 2) != self.header.is_grey:
            _refuse(f"{self.header.path.name}: a frame does not decode")
        if not self.header.is_grey:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return pixels.swapaxes(0, 1) if self.transpose else pixels


def _refuse(fault: str) -> NoReturn:
    raise CorruptPieceError(fault)
