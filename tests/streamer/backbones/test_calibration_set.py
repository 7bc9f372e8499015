"""Calibration images as a value."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.backbones.calibration_set import CalibrationSet

ZEROS = np.zeros((4, 6), np.uint8)


def test_digest_is_that_of_the_pixels_not_of_the_name() -> None:
    assert CalibrationSet("a", [ZEROS]).digest == CalibrationSet("b", [ZEROS.copy()]).digest


@pytest.mark.parametrize(
    "other",
    [
        [np.ones((4, 6), np.uint8)],
        [np.zeros((6, 4), np.uint8)],
        [np.zeros((4, 3), np.uint16)],
        [ZEROS, ZEROS],
    ],
)
def test_other_pixels_have_another_digest(other: list[np.ndarray]) -> None:  # type: ignore[type-arg]
    assert CalibrationSet("a", other).digest != CalibrationSet("a", [ZEROS]).digest


def test_a_view_has_the_digest_of_its_copy() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)[:, ::2]
    assert CalibrationSet("a", [pixels]).digest == CalibrationSet("a", [pixels.copy()]).digest


def test_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least one, got none from folder"):
        CalibrationSet("folder", [])
