"""Four-point grade of a roll from its defects (ASTM D5430); pure, knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Iterable

INCH_MM = 25.4
YARD_MM = 36 * INCH_MM
SQUARE_YARD_M2 = (YARD_MM / 1000) ** 2


@dataclass(frozen=True, slots=True)
class GradingRules:
    """Constants of the four-point system; sizes in inches, as the standard has them.

    A defect of at most `sizes_in[k]` has k + 1 points, a longer one 4. Of a class in
    `hole_classes` it has 2 up to `hole_in`, and 4 beyond.
    """

    sizes_in: tuple[float, float, float] = (3.0, 6.0, 9.0)
    hole_classes: tuple[str, ...] = ("hole", "opening")
    hole_in: float = 1.0
    most_points_per_yard: int = 4

    def __post_init__(self) -> None:
        ascending = 0 < self.sizes_in[0] < self.sizes_in[1] < self.sizes_in[2]
        require(ascending, "sizes_in must be positive and ascending", self.sizes_in)
        require(self.hole_in > 0, "hole_in must be > 0", self.hole_in)
        most = self.most_points_per_yard
        require(most > 0, "most_points_per_yard must be > 0", most)

    def points(self, size_mm: float, defect_class: str = "") -> int:
        """Penalty points of one defect by its longer side in mm."""
        if defect_class in self.hole_classes:
            return 2 if _within(size_mm, self.hole_in) else 4
        return 1 + sum(not _within(size_mm, size_in) for size_in in self.sizes_in)


@dataclass(frozen=True, slots=True)
class GradedDefect:
    """What the grade needs of a defect: its box in mm and its class."""

    down_first_mm: float
    down_end_mm: float
    cross_mm: float
    defect_class: str = "unknown"

    def __post_init__(self) -> None:
        ordered = 0 <= self.down_first_mm <= self.down_end_mm and self.cross_mm >= 0
        require(ordered, "GradedDefect must have 0 <= first <= end and a width >= 0", self)

    @property
    def is_running(self) -> bool:
        """Longer than a yard down-web: it costs the most in every yard that it touches."""
        return self.down_end_mm - self.down_first_mm > YARD_MM


@dataclass(frozen=True, slots=True)
class GradedYard:
    """A linear yard with points: where its defects begin and end in mm, points after the cap."""

    yard: int
    first_mm: float
    end_mm: float
    points: int
    uncapped: int


@dataclass(frozen=True, slots=True)
class Grade:
    """Points of a roll, in all and per area that was inspected."""

    points: int
    capped_yards: int
    area_m2: float

    @property
    def per_100m2(self) -> float | None:
        """Points per 100 m2; None when nothing was inspected."""
        return 100 * self.points / self.area_m2 if self.area_m2 > 0 else None

    @property
    def per_100yd2(self) -> float | None:
        """Points per 100 square yards; None when nothing was inspected."""
        rate = self.per_100m2
        return None if rate is None else rate * SQUARE_YARD_M2


def grade_yards(defects: Iterable[GradedDefect], rules: GradingRules) -> tuple[GradedYard, ...]:
    """Points by linear yard, counted from the start of the roll; yards without a point are absent.

    ASTM D5430, four-point system: the longest dimension of a defect gives its points, no yard has
    more than `most_points_per_yard`, and a defect that runs on has 4 in every yard in which it
    occurs. A shorter one counts in the yard where it begins, even if it ends in the next.
    """
    shares: dict[int, list[tuple[float, float, int]]] = {}
    for defect in defects:
        for yard, share in _shares(defect, rules):
            shares.setdefault(yard, []).append(share)
    return tuple(_yard(number, shares[number], rules) for number in sorted(shares))


def grade(yards: Iterable[GradedYard], area_m2: float) -> Grade:
    """Sum of the yards over the inspected area in m2.

    Raises:
        ValueError: the area is negative.
    """
    require(area_m2 >= 0, "area_m2 must be >= 0", area_m2)
    found = tuple(yards)
    capped = sum(yard.uncapped > yard.points for yard in found)
    return Grade(sum(yard.points for yard in found), capped, area_m2)


def _within(size_mm: float, limit_in: float) -> bool:
    """Sizes come from multiples of a pixel: what is equal but for rounding is within."""
    return size_mm <= limit_in * INCH_MM * (1 + 1e-9)


def _shares(
    defect: GradedDefect, rules: GradingRules
) -> list[tuple[int, tuple[float, float, int]]]:
    """(yard, (first, end, points)) of a defect: one, or one in each yard that it runs through."""
    first, end = defect.down_first_mm, defect.down_end_mm
    begin = int(first // YARD_MM)
    if not defect.is_running:
        size_mm = max(end - first, defect.cross_mm)
        return [(begin, (first, end, rules.points(size_mm, defect.defect_class)))]
    last = max(begin, int(-(-end // YARD_MM)) - 1)
    return [
        (yard, (max(first, yard * YARD_MM), min(end, (yard + 1) * YARD_MM), 4))
        for yard in range(begin, last + 1)
    ]


def _yard(number: int, shares: list[tuple[float, float, int]], rules: GradingRules) -> GradedYard:
    total = sum(points for _, _, points in shares)
    first, end = min(share[0] for share in shares), max(share[1] for share in shares)
    return GradedYard(number, first, end, min(total, rules.most_points_per_yard), total)
