"""Pieces of web that are decoded as one, and their shape; knows no file format and no buffer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamer.message import PixelArray
    from streamer.ports import WebFormat


class CorruptPieceError(ValueError):
    """The piece exists and its size is known, but its pixels cannot be decoded."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of consecutive lines; `load` decodes it to (lines, columns[, 3]) when its turn comes.

    `load` raises CorruptPieceError rather than return pixels that the file does not hold.
    """

    name: str
    lines: int
    columns: int
    channels: int
    bits: int
    load: Callable[[], PixelArray]

    def transposed(self) -> Piece:
        """The piece whose lines are the stored columns."""
        load = self.load
        return replace(
            self, lines=self.columns, columns=self.lines, load=lambda: load().swapaxes(0, 1)
        )


@dataclass(frozen=True, slots=True)
class PieceFeed:
    """Pieces in down-web order; `close` releases what `pieces` holds and may be called twice."""

    format: WebFormat
    pieces: Iterator[Piece]
    close: Callable[[], None]


def printable(text: str) -> str:
    """Text that can be stored and sent, whatever bytes the name of a file in it has."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def refuse_pixels(name: str, rule: str, given: object, remedy: str) -> ValueError:
    """The error for pixels that no source may deliver: "<name>: pixels must be <rule>, got ..."."""
    return ValueError(f"{name}: pixels must be {rule}, got {given}; {remedy}")


def check_bits(name: str, bits: int, configured: int | None) -> None:
    """Raise ValueError when `source.bits` is set and the file holds something else."""
    if configured is not None and bits != configured:
        msg = f"{name}: bits must be {configured} as source.bits says, got {bits}"
        raise ValueError(msg)
