"""A recording of the whole roll: begun with the first line, continued after a death."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config import Web
from streamer.message import LineBlock
from streamer.ports import WebFormat
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_whole import WholeRecording

FORM, WEB = WebFormat(30, 1, 8, "web"), Web()


def block(first: int) -> LineBlock:
    return LineBlock("cam0", first, np.full((4, 30), first, np.uint8), 4, 77)


def test_nothing_is_written_before_the_first_line(tmp_path):
    record = WholeRecording(tmp_path / "roll", WEB)
    assert record.end_line == 0
    record.close(b"")
    assert list(tmp_path.iterdir()) == []


def test_it_goes_on_where_a_dead_one_ended(tmp_path):
    dead = WholeRecording(tmp_path / "roll", WEB)
    dead.append(FORM, block(0))
    assert dead.end_line == 4
    dead._writer._ledger.close()  # as the end of a process does
    dead._writer._segments._file.close()
    again = WholeRecording(tmp_path / "roll", WEB)
    assert again.end_line == 4
    again.append(FORM, block(4))
    again.keep(None)
    again.close(b'{"version": 1, "first_line": 0, "end_line": 8, "defects": []}')
    opened = Recording(tmp_path / "roll")
    assert [row.first_line for row in opened.rows()] == [0, 4]
    assert opened.tail().closed
    assert b"version" in opened.truth


def test_another_web_is_not_appended(tmp_path):
    first = WholeRecording(tmp_path / "roll", WEB)
    first.append(FORM, block(0))
    first.close(b"")
    other = WholeRecording(tmp_path / "roll", WEB)
    with pytest.raises(ValueError, match="columns must be 30 as in the recording, got 31"):
        other.append(WebFormat(31, 1, 8, "web"), block(4))
