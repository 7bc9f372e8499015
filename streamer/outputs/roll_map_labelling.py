"""Finds places for numbers beside boxes so that none covers another; pure, knows no picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AWAY_PX = 5.0  # between a box and its number


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels of a picture, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """As a pen takes them."""
        return self.left, self.top, self.right, self.bottom

    def grown(self, pixels: float) -> Rectangle:
        """Larger by so much on every side."""
        return Rectangle(
            self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels
        )

    def at_least(self, pixels: float) -> Rectangle:
        """Widened around its middle where it is smaller."""
        wider = max(pixels - (self.right - self.left), 0) / 2
        taller = max(pixels - (self.bottom - self.top), 0) / 2
        return Rectangle(
            self.left - wider, self.top - taller, self.right + wider, self.bottom + taller
        )

    def overlaps(self, other: Rectangle) -> bool:
        """Whether they share area."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Rectangle) -> bool:
        """Whether all of `other` lies inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


def place_labels(
    boxes: Sequence[Rectangle], sizes: Sequence[tuple[float, float]], room: Rectangle
) -> list[Rectangle | None]:
    """A place for each of the first boxes' labels, by (width, height); None where there is none.

    Labels lie inside `room`, on no other label and, while there is a choice, on no box. The first
    ones choose first.
    """
    taken: list[Rectangle] = []
    found: list[Rectangle | None] = []
    for box, size in zip(boxes, sizes, strict=False):
        free = [
            place
            for place in _places(box, size)
            if room.holds(place) and not any(place.overlaps(other) for other in taken)
        ]
        clear = [place for place in free if not any(place.overlaps(b) for b in boxes)]
        chosen = next(iter(clear or free), None)
        found.append(chosen)
        if chosen is not None:
            taken.append(chosen)
    return found


def _places(box: Rectangle, size: tuple[float, float]) -> Iterator[Rectangle]:
    """Above, below, right, left of the box, then at its corners."""
    width, height = size
    middle = (box.left + box.right - width) / 2, (box.top + box.bottom - height) / 2
    above, below = box.top - AWAY_PX - height, box.bottom + AWAY_PX
    right, left = box.right + AWAY_PX, box.left - AWAY_PX - width
    corners = [
        *((box.left, above), (middle[0], above), (box.left, below), (middle[0], below)),
        *((right, middle[1]), (left, middle[1])),
        *((right, above), (left, above), (right, below), (left, below)),
        *((box.right - width, above), (box.right - width, below)),
    ]
    for x, y in corners:
        yield Rectangle(x, y, x + width, y + height)
