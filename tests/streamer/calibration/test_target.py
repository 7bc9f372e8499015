import pytest

from streamer.calibration.target import CalibrationTarget
from streamer.web import WebGeometry


def test_metres_are_those_of_the_full_width() -> None:
    target = CalibrationTarget(WebGeometry(1024, 0.5, 0.5, 60.0), 8, 9, 1.0)
    assert target.metres(25_000 * 128) == pytest.approx(100.0)
    # Half of the width for two metres is one metre.
    assert target.metres(500 * 64) == pytest.approx(1.0)


def test_a_tail_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="tail must be of exponential, gpd, got 'none'"):
        CalibrationTarget(WebGeometry(1024, 0.5, 0.5, 60.0), 8, 9, 1.0, "none")
