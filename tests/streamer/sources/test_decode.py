"""Decoding is exact or an error, never half a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from streamer.sources.decode import ImageHeader, decode, read_header
from streamer.sources.pieces import CorruptPieceError

if TYPE_CHECKING:
    from pathlib import Path

EXTENSIONS = (".png", ".tif", ".bmp", ".jpg")


def texture(shape: tuple[int, ...], bits: int = 8) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 1 << bits, shape, dtype=f"u{bits // 8}")


def write(path: Path, pixels: np.ndarray) -> np.ndarray:
    assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return pixels


def read(path: Path) -> np.ndarray:
    return decode(path, read_header(path))


@pytest.mark.parametrize("extension", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 3), (1, 1), (1, 20), (12, 1, 3)])
def test_lossless_formats_are_exact(tmp_path, extension, bits, shape):
    path = tmp_path / f"a{extension}"
    stored = write(path, texture(shape, bits))
    header = read_header(path)
    assert header.shape == shape
    assert header.bits == bits
    decoded = decode(path, header)
    assert decoded.dtype == stored.dtype
    np.testing.assert_array_equal(decoded, stored)


@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 3)])
def test_bmp_is_exact(tmp_path, shape):
    stored = write(tmp_path / "a.bmp", texture(shape))
    np.testing.assert_array_equal(read(tmp_path / "a.bmp"), stored)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_are_exact(tmp_path, compression):
    stored = texture((50, 60))
    Image.fromarray(stored).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), stored)


@pytest.mark.parametrize("shape", [(32, 64), (32, 64, 3)])
def test_jpeg_is_close_and_keeps_the_order_of_colours(tmp_path, shape):
    smooth = np.zeros(shape, np.uint8)
    smooth += np.arange(64, dtype=np.uint8).reshape(1, 64, *[1] * (len(shape) - 2)) * 2
    if len(shape) == 3:
        smooth[..., 0] += 90
    write(tmp_path / "a.jpg", smooth)
    assert abs(read(tmp_path / "a.jpg").astype(int) - smooth).max() <= 6


def test_the_kind_follows_the_content_not_the_extension(tmp_path):
    write(tmp_path / "a.jpg", texture((9, 9)))
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png").kind == "JPEG"
    assert read(tmp_path / "a.png").shape == (9, 9)


@pytest.mark.parametrize("extension", EXTENSIONS)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_never_decodes_to_other_pixels(tmp_path_factory, extension, share):
    path = tmp_path_factory.mktemp("cut") / f"a{extension}"
    write(path, texture((40, 50)))
    header, content = read_header(path), path.read_bytes()
    whole = decode(path, header)
    path.write_bytes(content[: int(len(content) * share)])
    try:
        np.testing.assert_array_equal(decode(path, header), whole)
        assert share > 0.99  # only what follows the pixels was cut: the end of a TIFF directory
    except CorruptPieceError as error:
        assert path.name in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "compression"),
    [("a.png", None), ("a.jpg", None), ("a.tif", "tiff_lzw"), ("b.tif", "tiff_adobe_deflate")],
)
def test_damage_inside_a_compressed_file_is_an_error(tmp_path, name, compression):
    path = tmp_path / name
    pixels = np.sort(texture((200, 300)), axis=0)
    if compression:
        Image.fromarray(pixels).save(path, compression=compression)
    else:
        write(path, pixels)
    header, content = read_header(path), bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(CorruptPieceError, match=name):
        decode(path, header)


@pytest.mark.parametrize("bits", [8, 16])
def test_damaged_16_bit_tiff_is_an_error(tmp_path, bits):
    path = tmp_path / "a.tif"
    write(path, np.sort(texture((300, 200, 3), bits), axis=0))
    header, content = read_header(path), bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(CorruptPieceError, match=r"a\.tif"):
        decode(path, header)


def test_a_file_that_changed_or_vanished_is_an_error(tmp_path):
    path = tmp_path / "a.png"
    write(path, texture((20, 40)))
    with pytest.raises(CorruptPieceError, match=r"image must be \(21, 40\), got \(20, 40\)"):
        decode(path, ImageHeader("PNG", 21, 40, 1, 8))
    header = read_header(path)
    path.unlink()
    with pytest.raises(CorruptPieceError, match="No such file"):
        decode(path, header)
    with pytest.raises(FileNotFoundError):
        read_header(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "an empty file"),
        (b"no picture at all", "something else or a damaged header"),
        (b"\xff\xd8\xff", "something else or a damaged header"),
        (b"BM\0\0", "something else or a damaged header|Truncated"),
    ],
)
def test_a_file_without_a_header_is_refused(tmp_path, content, text):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.png: file must be a PNG, TIFF, BMP .*({text})"):
        read_header(path)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("kept", [4, 20, 60])
def test_a_header_that_is_cut_off_is_refused_or_reads(tmp_path, extension, kept):
    path = tmp_path / f"a{extension}"
    write(path, texture((40, 50)))
    path.write_bytes(path.read_bytes()[:kept])
    try:
        header = read_header(path)
    except ValueError as error:
        assert path.name in str(error)  # noqa: PT017
    else:
        assert header.shape == (40, 50)


def test_zero_pixels_are_refused(tmp_path):
    path = tmp_path / "a.bmp"
    write(path, texture((4, 4)))
    content = bytearray(path.read_bytes())
    content[18:22] = bytes(4)  # biWidth
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.bmp: file must be .* image, got something else"):
        read_header(path)


@pytest.mark.parametrize(
    ("mode", "dtype", "shape"),
    [("F", np.float32, (8, 8)), ("RGBA", np.uint8, (8, 8, 4))],
)
def test_float_and_alpha_are_refused(tmp_path, mode, dtype, shape):
    cv2.imwrite(str(tmp_path / "a.tif"), np.ones(shape, dtype))
    text = rf"a\.tif: pixels must be grey or RGB of 8 or 16 bits, got mode {mode}; convert"
    with pytest.raises(ValueError, match=text):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["1", "P"])
def test_bilevel_and_palette_are_refused(tmp_path, mode):
    Image.fromarray(texture((8, 8))).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=f"got mode {mode}"):
        read_header(tmp_path / "a.png")


def test_pages_are_refused(tmp_path):
    page = Image.fromarray(texture((8, 8)))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    with pytest.raises(ValueError, match=r"a\.tif: image must have one page, got 2; save each"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("share", "flipped", "fault"),
    [
        (0.6, None, r"PNG must have \d+ bytes or more, got \d+: it is cut"),
        (1.0, 200, r"checksum of the PNG chunk at byte \d+ must match"),
    ],
)
def test_a_damaged_png_is_explained_and_nothing_else_is_printed(
    tmp_path, capfd, share, flipped, fault
):
    path = tmp_path / "a.png"
    write(path, texture((40, 40)))
    content = bytearray(path.read_bytes())
    if flipped is not None:
        content[flipped] ^= 1
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CorruptPieceError, match=rf"^a\.png: {fault}$"):
        read(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [1, 11, 13, 40])
def test_a_png_without_its_end_is_damaged_wherever_it_is_cut(tmp_path, cut):
    path = tmp_path / "a.png"
    write(path, texture((12, 20)))
    header = read_header(path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CorruptPieceError, match="it is cut"):
        decode(path, header)


def test_a_tiff_whose_next_page_is_scrap_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(texture((12, 20))).save(path)
    content = bytearray(path.read_bytes())
    directory = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[directory : directory + 2], "little")
    next_page = directory + 2 + 12 * entries
    content += bytes(6)  # a directory without entries
    content[next_page : next_page + 4] = (len(content) - 6).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.tif: file must be a PNG, TIFF, BMP or JPEG image"):
        read_header(path)
