"""Writes clean textures with planted defects as labelled sets; scores none.

    python tools/planted_textures.py OUT [--data DIR] [--copies N] [--seed N]

Images of `brodatz/clean` and `skimage/clean`, on which nothing was ever chosen, each N times with
one defect of the simulator (hole, knot, stain, scratch, crack), whose looks were not chosen on them
either. Kept out of the repository: the textures are for measuring only. Exit code 2: no images.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from real_truth import read_grey

from streamer.sources.defects import DefectKind, Room, draw_defect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SETS = ("brodatz", "skimage")
KINDS = (DefectKind.HOLE, DefectKind.KNOT, DefectKind.STAIN, DefectKind.SCRATCH, DefectKind.CRACK)
PIXEL_MM, THREAD_MM = 0.5, 0.6
LARGEST_SHARE = 0.35  # of a side, that a defect may take up
MARGIN_SHARE = 0.15  # of a side, that stays free at each border: a tenth is not judged
LABELLED_SHARE = 0.25  # of its strongest effect, from which on a pixel belongs to a defect


def plant(
    texture: NDArray[np.uint8], kind: DefectKind, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(lines, columns) grey to the same with a defect, and its mask, 0 or 255."""
    lines, columns = texture.shape
    most = int(LARGEST_SHARE * lines), int(LARGEST_SHARE * columns)
    patch = draw_defect(kind, rng, Room(*most, PIXEL_MM, PIXEL_MM, THREAD_MM))
    gain, offset = np.broadcast_arrays(patch.gain, patch.offset)
    free = [
        (int(MARGIN_SHARE * size), int((1 - MARGIN_SHARE) * size) - length)
        for size, length in zip(texture.shape, gain.shape, strict=True)
    ]
    top, left = (int(rng.integers(first, max(last, first) + 1)) for first, last in free)
    place = slice(top, top + gain.shape[0]), slice(left, left + gain.shape[1])
    pixels, mask = texture.astype(np.float64), np.zeros(texture.shape, np.uint8)
    pixels[place] = pixels[place] * gain + 255 * offset
    effect = np.abs(gain - 1) + np.abs(offset)
    mask[place] = np.where(effect >= LABELLED_SHARE * effect.max(), 255, 0)
    return pixels.round().clip(0, 255).astype(np.uint8), mask


def write_sets(data: Path, out: Path, copies: int, seed: int) -> int:
    """Write the sets to OUT/planted_NAME/clean; returns the number of images.

    Raises:
        FileNotFoundError: `data` holds none of the textures.
    """
    written = 0
    for name in SETS:
        for number, path in enumerate(sorted((data / name / "clean" / "images").glob("*.png"))):
            for copy in range(copies):
                rng = np.random.default_rng([seed, number, copy, len(name)])
                kind = KINDS[(number + copy) % len(KINDS)]
                pixels, mask = plant(read_grey(path), kind, rng)
                folder = out / f"planted_{name}" / "clean"
                for part, image in (("images", pixels), ("masks", mask)):
                    (folder / part).mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(folder / part / f"{path.stem}-{copy}-{kind}.png"), image)
                written += 1
    if not written:
        msg = f"data must hold {' or '.join(SETS)}, got neither in {data} (set LINESCAN_DATA)"
        raise FileNotFoundError(msg)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sets; returns the exit code."""
    parser = argparse.ArgumentParser(description="Clean textures with planted defects.")
    default = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--copies", type=int, default=5, help="of each texture")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        written = write_sets(options.data, options.out, options.copies, options.seed)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{written} images in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
