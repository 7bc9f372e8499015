"""How single images are prepared and which lesson their web gets; knows no file and no truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.compose.geometry import web_geometry
from streamer.correction.still import Still, prepare_still
from streamer.correction.web_grid import web_box
from streamer.scoring.image_scorer import fitting_patch_size
from streamer.scoring.lesson import Lesson

if TYPE_CHECKING:
    from streamer.config import Config
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray
    from streamer.ports import BackboneSpec

FALSE_ALARMS_PER_IMAGE = 0.01  # unless the user wants another rate


def still_of(
    pixels: PixelArray, config: Config, *, has_profile: bool, off_web: Flags | None = None
) -> Still:
    """The still as configured, `off_web` in place of the margins that would be found.

    Only a saved profile can judge a blank picture, of which nothing is like the web.

    Raises:
        ValueError: mask and image differ in size.
    """
    still = prepare_still(pixels, config, off_web)
    is_blank = still.off_web is not None and bool(still.off_web.all())
    if is_blank and off_web is None and has_profile:
        return Still(still.pixels)
    return still


def still_lesson(
    still: Still,
    config: Config,
    spec: BackboneSpec,
    false_alarms_per_image: float = FALSE_ALARMS_PER_IMAGE,
) -> Lesson:
    """As configured, or with the largest windows that a narrow web holds.

    Raises:
        ValueError: there is no web, or it holds no window of 3 x 3 features.
    """
    size = fitting_patch_size(still.pixels, spec.stride, config.scoring.patch_size)
    if still.off_web is not None:
        size = fitting_patch_size(still.pixels[web_box(still.off_web)], spec.stride, size)
    geometry = web_geometry(config, still.pixels.shape[1])
    # A single image has no 100 m: its length takes the share of them that its alarms may have.
    rate = false_alarms_per_image * 100 / geometry.metres(still.pixels.shape[0])
    update = {
        "scoring": config.scoring.model_copy(update={"patch_size": size}),
        "calibration": config.calibration.model_copy(update={"false_alarms_per_100m": rate}),
    }
    return Lesson.of(config.model_copy(update=update), geometry, spec)


def require_whole_windows(still: Still, config: Config, lesson: Lesson) -> None:
    """Raise ValueError if the web is too narrow for the windows of a saved profile."""
    wanted = config.scoring.patch_size
    if lesson.method.patch_size < wanted:
        least, given = wanted * lesson.spec.stride, still.pixels.shape[:2]
        msg = f"image must hold the profile's windows of {least} pixels, got {given}"
        raise ValueError(msg)
