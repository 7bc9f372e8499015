"""From scores of normal web to the alarm level, and what it is worth; pure; knows no file."""

from streamer.calibration.level import Calibration, LaneLevel, calibrate
from streamer.calibration.support import Support
from streamer.calibration.target import CalibrationTarget

__all__ = [
    "Calibration",
    "CalibrationTarget",
    "LaneLevel",
    "Support",
    "calibrate",
]
