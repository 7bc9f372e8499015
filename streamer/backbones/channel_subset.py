"""Which channels a subset keeps; knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SELECTION = "even"  # name of the rule, part of every digest


def even_channels(count: int, total: int) -> npt.NDArray[np.int64]:
    """`count` of `total` channels, evenly spread: floor((2 i + 1) total / (2 count)), ascending.

    No channel is preferred by its content, so that the choice fits every web.

    Raises:
        ValueError: `count` is not within 1..total.
    """
    if not 1 <= count <= total:
        msg = f"backbone.channels must be within 1..{total} for this backbone, got {count}"
        raise ValueError(msg)
    return (2 * np.arange(count, dtype=np.int64) + 1) * total // (2 * count)


def subset_digest(digest: str, count: int) -> str:
    """What distinguishes a subset of the model with `digest`; text to be hashed."""
    return f"{digest} channels {SELECTION} {count}"
