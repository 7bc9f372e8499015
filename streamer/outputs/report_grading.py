"""Grade, cut plan and histogram of a roll for its report, from manifest and log; draws nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.cut_plan import CutPlan, PieceRules, PlannedPiece, PlannedWeb, plan_cuts
from streamer.grading import Grade, GradedDefect, GradedYard, GradingRules, grade, grade_yards
from streamer.outputs.report_figures import round_step
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.grading_section import Grading
    from streamer.outputs.defect_log import LogContent, LoggedDefect

MOST_BINS = 60
SEVERITIES = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Piece:
    """A first-quality piece: metres, points, and points per 100 m2."""

    first_m: float
    end_m: float
    points: int
    per_100m2: float


@dataclass(frozen=True, slots=True)
class PlanView:
    """A cut plan in metres; `rest_m` is everything that is in no piece."""

    pieces: tuple[Piece, ...]
    rests: tuple[tuple[float, float], ...]
    length_m: float
    resolution_m: float

    @property
    def first_quality_m(self) -> float:
        """Metres in pieces."""
        return sum(piece.end_m - piece.first_m for piece in self.pieces)

    @property
    def rest_m(self) -> float:
        """Metres in no piece."""
        return self.length_m - self.first_quality_m


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """Defects that begin in a stretch, by severity, and the points of its yards."""

    first_m: float
    end_m: float
    defects: dict[str, int]
    points: int

    @property
    def total(self) -> int:
        """Defects of every severity."""
        return sum(self.defects.values())


@dataclass(frozen=True, slots=True)
class GradingView:
    """The grade with what it was made from, and the cut plan; None: no plan was asked for."""

    grade: Grade
    width_mm: float
    yards: tuple[GradedYard, ...]
    points: dict[int, int]
    plan: PlanView | None


def view_grading(manifest: dict[str, Any], log: LogContent, grading: Grading) -> GradingView:
    """Grade a roll over the area that was inspected, and plan its cuts."""
    rules = GradingRules(
        grading.sizes_in, grading.hole_classes, grading.hole_in, grading.most_points_per_yard
    )
    found = {defect.id: _graded(defect) for defect in log.defects}
    yards = grade_yards(found.values(), rules)
    width_mm = web_width_mm(manifest)
    return GradingView(
        grade=grade(yards, manifest["totals"]["coverage"]["inspected_m2"]),
        width_mm=width_mm,
        yards=yards,
        points={number: _own_points(one, rules) for number, one in found.items()},
        plan=_plan(manifest, log, yards, grading) if grading.pieces and width_mm > 0 else None,
    )


def web_width_mm(manifest: dict[str, Any]) -> float:
    """Mean width of the web without what was masked, inspected or not; 0 without a line."""
    coverage, lines = manifest["totals"]["coverage"], manifest["totals"]["lines"]
    web_px = coverage["captured_px"] - coverage["masked_px"]
    return float(web_px / lines * manifest["web"]["pixel_mm"]) if lines else 0.0


def histogram(
    defects: Sequence[LoggedDefect], yards: Sequence[GradedYard], length_m: float
) -> list[HistogramBin]:
    """Stretches of a round length, at most MOST_BINS of them; each defect is in one."""
    if length_m <= 0:
        return []
    step = round_step(length_m / MOST_BINS)
    count = max(1, math.ceil(length_m / step - 1e-9))
    numbers = [dict.fromkeys(SEVERITIES, 0) for _ in range(count)]
    points = [0] * count
    for defect in defects:
        numbers[_bin(defect.down_first_mm, step, count)][defect.severity] += 1
    for yard in yards:
        points[_bin(yard.first_mm, step, count)] += yard.points
    return [
        HistogramBin(i * step, end_m, numbers[i], points[i])
        for i, end_m in enumerate([*(n * step for n in range(1, count)), length_m])
    ]


def _bin(place_mm: float, step_m: float, count: int) -> int:
    return min(max(int(place_mm / 1000 / step_m), 0), count - 1)


def _graded(defect: LoggedDefect) -> GradedDefect:
    cross_mm = defect.cross_end_mm - defect.cross_first_mm
    return GradedDefect(defect.down_first_mm, defect.down_end_mm, cross_mm, defect.defect_class)


def _own_points(defect: GradedDefect, rules: GradingRules) -> int:
    """What a defect costs before the cap of its yards."""
    return sum(yard.uncapped for yard in grade_yards([defect], rules))


def _plan(
    manifest: dict[str, Any], log: LogContent, yards: Sequence[GradedYard], grading: Grading
) -> PlanView:
    length_m, line_m = manifest["totals"]["metres"], manifest["web"]["line_mm"] / 1000
    web = PlannedWeb(
        length_m,
        blocked=tuple(
            (row.lines.first * line_m, row.lines.end * line_m)
            for row in log.coverage
            if row.status not in (INSPECTED, MASKED)
        ),
        seams=tuple(piece.first_line * line_m for piece in log.pieces[1:]),
        faults=tuple((y.first_mm / 1000, y.end_mm / 1000, y.points) for y in yards),
    )
    width_m = web_width_mm(manifest) / 1000
    rules = PieceRules(
        grading.lengths_cells, grading.resolution_m, width_m, grading.limit_per_100m2
    )
    return _in_metres(plan_cuts(web, rules), rules, length_m)


def _in_metres(plan: CutPlan, rules: PieceRules, length_m: float) -> PlanView:
    pieces = tuple(_piece(piece, rules) for piece in plan.pieces)
    starts = [0.0, *(piece.end_m for piece in pieces)]
    ends = [*(piece.first_m for piece in pieces), length_m]
    rests = tuple((a, b) for a, b in zip(starts, ends, strict=True) if b - a > 1e-6)
    return PlanView(pieces, rests, length_m, rules.resolution_m)


def _piece(piece: PlannedPiece, rules: PieceRules) -> Piece:
    first_m, end_m = piece.first * rules.resolution_m, piece.end * rules.resolution_m
    area_m2 = (end_m - first_m) * rules.width_m
    return Piece(first_m, end_m, piece.points, 100 * piece.points / area_m2)
