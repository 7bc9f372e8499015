"""Reads a mask that a user drew for stills; knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.cli.options import UsageFault
from streamer.sources.decode import decode, read_header

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.correction.side_cells import Flags


def read_mask(path: Path | None) -> Flags | None:
    """(lines, columns), True where the mask image is not 0 and so shows no web; None without one.

    Raises:
        UsageFault: the file cannot be read as an image.
    """
    if path is None:
        return None
    try:
        pixels = decode(path, read_header(path))
    except OSError as error:
        msg = f"{path}: --mask must be readable, got {error.strerror or error}"
        raise UsageFault(msg) from None
    except ValueError as error:
        raise UsageFault(str(error)) from None
    return np.asarray(pixels > 0 if pixels.ndim == 2 else (pixels > 0).any(axis=2))
