"""Reading recordings that are whole, cut off or damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamer.config import Web
from streamer.message import GapReason, LineBlock
from streamer.ports import WebFormat
from streamer.sources.pieces import CorruptPieceError
from streamer.sources.recording import BlockRow, LossRow
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_writer import RecordingWriter

BLOCKS, LINES, COLUMNS = 5, 4, 30


@pytest.fixture
def folder(tmp_path):
    with RecordingWriter(tmp_path, WebFormat(COLUMNS, 1, 8, ""), Web()) as writer:
        for number in range(BLOCKS):
            pixels = np.full((LINES, COLUMNS), number, np.uint8)
            writer.append(LineBlock("cam0", number * LINES, pixels, LINES, 0))
    return tmp_path


def ledger_lines(folder) -> list[bytes]:
    return (folder / "ledger.rows").read_bytes().splitlines(keepends=True)


def test_a_closed_recording_reads_in_silence(folder, caplog):
    opened = Recording(folder)
    assert [int(opened.pixels(row)[0, 0]) for row in opened.rows()] == [0, 1, 2, 3, 4]
    assert opened.tail().end_line == 20
    assert opened.truth == b""
    assert not caplog.records


@pytest.mark.parametrize("kept", [0, 1, 3, 5])
@pytest.mark.parametrize("scrap", [b"", b"12", b'0123abcd {"row":'])
def test_a_cut_ledger_reads_up_to_its_last_whole_row(folder, kept, scrap, caplog):
    (folder / "ledger.rows").write_bytes(b"".join(ledger_lines(folder)[:kept]) + scrap)
    opened = Recording(folder)
    assert len(list(opened.rows())) == kept
    assert f"ends at line {kept * LINES}, {len(scrap)} bytes" in caplog.text
    tail = opened.tail()
    assert (tail.end_line, tail.closed) == (kept * LINES, False)


def test_a_recording_without_ledger_is_empty(folder, caplog):
    (folder / "ledger.rows").unlink()
    assert list(Recording(folder).rows()) == []
    assert "was not closed" in caplog.text


def test_damaged_rows_inside_are_a_loss_of_their_lines(folder):
    lines = ledger_lines(folder)
    lines[1] = lines[1].replace(b"block", b"blick")
    lines[2] = b"scrap\n"
    (folder / "ledger.rows").write_bytes(b"".join(lines))
    rows = list(Recording(folder).rows())
    assert rows[1] == LossRow(
        4, 8, GapReason.CORRUPT_INPUT, 0, "ledger of the recording is damaged"
    )
    assert [row.first_line for row in rows] == [0, 4, 12, 16]


def test_a_damaged_last_row_before_the_close_is_a_loss(folder):
    lines = ledger_lines(folder)
    lines[4] = b"scrap\n"
    (folder / "ledger.rows").write_bytes(b"".join(lines))
    rows = list(Recording(folder).rows())
    assert (rows[-1].first_line, rows[-1].line_count) == (16, 4)
    assert isinstance(rows[-1], LossRow)


def test_pixels_that_changed_are_an_error(folder):
    path = folder / "lines-00000.raw"
    content = bytearray(path.read_bytes())
    content[LINES * COLUMNS + 5] ^= 1
    path.write_bytes(content)
    opened = Recording(folder)
    rows = list(opened.rows())
    opened.pixels(rows[0])
    with pytest.raises(
        CorruptPieceError, match=r"lines-00000\.raw: checksum of the 120 bytes at 120"
    ):
        opened.pixels(rows[1])
    opened.pixels(rows[2])


def test_pixels_that_are_cut_or_gone_are_an_error(folder):
    path = folder / "lines-00000.raw"
    path.write_bytes(path.read_bytes()[: LINES * COLUMNS + 1])
    opened = Recording(folder)
    rows = list(opened.rows())
    opened.pixels(rows[0])
    with pytest.raises(CorruptPieceError, match="checksum"):
        opened.pixels(rows[1])
    path.unlink()
    with pytest.raises(CorruptPieceError, match="No such file"):
        opened.pixels(rows[0])


def test_a_row_that_contradicts_the_header_is_an_error(folder):
    opened = Recording(folder)
    row = next(opened.rows())
    wrong = BlockRow(0, LINES + 1, *(getattr(row, name) for name in row.__struct_fields__[2:]))
    with pytest.raises(CorruptPieceError, match=r"block must be \(5, 30\), got 120 pixels"):
        opened.pixels(wrong)


def truth(**fields: object) -> str:
    return json.dumps({"version": 1, "first_line": 0, "end_line": 20, "defects": [], **fields})


def defect(**fields: object) -> dict[str, object]:
    box = {"first_line": 3, "end_line": 9, "first_column": 0, "end_column": 5}
    return {"id": 1, "kind": "hole", **box, "contrast": 0.1, **fields}


def test_truth_is_returned_as_it_was_written(folder):
    content = truth(defects=[defect(), defect(id="two")])
    (folder / "truth.json").write_text(content)
    assert Recording(folder).truth == content.encode()


@pytest.mark.parametrize(
    "content",
    [
        "[1]", "{", "7", '"text"', "{}", '{"made": "by hand"}', truth(version=2),
        truth(first_line="0"), truth(defects=5), truth(defects=[{"id": 1}]),
        truth(defects=[defect(end_line=2)]), truth(defects=[defect(first_column=-1)]),
    ],
)  # fmt: skip
def test_truth_of_another_make_is_refused(folder, content):
    (folder / "truth.json").write_text(content)
    text = r"truth\.json: file must be ground truth as `linescan simulate` writes it, got: .*remove"
    with pytest.raises(ValueError, match=text):
        _ = Recording(folder).truth


def test_empty_means_that_no_line_is_named(folder):
    assert not Recording(folder).is_empty
    (folder / "ledger.rows").write_bytes(ledger_lines(folder)[-1])
    assert Recording(folder).is_empty  # closed, but nothing before


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        Recording(tmp_path)
