"""A still as it is to be scored: its pixels, and which of them show no web; knows no score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.correction.light import even_light
from streamer.correction.off_web import find_off_web
from streamer.message import require

if TYPE_CHECKING:
    from streamer import config
    from streamer.correction.side_cells import Flags
    from streamer.message import PixelArray


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """Pixels (lines, columns[, 3]) of 8 or 16 bits, and True where they show no web; None: all do.

    What is off the web is neither learnt from nor judged. `evens_background`: a slow background of
    its scores is taken out, if it is a strip that is judged by itself.
    """

    pixels: PixelArray
    off_web: Flags | None = None
    evens_background: bool = False

    def __post_init__(self) -> None:
        if self.off_web is not None:
            size = self.pixels.shape[:2]
            require(
                self.off_web.shape == size,
                f"mask must be {size[0]} x {size[1]} as its image",
                self.off_web.shape,
            )


def prepare_still(
    pixels: PixelArray, settings: config.Config, off_web: Flags | None = None
) -> Still:
    """The still as configured; a mask of the user takes the place of the one that would be found.

    Raises:
        ValueError: mask and image differ in size.
    """
    if off_web is None and settings.edges.mode == "auto":
        off_web = find_off_web(pixels)
    evens = settings.correction.background == "slow"
    still = Still(pixels, off_web, evens)
    if settings.correction.light == "off":
        return still
    return replace(still, pixels=even_light(pixels, off_web))
