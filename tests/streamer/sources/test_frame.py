"""Frames and breaks refuse what cannot be."""

import numpy as np
import pytest

from streamer.message import GapReason
from streamer.sources.frame import CounterBits, Frame, FrameBreak

PIXELS = np.zeros((4, 8), np.uint8)


@pytest.mark.parametrize("valid_lines", [0, 1, 4])
def test_frame_holds_up_to_all_its_lines(valid_lines: int) -> None:
    assert Frame("cam0", PIXELS, valid_lines, 1).valid_lines == valid_lines


@pytest.mark.parametrize("valid_lines", [-1, 5])
def test_frame_refuses_lines_that_it_does_not_have(valid_lines: int) -> None:
    with pytest.raises(ValueError, match=r"valid_lines must be within the pixels, got"):
        Frame("cam0", PIXELS, valid_lines, 1)


def test_frame_refuses_floats() -> None:
    with pytest.raises(ValueError, match="must be uint8 or uint16"):
        Frame("cam0", PIXELS.astype(np.float32), 1, 1)


def test_counters_are_absent_unless_given() -> None:
    frame = Frame("cam0", PIXELS, 4, 1)
    counters = (frame.frame_id, frame.line_id, frame.encoder_first, frame.encoder_last)
    assert counters == (None, None, None, None)


def test_break_takes_time_and_is_a_camera_loss() -> None:
    lost = FrameBreak("cam0", 10, 20)
    assert (lost.reason, lost.captured_ns - lost.since_ns) == (GapReason.CAMERA_LOSS, 10)
    with pytest.raises(ValueError, match=r"since_ns <= captured_ns, got \(20, 10\)"):
        FrameBreak("cam0", 20, 10)


def test_counters_of_gige_vision_wrap_at_16_bits() -> None:
    assert CounterBits() == CounterBits(frame=16, line=16, encoder=32)


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1)])
def test_frame_refuses_a_count_per_line_that_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"encoder_lines must be \(4,\), got"):
        Frame("cam0", PIXELS, 4, 1, encoder_lines=np.zeros(shape, np.int64))
