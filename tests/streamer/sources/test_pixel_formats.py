import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.sources.pixel_formats import PIXEL_FORMATS, pixel_format, unpack

STREAMS = {"Mono10p": 10, "Mono12p": 12, "Mono14p": 14}
LEGACY = {"Mono10Packed": 10, "Mono12Packed": 12}
WORDS = {"Mono10": 10, "Mono12": 12, "Mono14": 14, "Mono16": 16}
SIZES = st.tuples(st.integers(1, 7), st.integers(1, 19))


def pack_stream(values: list[int], depth: int) -> bytes:
    """PFNC "p": bit i of the stream is bit i % 8 of byte i // 8; pixels follow lowest bit first."""
    packed = bytearray(-(-len(values) * depth // 8))
    for number, value in enumerate(values):
        for bit in range(depth):
            if value >> bit & 1:
                place = number * depth + bit
                packed[place // 8] |= 1 << place % 8
    return bytes(packed)


def pack_legacy(values: list[int], depth: int) -> bytes:
    """GigE Vision 1.2: high byte, shared byte (low bits at 0 and at 4), high byte."""
    packed = bytearray()
    for first in range(0, len(values), 2):
        pair = values[first : first + 2]
        low = [value & (1 << depth - 8) - 1 for value in pair]
        packed.append(pair[0] >> depth - 8)
        packed.append(low[0] | (low[1] << 4 if len(pair) == 2 else 0))
        if len(pair) == 2:
            packed.append(pair[1] >> depth - 8)
    return bytes(packed)


def pack_words(values: list[int], _depth: int) -> bytes:
    return b"".join(bytes((value & 255, value >> 8)) for value in values)


PACKERS = {
    **{name: (pack_stream, depth) for name, depth in STREAMS.items()},
    **{name: (pack_legacy, depth) for name, depth in LEGACY.items()},
    **{name: (pack_words, depth) for name, depth in WORDS.items()},
}


def spread(value: int, depth: int) -> int:
    """High bits repeated below the low ones, bit by bit."""
    bits = [value >> depth - 1 - place % depth & 1 for place in range(16)]
    return sum(bit << 15 - place for place, bit in enumerate(bits))


@pytest.mark.parametrize("name", sorted(PACKERS))
@settings(max_examples=40, deadline=None)
@given(size=SIZES, seed=st.integers(0, 2**32 - 1), surplus=st.integers(0, 5))
def test_what_is_packed_comes_back_with_its_depth(name, size, seed, surplus):
    pack, depth = PACKERS[name]
    lines, columns = size
    values = np.random.default_rng(seed).integers(0, 1 << depth, lines * columns).tolist()
    packed = pack(values, depth)
    assert len(packed) == pixel_format(name).payload_bytes(lines, columns)
    pixels = unpack(packed + b"\xff" * surplus, name, lines, columns)
    assert (pixels.shape, pixels.dtype) == (size, np.uint16)
    assert pixels.reshape(-1).tolist() == [spread(value, depth) for value in values]
    assert (pixels >> 16 - depth).reshape(-1).tolist() == values


@pytest.mark.parametrize("depth", [10, 12, 14])
def test_the_depth_rule_keeps_ends_and_order(depth):
    values = list(range(1 << depth))
    pixels = unpack(pack_words(values, depth), f"Mono{depth}", 1, len(values))[0]
    assert (pixels[0], pixels[-1]) == (0, 65535)
    assert (np.diff(pixels.astype(int)) > 0).all()
    exact = np.arange(1 << depth) * 65535 / ((1 << depth) - 1)
    assert np.abs(pixels - exact).max() < 1


def test_values_beyond_the_depth_are_clipped():
    assert unpack(b"\xff\xff\x00\x04", "Mono10", 1, 2).tolist() == [[65535, 65535]]


@pytest.mark.parametrize(
    ("packed", "name", "values"),
    [  # by hand, from the drawings of the standards
        (b"\x01\x00\x00\x00\x00", "Mono10p", [1, 0, 0, 0]),
        (b"\x00\xfc\x0f\x00\x00", "Mono10p", [0, 1023, 0, 0]),
        (b"\x34\x12\xab", "Mono12p", [0x234, 0xAB1]),
        (b"\xab\x21\xcd", "Mono12Packed", [0xAB1, 0xCD2]),
        (b"\xff\x21\x00", "Mono10Packed", [0x3FD, 2]),
    ],
)
def test_layouts_of_the_standards(packed, name, values):
    kind = pixel_format(name)
    pixels = unpack(packed, name, 1, len(values))
    assert (pixels[0] >> 16 - kind.depth).tolist() == values


def test_bytes_are_not_copied():
    grey = np.arange(6, dtype=np.uint8)
    pixels = unpack(grey, "Mono8", 2, 3)
    assert pixels.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.shares_memory(pixels, grey)
    assert np.shares_memory(unpack(grey, "RGB8", 1, 2), grey)


def test_red_comes_first():
    raw = bytes((1, 2, 3, 4, 5, 6))
    assert unpack(raw, "RGB8", 1, 2).tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert unpack(raw, "BGR8", 1, 2).tolist() == [[[3, 2, 1], [6, 5, 4]]]


@pytest.mark.parametrize("pattern", ["RG", "GB", "GR", "BG"])
@pytest.mark.parametrize(("suffix", "scale"), [("8", 1), ("12p", 16), ("16", 257)])
def test_an_even_colour_survives_its_mosaic(pattern, suffix, scale):
    lines, columns = 5, 6
    order = {"RG": "RGGB", "GB": "GBRG", "GR": "GRBG", "BG": "BGGR"}[pattern]
    colour = {"R": 200 * scale, "G": 100 * scale, "B": 50 * scale}
    mosaic = [colour[order[2 * (y % 2) + x % 2]] for y in range(lines) for x in range(columns)]
    pack = {"8": bytes, "12p": lambda v: pack_stream(v, 12), "16": lambda v: pack_words(v, 16)}
    pixels = unpack(pack[suffix](mosaic), f"Bayer{pattern}{suffix}", lines, columns)
    wanted = [spread(colour[c], 12) if suffix == "12p" else colour[c] for c in "RGB"]
    assert pixels.shape == (lines, columns, 3)
    assert (pixels == np.array(wanted)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=8, max_size=8))
def test_yuv_follows_its_equations(raw):
    luma, blue, red = raw[0::2], raw[1::4], raw[3::4]
    wanted = []
    for place, y in enumerate(luma):
        u, v = blue[place // 2] - 128, red[place // 2] - 128
        rgb = (y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u)
        wanted.append([min(max(value, 0), 255) for value in rgb])
    pixels = unpack(bytes(raw), "YUV422_8", 1, 4)
    assert np.abs(pixels[0].astype(float) - wanted).max() <= 1
    swapped = np.array(raw, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
    assert np.array_equal(unpack(swapped, "UYVY", 1, 4), pixels)
    assert np.array_equal(unpack(swapped, "YUV422_8_UYVY", 1, 4), pixels)


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_every_format_delivers_what_it_announces(name):
    kind = pixel_format(name)
    pixels = unpack(bytes(kind.payload_bytes(4, 6)), name, 4, 6)
    assert pixels.shape == ((4, 6) if kind.channels == 1 else (4, 6, 3))
    assert pixels.dtype == np.dtype(f"u{kind.bits // 8}")
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "lines", "columns", "text"),
    [
        ("Mono9", 1, 1, r"pixel format must be one of .*Mono8.*, got 'Mono9'"),
        ("Mono8", 3, 4, r"data of 3 x 4 Mono8 must be >= 12 bytes, got 10"),
        ("Mono8", 0, 4, r"lines and columns must be > 0, got \(0, 4\)"),
        ("BayerRG8", 2, 4, r"a frame of BayerRG8 must be at least 3 x 3, got \(2, 4\)"),
        ("UYVY", 1, 3, r"columns of UYVY must be even, got 3"),
    ],
)
def test_what_no_frame_can_be_is_refused(name, lines, columns, text):
    with pytest.raises(ValueError, match=text):
        unpack(bytes(10), name, lines, columns)
