"""Writing recordings: exact, appendable, and readable after a crash or a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Web
from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.ports import WebFormat
from streamer.sources.recording import BlockRow, LossRow
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_writer import RecordingWriter

WEB = Web(pixel_mm=0.2, line_mm=0.25)
GREY = WebFormat(30, 1, 8, "test web")


def block(first: int, lines: int = 4, **fields: object) -> LineBlock:
    pixels = np.random.default_rng(first).integers(0, 256, (lines, 30), dtype=np.uint8)
    return LineBlock("cam0", first, pixels, fields.pop("valid", lines), 77, **fields)


def stored(folder) -> np.ndarray:
    opened = Recording(folder)
    return np.concatenate(
        [opened.pixels(row) for row in opened.rows() if isinstance(row, BlockRow)]
    )


def test_pixels_and_ledger_come_back(tmp_path):
    first = block(
        0, flags=LineFlag.SEAM, masked=(Interval(25, 30),), encoder_first=5, encoder_last=9
    )
    loss = LineLoss("cam0", 4, 6, GapReason.CAMERA_LOSS, 88, "cable")
    last = block(10)
    with RecordingWriter(tmp_path / "new" / "rec", GREY, WEB) as writer:
        for item in (first, loss, last):
            writer.append(item)
        assert writer.end_line == 14
    opened = Recording(tmp_path / "new" / "rec")
    assert (opened.header.pixel_mm, opened.header.line_mm) == (0.2, 0.25)
    rows = list(opened.rows())
    assert rows[0].flags == LineFlag.SEAM
    assert rows[0].masked == ((25, 30),)
    assert (rows[0].encoder_first, rows[0].encoder_last, rows[0].captured_ns) == (5, 9, 77)
    assert rows[1] == LossRow(4, 6, GapReason.CAMERA_LOSS, 88, "cable")
    np.testing.assert_array_equal(opened.pixels(rows[0]), first.pixels)
    np.testing.assert_array_equal(opened.pixels(rows[2]), last.pixels)
    assert opened.tail().closed


@settings(max_examples=25, deadline=None)
@given(
    heights=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    channels=st.sampled_from([1, 3]),
    bits=st.sampled_from([8, 16]),
    segment_bytes=st.integers(1, 2000),
)
def test_any_web_is_exact_in_any_segments(tmp_path_factory, heights, channels, bits, segment_bytes):
    folder = tmp_path_factory.mktemp("rec")
    web = WebFormat(7, channels, bits, "")
    plane = (7,) if channels == 1 else (7, 3)
    blocks, line = [], 0
    for height in heights:
        pixels = np.random.default_rng(line).integers(
            0, 1 << bits, (height, *plane), dtype=f"u{bits // 8}"
        )
        blocks.append(LineBlock("cam0", line, pixels, height, 0))
        line += height
    with RecordingWriter(folder, web, WEB, segment_bytes) as writer:
        for item in blocks:
            writer.append(item)
    np.testing.assert_array_equal(stored(folder), np.concatenate([b.pixels for b in blocks]))


def test_only_valid_lines_of_a_partial_block_are_stored(tmp_path):
    partial = block(0, 8, valid=3, flags=LineFlag.PARTIAL)
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        writer.append(partial)
        assert writer.end_line == 3
    np.testing.assert_array_equal(stored(tmp_path), partial.pixels[:3])


def test_a_view_with_gaps_is_stored_as_its_pixels(tmp_path):
    wide = np.arange(240, dtype=np.uint8).reshape(4, 60)
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        writer.append(LineBlock("cam0", 0, wide[:, ::2], 4, 0))
    np.testing.assert_array_equal(stored(tmp_path), wide[:, ::2])


def test_segments_roll(tmp_path):
    with RecordingWriter(tmp_path, GREY, WEB, segment_bytes=200) as writer:
        for first in range(0, 40, 4):
            writer.append(block(first))
    names = sorted(path.name for path in tmp_path.glob("*.raw"))
    assert names == [f"lines-0000{n}.raw" for n in range(5)]
    assert len(stored(tmp_path)) == 40


def test_lines_never_fall_or_repeat(tmp_path):
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        writer.append(block(8))
        with pytest.raises(ValueError, match="first_line must be >= 12, got 11"):
            writer.append(block(11))
        writer.append(block(20))  # a jump is a hole that the source saw
    assert [row.first_line for row in Recording(tmp_path).rows()] == [8, 20]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 29), np.uint8),
        np.zeros((4, 30), np.uint16),
        np.zeros((4, 30, 3), np.uint8),
    ],
)
def test_blocks_of_another_web_are_refused_and_the_next_is_taken(tmp_path, pixels):
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        with pytest.raises(ValueError, match=r"block must be \(4, 30\) of 8 bits, got"):
            writer.append(LineBlock("cam0", 0, pixels, 4, 0))
        writer.append(block(0))
    assert len(list(Recording(tmp_path).rows())) == 1
    assert Recording(tmp_path).tail().closed


def test_truth_is_written_at_close_and_close_may_be_called_twice(tmp_path):
    writer = RecordingWriter(tmp_path, GREY, WEB)
    truth = b'{"version":1,"first_line":0,"end_line":0,"defects":[]}'
    writer.close(truth)
    writer.close()
    assert Recording(tmp_path).truth == truth
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(ValueError, match="recording must be open and in order to append"):
        writer.append(block(0))


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="folder must be empty or a recording, got other"):
        RecordingWriter(tmp_path, GREY, WEB)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_recording_is_continued_where_it_ends(tmp_path):
    for first in (0, 4, 8):
        with RecordingWriter(tmp_path, GREY, WEB) as writer:
            assert writer.end_line == first
            writer.append(block(first))
    np.testing.assert_array_equal(
        stored(tmp_path), np.concatenate([block(n).pixels for n in (0, 4, 8)])
    )


def test_continuing_drops_a_broken_end_of_the_ledger(tmp_path, caplog):
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        writer.append(block(0))
    ledger = tmp_path / "ledger.rows"
    ledger.write_bytes(ledger.read_bytes() + b'0badc0de {"row":"blo')
    with RecordingWriter(tmp_path, GREY, WEB) as writer:
        writer.append(block(4))
    assert [row.first_line for row in Recording(tmp_path).rows()] == [0, 4]
    assert not caplog.records


@pytest.mark.parametrize(
    "other",
    [
        WebFormat(31, 1, 8, ""),
        WebFormat(30, 3, 8, ""),
        WebFormat(30, 1, 16, ""),
    ],
)
def test_another_web_cannot_continue_a_recording(tmp_path, other):
    RecordingWriter(tmp_path, GREY, WEB).close()
    with pytest.raises(ValueError, match=r"must be \d+ as in the recording, got \d+"):
        RecordingWriter(tmp_path, other, WEB)
    with pytest.raises(ValueError, match=r"pixel_mm must be 0\.2 as in the recording, got 0\.3"):
        RecordingWriter(tmp_path, GREY, Web(pixel_mm=0.3, line_mm=0.25))


CHILD = """
    import os, signal, sys
    import numpy as np
    from pathlib import Path
    from streamer.config import Web
    from streamer.message import LineBlock
    from streamer.ports import WebFormat
    from streamer.sources.recording_writer import RecordingWriter

    writer = RecordingWriter(Path(sys.argv[1]), WebFormat(30, 1, 8, ""), Web())
    line = 0
    while True:
        pixels = np.random.default_rng(line).integers(0, 256, (4, 30), dtype=np.uint8)
        writer.append(LineBlock("cam0", line, pixels, 4, 0))
        line += 4
        if line == 400:
            print("running", flush=True)
