"""Reading in a thread: in order, bounded, and never a silent end."""

import threading
import time
import zlib

import numpy as np
import pytest

from streamer.message import GapReason, Heartbeat, LineBlock, LineLoss, StageState
from streamer.ports import WebFormat
from streamer.stages.reader import SourceEnd, SourceReader
from streamer.wire import decode, encode


class ScriptedSource:
    """Delivers `script`: a number of lines, a loss, an error to raise, or an event to wait for."""

    def __init__(self, script, channels=1, bits=8):
        self.script = list(script)
        self.format = WebFormat(16, channels, bits, "script")
        self.truth = b""
        self.buffers = []
        self.closed = 0
        self.line = 0

    def read_into(self, buffer):
        self.buffers.append(buffer)
        if not self.script:
            return None
        item = self.script.pop(0)
        if isinstance(item, threading.Event):
            item.wait(10)
            return None
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, LineLoss):
            return item
        buffer[:item] = self.line
        block = LineBlock("cam0", self.line, buffer[:item], item, 0)
        self.line += item
        return block

    def close(self):
        self.closed += 1


def take_all(reader):
    items = []
    while not isinstance(items[-1] if items else None, SourceEnd):
        items.append(reader.take(5.0))
        assert items[-1] is not None, "the reader says nothing"
    return items


def test_a_block_of_no_lines_is_not_handed_on():
    assert [
        i.valid_lines for i in take_all(SourceReader(ScriptedSource([0, 8, 0, 0]), 8))[:-1]
    ] == [8]


def test_blocks_and_losses_come_in_order_and_then_the_end():
    loss = LineLoss("cam0", 8, 4, GapReason.CORRUPT_INPUT, 0)
    source = ScriptedSource([8, loss, 3])
    items = take_all(SourceReader(source, 8))
    assert [getattr(i, "first_line", None) for i in items] == [0, 8, 8, None]
    assert items[-1] == SourceEnd("")


def test_every_block_has_memory_of_its_own():
    items = take_all(SourceReader(ScriptedSource([4, 4, 4]), 4))[:-1]
    assert [int(block.pixels[0, 0]) for block in items] == [0, 4, 8]


@pytest.mark.parametrize(
    ("channels", "bits", "shape", "dtype"),
    [(1, 8, (5, 16), np.uint8), (3, 16, (5, 16, 3), np.uint16)],
)
def test_the_buffer_has_the_format_of_the_source(channels, bits, shape, dtype):
    source = ScriptedSource([], channels, bits)
    take_all(SourceReader(source, 5))
    assert source.buffers[0].shape == shape
    assert source.buffers[0].dtype == dtype


def test_a_fault_of_the_source_is_the_end_with_its_text():
    items = take_all(SourceReader(ScriptedSource([4, OSError("cable pulled")]), 4))
    assert items[-1] == SourceEnd("OSError: cable pulled")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [zlib.error("bad"), KeyError("x"), MemoryError(), SystemExit()])
def test_whatever_a_decoder_raises_capture_hears_of_the_end(error):
    reader = SourceReader(ScriptedSource([4, error]), 4)
    items = take_all(reader)
    reader.stop()  # the thread's traceback belongs to this test
    assert items[-1] == SourceEnd("source broke off; the log has the traceback")


def test_take_returns_nothing_while_nothing_is_there():
    hangs = threading.Event()
    reader = SourceReader(ScriptedSource([hangs]), 4)
    assert reader.take(0.0) is None
    assert reader.take(0.01) is None
    hangs.set()
    reader.stop()


def test_the_source_never_runs_more_than_the_depth_ahead():
    source = ScriptedSource([1] * 100)
    reader = SourceReader(source, 1, depth=2)
    time.sleep(0.1)
    assert source.line <= 4  # two queued, one waiting for room, and at most one being read
    reader.stop()
    assert source.line < 100


def test_stop_closes_the_source_even_if_nobody_took_its_blocks():
    source = ScriptedSource([1] * 100)
    reader = SourceReader(source, 1)
    reader.stop()
    assert source.closed == 1
    reader.stop()


def test_a_source_that_hangs_in_a_read_is_not_closed_under_it(monkeypatch):
    hangs = threading.Event()
    source = ScriptedSource([hangs])
    reader = SourceReader(source, 4)
    thread = next(t for t in threading.enumerate() if t.name == "source")
    join = thread.join
    monkeypatch.setattr(thread, "join", lambda timeout: join(0.01))
    reader.stop()
    assert source.closed == 0
    hangs.set()
    join(5)


def test_a_reader_passes_on_what_a_camera_says_of_itself_and_nothing_of_other_sources():
    class Camera(ScriptedSource):
        health = {"connected": 1.0}

    assert SourceReader(Camera([8]), 8).health == {"connected": 1.0}
    assert SourceReader(ScriptedSource([8]), 8).health == {}


def test_health_is_plain_numbers_whatever_the_source_counts_with():
    class Camera(ScriptedSource):
        health = {"edge_confidence": np.float64(0.5), "no_web_lines": np.int64(3)}

    health = SourceReader(Camera([8]), 8).health
    assert {name: type(figure) for name, figure in health.items()} == {
        "edge_confidence": float,
        "no_web_lines": float,
    }
    # Figures of another type could not be sent, and capture would end.
    beat = Heartbeat("capture", "capture", StageState.RUNNING, 0, 0, 0, 0, figures=dict(health))
    assert decode(encode(beat)).figures == {"edge_confidence": 0.5, "no_web_lines": 3.0}
