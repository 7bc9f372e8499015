"""Payloads become pixels by the name of their format; an unknown one is refused with the list."""

import numpy as np
import pytest

from streamer.sources.genicam_pixels import pixel_layout, unpack


@pytest.mark.parametrize(
    ("name", "layout"),
    [("Mono8", (1, 8)), ("Mono16", (1, 16)), ("RGB8", (3, 8)), ("BGR8", (3, 8))],
)
def test_layout_by_name(name, layout):
    assert pixel_layout(name) == layout


def test_grey_is_a_view_in_the_order_of_the_payload():
    payload = bytes(range(24))
    assert np.array_equal(unpack(payload, "Mono8", (3, 8)), np.arange(24).reshape(3, 8))
    deep = unpack(payload, "Mono16", (3, 4))
    assert deep.dtype == np.uint16
    assert deep[0, 0] == 0x0100
    assert deep[2, 3] == 0x1716
    assert not deep.flags.writeable


def test_colour_comes_as_rgb():
    payload = bytes(range(12))
    assert unpack(payload, "RGB8", (2, 2))[1, 1].tolist() == [9, 10, 11]
    assert unpack(payload, "BGR8", (2, 2))[1, 1].tolist() == [11, 10, 9]
    assert unpack(payload, "BGR8", (2, 2)).flags.c_contiguous


def test_an_unknown_format_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"one of Mono8, Mono16, RGB8, BGR8, got Mono12p"):
        unpack(bytes(100), "Mono12p", (2, 2))
    with pytest.raises(ValueError, match="smaller"):
        unpack(bytes(10), "Mono8", (3, 8))