"""


@pytest.mark.system
def test_kill_9_in_mid_write_costs_nothing_that_was_appended(tmp_path, caplog):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], stdout=subprocess.PIPE
    )
    try:
        assert child.stdout.readline() == b"running\n"
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
    pixels = stored(tmp_path)
    assert len(pixels) >= 400
    for first in range(0, len(pixels), 4):
        np.testing.assert_array_equal(pixels[first : first + 4], block(first).pixels)
    assert not Recording(tmp_path).tail().closed
    assert any("was not closed: it ends at line" in r.getMessage() for r in caplog.records)


LIMITED = """
    import resource, sys
    import numpy as np
    from pathlib import Path
    from streamer.config import Web
    from streamer.message import LineBlock
    from streamer.ports import WebFormat
    from streamer.sources.recording_writer import RecordingWriter

    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    with RecordingWriter(Path(sys.argv[1]), WebFormat(30, 1, 8, ""), Web()) as writer:
        try:
            for line in range(0, 4000, 4):
                pixels = np.random.default_rng(line).integers(0, 256, (4, 30), dtype=np.uint8)
                writer.append(LineBlock("cam0", line, pixels, 4, 0))
        except OSError as error:
            print(error)
"""


@pytest.mark.system
def test_a_full_disk_is_a_clear_error_and_leaves_a_readable_recording(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "must have room to grow, got 'File too large' at line" in child.stdout
    assert "the lines before it are stored and readable" in child.stdout
    pixels = stored(tmp_path)
    assert f"at line {len(pixels)};" in child.stdout
    for first in range(0, len(pixels), 4):
        np.testing.assert_array_equal(pixels[first : first + 4], block(first).pixels)
    with RecordingWriter(tmp_path, GREY, Web()) as writer:  # room again: it goes on
        writer.append(block(writer.end_line))
    assert len(stored(tmp_path)) == len(pixels) + 4


def test_a_disk_that_fails_in_mid_row_stops_the_writer(tmp_path, monkeypatch):
    writer = RecordingWriter(tmp_path, GREY, WEB)
    writer.append(block(0))
    writer._ledger.close()
    writer._ledger = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)
    with pytest.raises(OSError, match="got 'No space left on device' at line 4"):
        writer.append(block(4))
    with pytest.raises(ValueError, match="open and in order"):
        writer.append(block(4))
    writer.close()
    assert [row.first_line for row in Recording(tmp_path).rows()] == [0]


def test_an_append_that_is_interrupted_leaves_no_row_that_lies(tmp_path, monkeypatch):
    writer = RecordingWriter(tmp_path, GREY, WEB)
    writer.append(block(0))

    def interrupt(payload: bytes) -> tuple[int, int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer._segments, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writer.append(block(4))
    writer.close()
    tail = Recording(tmp_path).tail()
    assert (tail.end_line, tail.closed) == (4, False)
