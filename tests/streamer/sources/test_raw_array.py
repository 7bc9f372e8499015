"""A .npy file as a web."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamer.config import ReplaySource
from streamer.sources.pieces import CorruptPieceError
from streamer.sources.raw_array import open_array

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.sources.pieces import PieceFeed


def write(path: Path, shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray:
    top = 1 << (8 * np.dtype(dtype).itemsize)
    pixels = np.random.default_rng(1).integers(0, top, shape).astype(dtype)
    np.save(path, pixels)
    return pixels


def opened(path: Path, **options: Any) -> PieceFeed:
    return open_array(ReplaySource(path=path, **options))


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (-5, 8), (8, -5)])
def test_arrays_without_lines_or_columns_are_refused(tmp_path, shape):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"1234")
    with pytest.raises(ValueError, match=r"a\.npy: pixels must be \(lines, columns\)"):
        opened(path)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("shape", [(50, 30), (50, 30, 3), (1, 30)])
def test_arrays_are_exact(tmp_path, dtype, shape):
    stored = write(tmp_path / "a.npy", shape, dtype)
    feed = opened(tmp_path / "a.npy")
    assert feed.format.columns == 30
    assert feed.format.channels == (3 if len(shape) == 3 else 1)
    assert feed.format.bits == stored.dtype.itemsize * 8
    (piece,) = feed.pieces
    assert piece.lines == shape[0]
    np.testing.assert_array_equal(piece.load(), stored)


def test_the_file_is_mapped_not_read(tmp_path):
    write(tmp_path / "a.npy", (50, 30))
    (piece,) = opened(tmp_path / "a.npy").pieces
    assert isinstance(piece.load(), np.memmap)


def test_transpose(tmp_path):
    stored = write(tmp_path / "a.npy", (50, 30, 3), "u2")
    feed = opened(tmp_path / "a.npy", transpose=True)
    assert feed.format.columns == 50
    (piece,) = feed.pieces
    np.testing.assert_array_equal(piece.load(), stored.swapaxes(0, 1))


def test_version_2_headers_read(tmp_path):
    stored = np.arange(60, dtype=np.uint8).reshape(6, 10)
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, stored, version=(2, 0))
    (piece,) = opened(tmp_path / "a.npy").pieces
    np.testing.assert_array_equal(piece.load(), stored)


@pytest.mark.parametrize(("missing_bytes", "whole"), [(1, 49), (30, 49), (31, 48), (1499, 0)])
def test_a_truncated_file_delivers_whole_lines_and_loses_the_rest(tmp_path, missing_bytes, whole):
    path = tmp_path / "a.npy"
    stored = write(path, (50, 30))
    path.write_bytes(path.read_bytes()[:-missing_bytes])
    pieces = list(opened(path).pieces)
    assert sum(piece.lines for piece in pieces) == 50
    for piece in pieces[:-1]:
        np.testing.assert_array_equal(piece.load(), stored[:whole])
    assert pieces[-1].lines == 50 - whole
    with pytest.raises(CorruptPieceError, match=rf"a\.npy: file ends {50 - whole} lines early"):
        pieces[-1].load()


def test_a_truncated_file_cannot_be_transposed(tmp_path):
    path = tmp_path / "a.npy"
    write(path, (50, 30))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.npy: file must be whole to be transposed"):
        opened(path, transpose=True)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u4", "?", "c8", "U3"])
def test_other_types_are_refused(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros((4, 4), dtype))
    with pytest.raises(ValueError, match=r"a\.npy: pixels must be uint8 or uint16, got .*; save"):
        opened(tmp_path / "a.npy")


def test_nan_never_comes_in(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 4), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"must be uint8 or uint16, got float32"):
        opened(tmp_path / "a.npy")


def test_pickled_objects_are_refused_unread(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[object()]]), allow_pickle=True)
    with pytest.raises(ValueError, match="must be uint8 or uint16, got object"):
        opened(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 4), (0, 4), (4, 0), (2, 4, 4, 3), ()])
def test_other_shapes_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"pixels must be \(lines, columns\) or .*, got \("):
        opened(tmp_path / "a.npy")


def test_fortran_order_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(np.zeros((4, 5), np.uint8)))
    with pytest.raises(ValueError, match="pixels must be in C order, got Fortran order"):
        opened(tmp_path / "a.npy")


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01", b"\x93NUMPY\x07\x00"])
def test_what_is_no_array_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npy: file must be a \.npy array, got: "):
        opened(tmp_path / "a.npy")


def test_configured_bits_must_be_those_of_the_file(tmp_path):
    write(tmp_path / "a.npy", (4, 4), "u2")
    with pytest.raises(ValueError, match=r"a\.npy: bits must be 8 as source\.bits says, got 16"):
        opened(tmp_path / "a.npy", bits=8)
