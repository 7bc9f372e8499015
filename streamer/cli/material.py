"""Images for calibrating and comparing models: a folder's, or simulated webs; knows no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamer.backbones.calibration_set import CalibrationSet
from streamer.cli.options import UsageFault
from streamer.compose.calibration_web import SIMULATOR, simulated_defects, simulated_webs
from streamer.sources.decode import decode, read_header
from streamer.sources.images import select_images

if TYPE_CHECKING:
    from streamer.message import PixelArray

MOST_IMAGES = 16
MOST_PIXELS = 1024  # of a side; the middle of a larger image is used
_NAME_LENGTH = 60


def calibration_material(where: str) -> CalibrationSet:
    """What `--calibrate-on` names.

    Raises:
        UsageFault: it is neither a folder of images nor "simulator".
    """
    if where == SIMULATOR:
        return simulated_webs()
    return _folder(where, "--calibrate-on")


def comparison_material(where: str) -> CalibrationSet:
    """What `--verify` names; simulated webs have defects, else no decision could differ.

    Raises:
        UsageFault: it is neither a folder of images nor "simulator".
    """
    if where == SIMULATOR:
        return simulated_defects()
    return _folder(where, "--verify")


def _folder(where: str, option: str) -> CalibrationSet:
    """At most `MOST_IMAGES` of them, evenly spread over the sorted names."""
    folder = Path(where)
    if not folder.exists():
        msg = f"{option} must be a folder of images or {SIMULATOR!r}, got {where!r}"
        raise UsageFault(msg)
    try:
        paths = select_images(folder, "*")
        step = -(-len(paths) // MOST_IMAGES)
        images = [_middle(decode(path, read_header(path))) for path in paths[::step]]
    except (OSError, ValueError) as error:
        msg = f"{option} must be a folder of images, got: {error}"
        raise UsageFault(msg) from None
    # Only the folder's own name: a card may travel farther than the machine's paths should.
    return CalibrationSet(folder.resolve().name[:_NAME_LENGTH], images)


def _middle(pixels: PixelArray) -> PixelArray:
    lines, columns = (
        slice(max(size - MOST_PIXELS, 0) // 2, max(size - MOST_PIXELS, 0) // 2 + MOST_PIXELS)
        for size in pixels.shape[:2]
    )
    return np.ascontiguousarray(pixels[lines, columns])
