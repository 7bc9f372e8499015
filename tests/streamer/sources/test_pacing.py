"""Pacing: nothing before its time, no drift, no waiting when late."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from streamer.message import GapReason, LineBlock, LineLoss, PixelArray
from streamer.ports import WebFormat
from streamer.sources.pacing import PacedSource

MS = 1_000_000


@dataclass
class ScriptedSource:
    """Delivers what it was given, and counts what is asked of it."""

    script: list[LineBlock | LineLoss]
    closed: int = 0
    format: WebFormat = WebFormat(4, 1, 8, "scripted")
    truth: bytes = b"truth"

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        return self.script.pop(0) if self.script else None

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeTime:
    """A monotonic clock that moves by sleeping alone; `oversleep_ns` is added to every sleep."""

    now_ns: int = 1000 * MS
    oversleep_ns: int = 0
    slept: list[float] = field(default_factory=list)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * 1e9) + self.oversleep_ns


BUFFER = np.empty((10, 4), np.uint8)


def block(first_line: int, lines: int = 10) -> LineBlock:
    return LineBlock("cam0", first_line, BUFFER, lines, captured_ns=5_000 * MS)


def paced(script: list[LineBlock | LineLoss], clock: FakeTime, rate: float = 1000.0) -> PacedSource:
    return PacedSource(ScriptedSource(script), rate, clock.monotonic_ns, clock.sleep)


def test_a_block_comes_when_its_last_line_has_passed():
    clock = FakeTime()
    source = paced([block(0), block(10)], clock)

    source.read_into(BUFFER)
    assert clock.now_ns == 1010 * MS
    source.read_into(BUFFER)
    assert clock.now_ns == 1020 * MS


def test_the_capture_time_is_that_of_the_delivery():
    got = paced([block(0)], FakeTime()).read_into(BUFFER)

    assert got is not None
    assert got.captured_ns == 5_010 * MS


def test_only_valid_lines_take_time():
    clock = FakeTime()
    paced([block(0, lines=3)], clock).read_into(BUFFER)

    assert clock.slept == [pytest.approx(0.003)]


def test_lost_lines_take_the_time_of_lines():
    clock = FakeTime()
    loss = LineLoss("cam0", 10, 40, GapReason.CAMERA_LOSS, captured_ns=5_000 * MS)
    source = paced([block(0), loss, block(50)], clock)

    source.read_into(BUFFER)
    lost = source.read_into(BUFFER)
    assert clock.now_ns == 1050 * MS
    assert isinstance(lost, LineLoss)
    assert lost.captured_ns == 5_040 * MS
    source.read_into(BUFFER)
    assert clock.now_ns == 1060 * MS


def test_a_jump_of_the_line_number_takes_the_time_of_the_lines():
    clock = FakeTime()
    source = paced([block(0), block(90)], clock)

    source.read_into(BUFFER)
    source.read_into(BUFFER)

    assert clock.now_ns == 1100 * MS


def test_a_web_that_starts_in_the_middle_does_not_wait_for_its_beginning():
    clock = FakeTime()
    paced([block(1_000_000)], clock).read_into(BUFFER)

    assert clock.now_ns == 1010 * MS


def test_the_schedule_starts_with_the_first_read():
    clock = FakeTime()
    source = paced([block(0)], clock)
    clock.now_ns += 500 * MS

    source.read_into(BUFFER)

    assert clock.now_ns == 1510 * MS


def test_a_late_reader_does_not_wait_until_it_has_caught_up():
    clock = FakeTime()
    source = paced([block(line) for line in (0, 10, 20, 30)], clock)
    source.read_into(BUFFER)
    clock.now_ns += 25 * MS

    late = [source.read_into(BUFFER) for _ in range(2)]
    assert len(clock.slept) == 1
    assert all(got is not None and got.captured_ns == 5_000 * MS for got in late)
    source.read_into(BUFFER)

    assert clock.now_ns == 1040 * MS


def test_oversleeping_does_not_add_up():
    clock = FakeTime(oversleep_ns=2 * MS)
    source = paced([block(10 * number) for number in range(50)], clock)
    for _ in range(50):
        source.read_into(BUFFER)

    assert clock.now_ns == (1000 + 500 + 2) * MS


def test_uneven_rates_do_not_drift():
    clock = FakeTime()
    source = paced([block(10 * number) for number in range(300)], clock, rate=2999.7)
    for _ in range(300):
        source.read_into(BUFFER)

    assert clock.now_ns - 1000 * MS == pytest.approx(3000 / 2999.7 * 1e9, abs=1000)


def test_the_end_needs_no_waiting():
    clock = FakeTime()

    assert paced([], clock).read_into(BUFFER) is None
    assert clock.slept == []


def test_format_truth_and_close_are_those_of_the_source():
    inner = ScriptedSource([])
    source = PacedSource(inner, 1000.0)

    source.close()
    source.close()

    assert source.format is inner.format
    assert source.truth == b"truth"
    assert inner.closed == 2


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_must_be_positive(rate: float):
    with pytest.raises(ValueError, match=r"line_rate_hz must be > 0, got"):
        PacedSource(ScriptedSource([]), rate)


def test_the_real_clock_holds_lines_back():
    """Ten lines at 1 kHz last ten milliseconds; how much longer is up to the machine."""
    import time

    source = PacedSource(ScriptedSource([block(0)]), 1000.0)
    before = time.monotonic_ns()
    source.read_into(BUFFER)

    assert time.monotonic_ns() - before >= 9.9 * MS
