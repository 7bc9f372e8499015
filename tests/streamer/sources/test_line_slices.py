"""Blocks cut down-web: views of the same pixels, with their flags and counts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Interval, LineBlock, LineFlag
from streamer.sources.line_slices import filler_of, slice_lines

MASKED = (Interval(0, 3),)


def block(valid_lines=10, **fields):
    pixels = np.arange(12 * 8, dtype=np.uint8).reshape(12, 8)
    counts = {"encoder_first": 200, "encoder_last": 200 + 3 * (valid_lines - 1)}
    return LineBlock("cam0", 100, pixels, valid_lines, 7, **counts, **fields)


@given(st.integers(0, 9), st.integers(1, 10))
def test_a_slice_is_a_view_with_its_own_place(first, size):
    size = min(size, 10 - first)
    whole = block()
    part = slice_lines(whole, Interval(100 + first, 100 + first + size), MASKED)
    assert (part.first_line, part.valid_lines, part.masked) == (100 + first, size, MASKED)
    assert np.shares_memory(part.pixels, whole.pixels)
    np.testing.assert_array_equal(part.pixels, whole.pixels[first : first + size])
    assert part.encoder_first == 200 + 3 * first
    assert part.encoder_last == 200 + 3 * (first + size - 1)


def test_a_seam_lies_before_the_first_line_alone():
    seam = block(flags=LineFlag.SEAM | LineFlag.OVERSPEED | LineFlag.PARTIAL)
    first = slice_lines(seam, Interval(100, 104), ())
    later = slice_lines(seam, Interval(104, 110), ())
    assert first.flags == LineFlag.SEAM | LineFlag.OVERSPEED
    assert later.flags == LineFlag.OVERSPEED


def test_filler_is_what_follows_the_valid_lines():
    filler = filler_of(block(flags=LineFlag.PARTIAL | LineFlag.SEAM))
    assert (filler.first_line, filler.valid_lines) == (110, 0)
    assert filler.pixels.shape == (2, 8)
    assert filler.flags == LineFlag.PARTIAL


def test_a_single_line_keeps_its_count():
    one = slice_lines(block(valid_lines=1), Interval(100, 101), ())
    assert (one.encoder_first, one.encoder_last) == (200, 200)
