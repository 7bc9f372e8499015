"""Planted defects against detected ones: found, missed, false alarms; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.message import Interval, RegionMm, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer.web import WebGeometry

TRUTH_VERSION = 1


@dataclass(frozen=True, slots=True)
class TruthDefect:
    """A defect that is known to be on the web."""

    id: str
    kind: str
    region: RegionMm


@dataclass(frozen=True, slots=True)
class TruthMatch:
    """Which detections touch which planted defect.

    `hits[i]` are the ids of the detections that touch `truths[i]`, empty if it was missed;
    `false_alarms` the ids of those that touch none.
    """

    truths: tuple[TruthDefect, ...]
    hits: tuple[tuple[int, ...], ...]
    false_alarms: tuple[int, ...]

    @property
    def found(self) -> tuple[TruthDefect, ...]:
        """Planted defects that a detection touches."""
        return tuple(t for t, ids in zip(self.truths, self.hits, strict=True) if ids)

    @property
    def missed(self) -> tuple[TruthDefect, ...]:
        """Planted defects that none touches."""
        return tuple(t for t, ids in zip(self.truths, self.hits, strict=True) if not ids)

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """(found, planted) per kind, sorted by name."""
        planted = Counter(truth.kind for truth in self.truths)
        found = Counter(truth.kind for truth in self.found)
        return {kind: (found[kind], planted[kind]) for kind in sorted(planted)}


def parse_truth(
    truth: Mapping[str, Any], geometry: WebGeometry, lines: int
) -> tuple[TruthDefect, ...]:
    """The simulator's ground truth (pixels, half-open) in millimetres.

    A roll that was stopped has fewer `lines` than its source delivered: defects that begin beyond
    them were never on it.

    Raises:
        ValueError: another version, or a defect lacks a field.
    """
    given = truth.get("version")
    require(given == TRUTH_VERSION, f"truth version must be {TRUTH_VERSION}", given)
    try:
        return tuple(
            _truth_defect(entry, geometry)
            for entry in truth["defects"]
            if entry["first_line"] < lines
        )
    except KeyError as error:
        msg = f"truth must have the field {error}, got a record without it"
        raise ValueError(msg) from None


def default_tolerance_mm(geometry: WebGeometry, stride: int) -> float:
    """Two cells of the score grid: a score sees a window around it and is placed to one cell."""
    return 2 * stride * max(geometry.pixel_mm, geometry.line_mm)


def match_truth(
    truths: Sequence[TruthDefect], detected: Mapping[int, RegionMm], tolerance_mm: float = 0.0
) -> TruthMatch:
    """Match boxes that touch, or are at most `tolerance_mm` apart in both directions.

    One detection may find several planted defects, and several may find the same one.

    Raises:
        ValueError: the tolerance is negative.
    """
    require(tolerance_mm >= 0, "tolerance_mm must be >= 0", tolerance_mm)
    hits = tuple(
        tuple(
            key for key, region in detected.items() if _touches(truth.region, region, tolerance_mm)
        )
        for truth in truths
    )
    matched = {key for ids in hits for key in ids}
    return TruthMatch(tuple(truths), hits, tuple(key for key in detected if key not in matched))


def _truth_defect(entry: Mapping[str, Any], geometry: WebGeometry) -> TruthDefect:
    lines = Interval(entry["first_line"], entry["end_line"])
    columns = Interval(entry["first_column"], entry["end_column"])
    return TruthDefect(str(entry["id"]), str(entry["kind"]), geometry.region(lines, columns))


def _touches(one: RegionMm, other: RegionMm, tolerance_mm: float) -> bool:
    down = max(one.down_first - other.down_end, other.down_first - one.down_end)
    cross = max(one.cross_first - other.cross_end, other.cross_first - one.cross_end)
    return max(down, cross) <= tolerance_mm
