"""Checks the slice checksums of FFV1, which FFmpeg conceals when they fail; decodes nothing."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from pathlib import Path

# RFC 9043, 4.9: a slice ends with its size (24 bits), a status byte and a CRC-32 that makes the
# CRC of the whole slice 0. It runs from the highest bit down, zlib's from the lowest up.
_FOOTER = 8
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_ZERO = 0xFFFFFFFF  # zlib's spelling of a CRC of 0 without its inversions


def slices_are_whole(packet: bytes) -> bool:
    """Whether an encoded frame is a chain of slices whose checksums all hold."""
    end = len(packet)
    while end >= _FOOTER:
        start = end - _FOOTER - int.from_bytes(packet[end - _FOOTER : end - 5], "big")
        if start < 0 or zlib.crc32(packet[start:end].translate(_REVERSED), _ZERO) != _ZERO:
            return False
        end = start
    return end == 0 and len(packet) > 0


class FrameCheck:
    """Reads the encoded frames of a file beside its decoder.

    A frame depends on those before it back to a key frame: it is damaged when any of them is.
    """

    def __init__(self, path: Path) -> None:
        """Open `path` a second time; `has_checksums` says whether its first frame carries them."""
        self._packets = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
        self._position_ms = -1.0
        self._damaged = False
        self._advance()
        self.has_checksums = not self._damaged

    def is_damaged(self, position_ms: float) -> bool:
        """Whether the frame at this time stamp is not what was recorded; ask in ascending order."""
        while self._position_ms < position_ms - 0.001 and self._advance():
            pass
        return self.has_checksums and self._damaged

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._packets.release()

    def _advance(self) -> bool:
        if not self._packets.grab():
            return False
        ok, packet = self._packets.retrieve()
        whole = ok and slices_are_whole(packet.tobytes())
        starts_anew = self._packets.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) != 0
        self._damaged = not whole or (self._damaged and not starts_anew)
        self._position_ms = self._packets.get(cv2.CAP_PROP_POS_MSEC)
        return True
