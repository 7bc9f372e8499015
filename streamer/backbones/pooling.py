"""Names of features that are averaged onto a coarser grid; knows no network and no engine."""

from __future__ import annotations

import re

SIZES = (2, 4, 8)
_ENDING = re.compile(r"(?P<family>\w+)_s(?P<size>\d+)")


def split_pooling(name: str) -> tuple[str, int]:
    """The family and the side of the cells of a name: "laws_s4" is ("laws", 4).

    A name without such an ending is a family itself, with cells of 1.
    """
    match = _ENDING.fullmatch(name)
    if match is None or int(match["size"]) not in SIZES:
        return name, 1
    return match["family"], int(match["size"])
