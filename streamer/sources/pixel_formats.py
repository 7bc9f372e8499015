"""Pixels as a camera packs them, by their GenICam names, to arrays; knows no camera and no link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

import cv2
import numpy as np

from streamer.message import PixelArray, require

if TYPE_CHECKING:
    from collections.abc import Mapping

Packing = Literal["bytes", "words", "stream", "legacy"]
Colour = Literal["mono", "rgb", "bgr", "yuyv", "uyvy", "RG", "GB", "GR", "BG"]
_DEMOSAICING = {
    "RG": cv2.COLOR_BayerRGGB2RGB,
    "GB": cv2.COLOR_BayerGBRG2RGB,
    "GR": cv2.COLOR_BayerGRBG2RGB,
    "BG": cv2.COLOR_BayerBGGR2RGB,
}
_LEAST_BAYER = 3  # lines and columns: OpenCV interpolates nothing where there is no inner pixel
_BITS_PER_SAMPLE: dict[Packing, int] = {"bytes": 8, "words": 16, "legacy": 12}


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How one pixel format lies in memory (EMVA PFNC 2.4; "Packed": GigE Vision 1.2).

    `depth` is the bits of a sample that count. "bytes": one sample a byte; "words": little-endian,
    the value in the low bits; "stream" (names ending in "p"): one stream of bits, the lowest
    first, that runs on from line to line; "legacy" (names ending in "Packed"): two samples in three
    bytes, the low bits of both in the middle one.
    """

    depth: int
    packing: Packing
    colour: Colour = "mono"

    @property
    def channels(self) -> int:
        """Of what `unpack` delivers: 1 or 3 (red, green, blue)."""
        return 1 if self.colour == "mono" else 3

    @property
    def bits(self) -> int:
        """Of what `unpack` delivers: 8 or 16."""
        return 8 if self.depth == 8 else 16

    def payload_bytes(self, lines: int, columns: int) -> int:
        """Bytes of a frame without line padding."""
        bits = self.depth if self.packing == "stream" else _BITS_PER_SAMPLE[self.packing]
        return -(-lines * columns * self._samples_per_pixel * bits // 8)

    @property
    def _samples_per_pixel(self) -> int:
        return {"rgb": 3, "bgr": 3, "yuyv": 2, "uyvy": 2}.get(self.colour, 1)


def _known_formats() -> dict[str, PixelFormat]:
    mono: dict[str, tuple[int, Packing]] = {
        "8": (8, "bytes"),
        **{str(depth): (depth, "words") for depth in (10, 12, 14, 16)},
        **{f"{depth}p": (depth, "stream") for depth in (10, 12, 14)},
        **{f"{depth}Packed": (depth, "legacy") for depth in (10, 12)},
    }
    colours: dict[str, Colour] = {
        "Mono": "mono",
        "BayerRG": "RG",
        "BayerGB": "GB",
        "BayerGR": "GR",
        "BayerBG": "BG",
    }
    known = {
        prefix + suffix: PixelFormat(depth, packing, colour)
        for prefix, colour in colours.items()
        for suffix, (depth, packing) in mono.items()
    }
    for colour, names in _COLOUR_NAMES.items():
        known |= {name: PixelFormat(8, "bytes", colour) for name in names}
    return known


# The first name is PFNC's, the others are GigE Vision's older ones for the same bytes.
_COLOUR_NAMES: dict[Colour, tuple[str, ...]] = {
    "rgb": ("RGB8", "RGB8Packed"),
    "bgr": ("BGR8", "BGR8Packed"),
    "yuyv": ("YUV422_8", "YUYV", "YUV422_YUYV_Packed"),
    "uyvy": ("YUV422_8_UYVY", "UYVY", "YUV422Packed"),
}
PIXEL_FORMATS: Mapping[str, PixelFormat] = _known_formats()


def pixel_format(name: str) -> PixelFormat:
    """The format of that PFNC name.

    Raises:
        ValueError: it is none that is known here; the text lists those that are.
    """
    known = PIXEL_FORMATS.get(name)
    if known is None:
        msg = f"pixel format must be one of {', '.join(sorted(PIXEL_FORMATS))}, got {name!r}"
        raise ValueError(msg)
    return known


def unpack(
    data: bytes | bytearray | memoryview | PixelArray, name: str, lines: int, columns: int
) -> PixelArray:
    """A frame's bytes -> (lines, columns[, 3]) uint8 or uint16, red first; `name` as in PFNC.

    Depth is kept: 8 bits give uint8; 10, 12 and 14 bits are spread over all 16 by repeating their
    high bits below the low ones, v << (16 - n) | v >> (2 n - 16): zero stays zero, full scale
    becomes 65535, order is kept and v is the result >> (16 - n). What exceeds the depth is clipped.
    Bayer is demosaiced bilinearly within the frame (OpenCV). YUV is full-range BT.601 as PFNC
    has it, with a colour shared by two pixels. `data` beyond the frame (chunks, padding at the end)
    is ignored; lines must follow each other without padding. Mono8, Mono16 and RGB8 come as a view
    of `data`, everything else as a copy.

    Raises:
        ValueError: unknown format, too few bytes, or a size that the format cannot have.
    """
    kind = pixel_format(name)
    require(lines > 0 and columns > 0, "lines and columns must be > 0", (lines, columns))
    packed = np.frombuffer(data, np.uint8)
    wanted = kind.payload_bytes(lines, columns)
    rule = f"data of {lines} x {columns} {name} must be >= {wanted} bytes"
    require(packed.size >= wanted, rule, packed.size)
    _require_size(kind, name, lines, columns)
    samples = _spread(_samples(packed[:wanted], kind), kind.depth)
    return _coloured(samples.reshape(lines, columns, -1), kind.colour)


def _require_size(kind: PixelFormat, name: str, lines: int, columns: int) -> None:
    if kind.colour in _DEMOSAICING:
        rule = f"a frame of {name} must be at least {_LEAST_BAYER} x {_LEAST_BAYER}"
        require(min(lines, columns) >= _LEAST_BAYER, rule, (lines, columns))
    if kind.colour in ("yuyv", "uyvy"):
        require(columns % 2 == 0, f"columns of {name} must be even", columns)


def _samples(packed: PixelArray, kind: PixelFormat) -> PixelArray:
    """Bytes of exactly one frame -> (samples,) as the sensor counted, perhaps with a few more."""
    match kind.packing:
        case "bytes":
            return packed
        case "words":
            return packed.view("<u2").astype(np.uint16, copy=False)
        case "stream":
            return _from_stream(packed, kind.depth)
        case "legacy":
            return _from_legacy(packed, kind.depth)
        case _:
            assert_never(kind.packing)


def _from_stream(packed: PixelArray, depth: int) -> PixelArray:
    """A stream of `depth`-bit values, lowest bit first."""
    per_group = 8 // math.gcd(depth, 8)
    count = packed.size * 8 // depth
    groups = _whole_groups(packed, per_group * depth // 8)
    values = np.empty((len(groups), per_group), np.uint16)
    for place in range(per_group):
        first, shift = divmod(place * depth, 8)
        last = (place * depth + depth - 1) // 8
        kind = np.uint32 if last - first > 1 else np.uint16
        word: PixelArray = groups[:, first].astype(kind)
        for byte in range(first + 1, last + 1):
            word |= np.left_shift(groups[:, byte].astype(kind), 8 * (byte - first))
        values[:, place] = word >> kind(shift) & kind((1 << depth) - 1)
    return values.reshape(-1)[:count]


def _from_legacy(packed: PixelArray, depth: int) -> PixelArray:
    """Two samples in three bytes; a last odd one takes two."""
    count = packed.size * 2 // 3
    groups = _whole_groups(packed, 3)
    low_bits = depth - 8
    shared = groups[:, 1].astype(np.uint16)
    values = np.empty((len(groups), 2), np.uint16)
    for place, shift in ((0, 0), (1, 4)):
        high = groups[:, 2 * place].astype(np.uint16) << low_bits
        values[:, place] = high | shared >> shift & (1 << low_bits) - 1
    return values.reshape(-1)[:count]


def _whole_groups(packed: PixelArray, size: int) -> PixelArray:
    """(groups, size) bytes; what is missing at the end is zero."""
    missing = -packed.size % size
    return np.pad(packed, (0, missing)).reshape(-1, size) if missing else packed.reshape(-1, size)


def _spread(samples: PixelArray, depth: int) -> PixelArray:
    """Values of `depth` bits over the whole range of their type."""
    if depth in (8, 16):
        return samples
    values: PixelArray = np.minimum(samples, np.uint16((1 << depth) - 1), dtype=np.uint16)
    low: PixelArray = np.right_shift(values, 2 * depth - 16)
    np.left_shift(values, 16 - depth, out=values)
    np.bitwise_or(values, low, out=values)
    return values


def _coloured(samples: PixelArray, colour: Colour) -> PixelArray:
    """(lines, columns, samples of a pixel) -> (lines, columns[, 3])."""
    match colour:
        case "mono":
            return samples[:, :, 0]
        case "rgb":
            return samples
        case "bgr":
            return np.ascontiguousarray(samples[:, :, ::-1])
        case "yuyv" | "uyvy":
            return _from_yuv(samples, colour)
        case "RG" | "GB" | "GR" | "BG":
            full: PixelArray = cv2.cvtColor(samples[:, :, 0], _DEMOSAICING[colour])
            return full
        case _:
            assert_never(colour)


def _from_yuv(samples: PixelArray, colour: Literal["yuyv", "uyvy"]) -> PixelArray:
    luma = 0 if colour == "yuyv" else 1
    chroma = samples[:, :, 1 - luma]
    blue, red = (np.repeat(chroma[:, first::2], 2, axis=1) for first in (0, 1))
    planes = np.stack((samples[:, :, luma], red, blue), axis=-1)
    coloured: PixelArray = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)
    return coloured
