"""The rows and the header of the format."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import GapReason
from streamer.sources import recording
from streamer.sources.recording import BlockRow, CloseRow, Header, LossRow

HEADER = {
    "format": "linescan-recording",
    "version": [1, 0],
    "columns": 30,
    "channels": 1,
    "bits": 8,
    "pixel_mm": 0.5,
    "line_mm": 0.25,
    "web_speed_m_min": 60.0,
    "description": "test",
}

rows = st.one_of(
    st.builds(BlockRow, *[st.integers(0, 2**53)] * 7),
    st.builds(
        LossRow,
        st.integers(0, 2**53),
        st.integers(1, 10**6),
        st.sampled_from(GapReason),
        st.integers(0, 2**62),
        st.text(),
    ),
    st.builds(CloseRow, st.integers(0, 2**53)),
)


@given(rows)
def test_rows_survive_the_ledger(row):
    line = recording.encode_row(row)
    assert line.count(b"\n") == 1
    assert recording.decode_row(line) == row


@given(rows, st.data())
def test_a_row_that_is_cut_or_damaged_is_none(row, data):
    line = recording.encode_row(row)
    cut = data.draw(st.integers(0, len(line) - 1))
    assert recording.decode_row(line[:cut]) is None
    place = data.draw(st.integers(0, len(line) - 1))
    flipped = bytes([line[place] ^ 1])
    assert recording.decode_row(line[:place] + flipped + line[place + 1 :]) is None


def test_rows_of_later_minor_versions_may_have_more_fields():
    import zlib

    payload = b'{"row":"close","end_line":7,"reason":"asked"}'
    line = b"%08x %s\n" % (zlib.crc32(payload), payload)
    assert recording.decode_row(line) == CloseRow(7)


def test_a_row_of_an_unknown_kind_is_none():
    import zlib

    payload = b'{"row":"weather","sun":true}'
    assert recording.decode_row(b"%08x %s\n" % (zlib.crc32(payload), payload)) is None


def test_end_of_a_row():
    assert recording.end_of(BlockRow(5, 3, 0, 0, 0, 0, 0)) == 8
    assert recording.end_of(LossRow(5, 4, GapReason.OVERLOAD, 0)) == 9
    assert recording.end_of(CloseRow(12)) == 12


@pytest.mark.parametrize(
    ("channels", "bits", "shape", "dtype"),
    [
        (1, 8, (7, 30), "|u1"),
        (3, 8, (7, 30, 3), "|u1"),
        (1, 16, (7, 30), "<u2"),
    ],
)
def test_header_says_how_pixels_lie(tmp_path, channels, bits, shape, dtype):
    (tmp_path / recording.HEADER).write_text(
        json.dumps({**HEADER, "channels": channels, "bits": bits})
    )
    header = recording.read_header(tmp_path)
    assert header.block_shape(7) == shape
    assert header.stored_dtype == np.dtype(dtype)
    assert (header.web_format.columns, header.web_format.bits) == (30, bits)


def test_a_later_minor_version_and_unknown_fields_are_accepted(tmp_path):
    content = {**HEADER, "version": [1, 9], "weather": "fine"}
    (tmp_path / recording.HEADER).write_text(json.dumps(content))
    assert isinstance(recording.read_header(tmp_path), Header)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": [2, 0]}, r"recording version must be 1\.x, got \(2, 0\); update linescan"),
        ({"format": "other"}, "format must be 'linescan-recording', got 'other'"),
        ({"columns": 0}, r"columns, channels and bits must describe a web, got \(0, 1, 8\)"),
        ({"channels": 2}, "must describe a web"),
        ({"bits": 12}, "must describe a web"),
        ({"columns": "wide"}, "file must be the header of a recording, got: Expected `int`"),
    ],
)
def test_other_headers_are_refused(tmp_path, change, text):
    (tmp_path / recording.HEADER).write_text(json.dumps({**HEADER, **change}))
    with pytest.raises(ValueError, match=text):
        recording.read_header(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_what_is_no_header_is_refused(tmp_path, content):
    (tmp_path / recording.HEADER).write_bytes(content)
    with pytest.raises(ValueError, match=r"recording\.json: file must be the header"):
        recording.read_header(tmp_path)
