"""Pieces and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.sources.pieces import Piece, check_bits, refuse_pixels


def test_transposing_swaps_lines_and_columns_and_only_then_loads():
    loads = []

    def load() -> np.ndarray:
        loads.append(1)
        return np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    piece = Piece("a", 2, 4, 3, 8, load).transposed()
    assert (piece.lines, piece.columns, piece.channels, piece.bits) == (4, 2, 3, 8)
    assert not loads
    turned = piece.load()
    assert turned.shape == (4, 2, 3)
    np.testing.assert_array_equal(turned[1, 0], [3, 4, 5])
    np.testing.assert_array_equal(piece.transposed().load(), load())


def test_bits_are_checked_only_when_configured():
    check_bits("a.png", 8, None)
    check_bits("a.png", 8, 8)
    with pytest.raises(ValueError, match=r"^a\.png: bits must be 16 as source\.bits says, got 8$"):
        check_bits("a.png", 8, 16)


def test_refusal_has_rule_value_and_remedy():
    assert str(refuse_pixels("a.npy", "uint8", "float32", "convert it")) == (
        "a.npy: pixels must be uint8, got float32; convert it"
    )
