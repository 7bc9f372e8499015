"""Names of features that are averaged onto a coarser grid; knows no network and no engine."""

from __future__ import annotations

import re
from dataclasses import dataclass

SIZES = (2, 4, 8)
_SUFFIX = re.compile(r"(?P<family>\w+)_(?P<kind>[se])(?P<size>\d+)")


@dataclass(frozen=True, slots=True)
class Pooling:
    """Means over cells of `size` x `size` features: of the features, or of their magnitudes."""

    size: int
    of_magnitude: bool


def split_pooling(name: str) -> tuple[str, Pooling | None]:
    """The family and the pooling of a name: "laws_e4" is ("laws", magnitudes over 4 x 4).

    `_s2`, `_s4` and `_s8` are means of the features. `_e2`, `_e4` and `_e8` are means of their
    magnitudes, the texture energy of Laws (Textured Image Segmentation, 1980): what a band-pass
    filter answers averages to nothing, how strongly it answers does not.
    A name without such an ending is a family itself.
    """
    match = _SUFFIX.fullmatch(name)
    if match is None or int(match["size"]) not in SIZES:
        return name, None
    return match["family"], Pooling(int(match["size"]), match["kind"] == "e")
