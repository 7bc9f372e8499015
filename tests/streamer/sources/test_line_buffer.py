"""Buffers of hosts."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.ports import WebFormat
from streamer.sources.line_buffer import new_buffer, require_fits


@pytest.mark.parametrize(
    ("channels", "bits", "shape", "dtype"),
    [
        (1, 8, (4, 30), "u1"),
        (3, 8, (4, 30, 3), "u1"),
        (1, 16, (4, 30), "u2"),
        (3, 16, (4, 30, 3), "u2"),
    ],
)
def test_a_new_buffer_fits_its_web_and_no_other(channels, bits, shape, dtype):
    web = WebFormat(30, channels, bits, "")
    buffer = new_buffer(web, 4)
    assert buffer.shape == shape
    assert buffer.dtype == np.dtype(dtype)
    require_fits(buffer, web)
    for other in (
        WebFormat(31, channels, bits, ""),
        WebFormat(30, 4 - channels, bits, ""),
        WebFormat(30, channels, 24 - bits, ""),
    ):
        with pytest.raises(ValueError, match=r"buffer must be \(lines >= 1, .*\) of \d+ bits, got"):
            require_fits(buffer, other)


def test_an_empty_buffer_does_not_fit():
    web = WebFormat(30, 1, 8, "")
    with pytest.raises(ValueError, match="lines >= 1"):
        require_fits(new_buffer(web, 0), web)
