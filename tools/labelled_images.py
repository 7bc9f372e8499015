"""Real images with the region labels of their sources, set by set; knows no method and no score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from real_truth import read_grey

from streamer.evaluation.pixel_metrics import label_regions
from streamer.evaluation.upsampling import judged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PIXEL_SETS = (  # the quickest first
    *("leather_custom", "mvtec_aug", "steel_sd900", "crackforest"),
    *("magnetic_tile", "aitex"),
)
# Their masks are boxes around defects, so that pixels in them need not be defective.
BOX_SETS = ("fabric_minhas", "rail400")
CROP_SHARE = 0.1  # of each side at each border, as the papers on FCA leave out


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """An image and its regions.

    Attributes:
        pixels: (lines, columns, 3) uint8 RGB.
        regions: number of the region of each pixel that is judged, 0 = normal. A tenth is cut off
            at each border first, so that what is left of a region counts as the region.
    """

    name: str
    pixels: NDArray[np.uint8]
    regions: NDArray[np.int32]


def choose_sets(names: Sequence[str]) -> tuple[str, ...]:
    """The named sets, without a name all.

    Raises:
        ValueError: a name that there is not.
    """
    known = (*PIXEL_SETS, *BOX_SETS)
    for name in names:
        if name not in known:
            msg = f"--sets must be of {', '.join(known)}, got {name}"
            raise ValueError(msg)
    return tuple(name for name in known if not names or name in names)


def list_images(data: Path, name: str, limit: int | None = None) -> dict[str, tuple[Path, ...]]:
    """Paths by class of a set, by name; of each class at most `limit`, spread evenly.

    Raises:
        FileNotFoundError: the set has no images.
    """
    folders = sorted(folder.parent for folder in (data / name).glob("*/images"))
    classes = {
        folder.name: spread(sorted((folder / "images").glob("*.png")), limit) for folder in folders
    }
    if not any(classes.values()):
        msg = f"{name}: images must exist, got no {data / name}/*/images/*.png"
        raise FileNotFoundError(msg)
    return classes


def spread(paths: Sequence[Path], limit: int | None) -> tuple[Path, ...]:
    """At most `limit` of some paths, evenly spread over them."""
    if limit is None or limit >= len(paths):
        return tuple(paths)
    return tuple(paths[number * len(paths) // limit] for number in range(limit))


def read_image(path: Path) -> LabelledImage:
    """An image `.../images/NAME.png` with its mask `.../masks/NAME.png`.

    Raises:
        FileNotFoundError: the image or its mask is missing.
        ValueError: mask and image differ in size.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        msg = f"image must exist and be readable, got {path}"
        raise FileNotFoundError(msg)
    mask = read_grey(path.parent.parent / "masks" / path.name)
    lines, columns = pixels.shape[:2]
    if mask.shape != (lines, columns):
        msg = f"{path.name}: mask must be {lines} x {columns} as its image, got {mask.shape}"
        raise ValueError(msg)
    rgb = np.ascontiguousarray(pixels[:, :, ::-1]).astype(np.uint8, copy=False)
    return LabelledImage(path.stem, rgb, label_regions(mask[judged(mask.shape, CROP_SHARE)]))
