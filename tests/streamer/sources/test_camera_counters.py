"""The raw counters of the simulated camera: widths, starts, reboots, what it lacks."""

import numpy as np
import pytest

from streamer.config import SimulatedLineCamera
from streamer.fault_script import CounterStart
from streamer.sources.camera_counters import RawCounters

LINES = np.arange(10, 26)


def test_counters_run_on_from_frame_to_frame() -> None:
    counters = RawCounters(SimulatedLineCamera())
    first, second = counters.stamp(LINES, 16), counters.stamp(LINES + 16, 16)
    assert (first["frame_id"], first["line_id"]) == (0, 0)
    assert (second["frame_id"], second["line_id"]) == (1, 16)
    assert (first["encoder_first"], first["encoder_last"]) == (40, 100)
    assert first["encoder_lines"] is None


def test_counters_wrap_at_their_width() -> None:
    start = CounterStart(kind="counter_start", frame_id=65535, line_id=65530, encoder=(1 << 32) - 8)
    counters = RawCounters(SimulatedLineCamera(stamps="lines"), [start])
    first, second = counters.stamp(LINES - 10, 16), counters.stamp(LINES, 16)
    assert (first["frame_id"], second["frame_id"]) == (65535, 0)
    assert (first["line_id"], second["line_id"]) == (65530, 10)
    assert first["encoder_first"] == (1 << 32) - 8
    assert first["encoder_lines"][:4].tolist() == [(1 << 32) - 8, (1 << 32) - 4, 0, 4]


@pytest.mark.parametrize(
    ("counters", "has"),
    [("frames_and_lines", (True, True)), ("frames", (True, False)), ("lines", (False, True))]
    + [("none", (False, False))],
)
def test_a_camera_has_the_counters_it_has(counters: str, has: tuple[bool, bool]) -> None:
    stamps = RawCounters(SimulatedLineCamera(counters=counters)).stamp(LINES, 16)
    assert (stamps["frame_id"] is not None, stamps["line_id"] is not None) == has


def test_without_encoder_or_valid_lines_there_is_no_count() -> None:
    blind = RawCounters(SimulatedLineCamera(counts_per_line=None))
    assert blind.stamp(LINES, 16)["encoder_first"] is None
    assert RawCounters(SimulatedLineCamera()).stamp(LINES[:0], 16)["encoder_last"] is None


@pytest.mark.parametrize(("survives", "count"), [(True, 400), (False, 0)])
def test_a_reboot_begins_anew(survives: bool, count: int) -> None:
    counters = RawCounters(SimulatedLineCamera())
    counters.stamp(LINES, 16)
    counters.skip_lines(5)
    counters.reboot(100, encoder_survives=survives)
    stamps = counters.stamp(np.arange(100, 116), 16)
    assert (stamps["frame_id"], stamps["line_id"], stamps["encoder_first"]) == (0, 0, count)


def test_skipped_lines_are_counted() -> None:
    counters = RawCounters(SimulatedLineCamera())
    counters.skip_lines(7)
    assert counters.stamp(LINES, 16)["line_id"] == 7
