"""Makes frames of what a camera's driver grabs; knows no driver and keeps no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.message import GapReason
from streamer.ports import WebFormat
from streamer.sources.block_ids import follow
from streamer.sources.frame import CounterBits, Frame, FrameBreak
from streamer.sources.pixel_formats import pixel_format, unpack
from streamer.sources.received_lines import received_bytes

if TYPE_CHECKING:
    from streamer.camera_sections import ChunkNames
    from streamer.sources.block_ids import BlockCount
    from streamer.sources.camera_port import Grab, ImageFormat
    from streamer.sources.pixel_formats import PixelFormat

_UNWRAPPED = 64
_MOSAICS = ("RG", "GB", "GR", "BG")


def web_format(image: ImageFormat, description: str) -> WebFormat:
    """What such a camera delivers.

    Raises:
        ValueError: its pixel format is not known.
    """
    try:
        kind = pixel_format(image.pixel_format)
    except ValueError as error:
        msg = f"source.pixel_format: {error}; set one that the camera has, too"
        raise ValueError(msg) from None
    return WebFormat(image.columns, kind.channels, kind.bits, description)


def counter_bits(chunks: ChunkNames) -> CounterBits:
    """How wide the counters of the frames are; the transport's count never wraps."""
    frame = chunks.frame_bits if chunks.frame else _UNWRAPPED
    return CounterBits(frame, chunks.line_bits, chunks.encoder_bits)


class FrameMaker:
    """Numbers the frames of one session, and keeps the pixels that arrived."""

    def __init__(self, camera: str, image: ImageFormat, chunks: ChunkNames) -> None:
        self._camera = camera
        self._image = image
        self._chunks = chunks
        self._newest: BlockCount | None = None
        self._chunk_lead = 0  # of the camera's own frame counter over the transport's
        self._arrived_ns = 0

    def make(self, grab: Grab) -> list[Frame | FrameBreak]:
        """The frame, after a break when the camera counts anew or sends another size."""
        since_ns, self._arrived_ns = self._arrived_ns or grab.arrived_ns, grab.arrived_ns
        if grab.is_complete and (grab.columns, grab.pixel_format) != self._line_format:
            detail = f"the camera sends {grab.columns} columns of {grab.pixel_format}"
            reason = GapReason.CORRUPT_INPUT
            return [FrameBreak(self._camera, since_ns, grab.arrived_ns, reason, detail)]
        followed = follow(self._newest, grab.block_id)
        made: list[Frame | FrameBreak] = []
        if followed is None:
            detail = "the camera counts its frames anew"
            made.append(FrameBreak(self._camera, since_ns, grab.arrived_ns, detail=detail))
            followed = follow(None, grab.block_id)
        if followed is not None:
            self._newest, count = followed
            made.append(self._frame(grab, count))
        return made

    @property
    def _line_format(self) -> tuple[int, str]:
        return self._image.columns, self._image.pixel_format

    def _frame(self, grab: Grab, count: int) -> Frame:
        lines, names, counters = grab.lines or self._image.lines, self._chunks, grab.counters
        pixels, valid_lines = self._pixels(grab, lines)
        own_count = _counter(grab, names.frame)
        if own_count is not None:
            self._chunk_lead = own_count - count
        return Frame(
            self._camera,
            pixels,
            valid_lines,
            grab.arrived_ns,
            frame_id=max(count + self._chunk_lead, 0),
            line_id=_counter(grab, names.line),
            encoder_first=_counter(grab, names.encoder_first),
            encoder_last=counters.get(names.encoder_last or "") if valid_lines == lines else None,
        )

    def _pixels(self, grab: Grab, lines: int) -> tuple[np.ndarray, int]:
        """The pixels, and how many lines of them surely arrived."""
        name, columns, payload = self._image.pixel_format, self._image.columns, grab.payload
        kind = pixel_format(name)
        size = kind.payload_bytes(lines, columns)
        if grab.padding_bytes:
            payload = _without_padding(payload, lines, size // lines, grab.padding_bytes)
        is_whole = grab.is_complete and len(payload) >= size
        arrived = size if is_whole else received_bytes(payload, size)
        pixels = unpack(payload.ljust(size, b"\0"), name, lines, columns)
        return pixels, lines if is_whole else _whole_lines(kind, arrived, lines, columns)


def _without_padding(payload: bytes, lines: int, row: int, padding: int) -> bytes:
    """The lines alone; of a payload that was cut off, those that are there."""
    pitch = row + padding
    rows = np.frombuffer(payload.ljust(lines * pitch, b"\0"), np.uint8, lines * pitch)
    there = row * (len(payload) // pitch) + min(len(payload) % pitch, row)
    return rows.reshape(lines, pitch)[:, :row].tobytes()[:there]


def _whole_lines(kind: PixelFormat, arrived: int, lines: int, columns: int) -> int:
    """Lines of which every byte arrived, and every neighbour that their colours are made from."""
    whole = arrived * lines // kind.payload_bytes(lines, columns)
    if kind.payload_bytes(whole, columns) > arrived:
        whole -= 1
    whole -= kind.colour in _MOSAICS
    return max(min(whole, lines), 0)


def _counter(grab: Grab, name: str | None) -> int | None:
    return grab.counters.get(name) if name is not None else None
