"""The sections about counters refuse what cannot count."""

import pytest
from pydantic import ValidationError

from streamer.line_camera import LineCamera, SimulatedLineCamera


def test_a_camera_has_no_encoder_unless_told_and_a_simulated_one_has() -> None:
    assert LineCamera().counts_per_line is None
    assert SimulatedLineCamera().counts_per_line == 4.0


@pytest.mark.parametrize("per_line", [-4.0, 0.5, None])
def test_an_encoder_counts_up_or_down(per_line: float | None) -> None:
    assert LineCamera(counts_per_line=per_line).counts_per_line == per_line


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts_per_line": 0},
        {"counts_per_line": float("nan")},
        {"max_reorder_frames": 0},
        {"max_reorder_ms": 0},
        {"frame_bits": 4},
        {"encoder_bits": 63},
        {"stamps": "lines"},
    ],
)
def test_what_cannot_count_is_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        LineCamera(**wrong)
