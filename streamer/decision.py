"""From the stitched map to defects, strip by strip; pure: the state is passed in and returned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import Defect, DefectState, Interval, ScoreArray, Severity, require
from streamer.regions import (
    SEED_LEVEL,
    Labelled,
    Region,
    join_regions,
    label_strip,
    new_parts,
)
from streamer.severity import ASCENDING, SeverityRules
from streamer.severity import severity_of as severity_of
from streamer.zones import Zone, in_units_of_zones

if TYPE_CHECKING:
    from streamer.web import Strip, WebGeometry

MERGED = "merged"


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """What makes a defect.

    A region is a set of 8-connected grid cells with scores >= `grow_ratio` (in units of the alarm
    level). It is a defect when one of its scores is >= 1, its area is >= `min_area_mm2` and the
    longer of its down-web and cross-web extents is >= `min_length_mm`. The alarm level is that of
    the zone (see `zones.column_factors`); `severity` says what counts as worse than before.
    """

    geometry: WebGeometry
    grow_ratio: float = 0.6
    min_area_mm2: float = 0.0
    reannounce_m: float = 1.0
    max_open_regions: int = 10_000
    min_length_mm: float = 0.0
    zones: tuple[Zone, ...] = ()
    severity: SeverityRules = SeverityRules()

    def __post_init__(self) -> None:
        require(0 < self.grow_ratio <= 1, "grow_ratio must be within (0, 1]", self.grow_ratio)
        require(self.min_area_mm2 >= 0, "min_area_mm2 must be >= 0", self.min_area_mm2)
        require(self.min_length_mm >= 0, "min_length_mm must be >= 0", self.min_length_mm)
        require(self.reannounce_m > 0, "reannounce_m must be > 0", self.reannounce_m)
        require(self.max_open_regions > 0, "max_open_regions must be > 0", self.max_open_regions)


@dataclass(frozen=True, slots=True, eq=False)
class DecisionState:
    """What is remembered between strips: open regions and the keys in the last row (0: none).

    `DecisionState()` is the start of a roll.
    """

    regions: tuple[Region, ...] = ()
    last_row: ScoreArray = field(default_factory=lambda: np.zeros(0, np.int64))
    next_line: int | None = None
    next_key: int = 1
    next_id: int = 1


def decide(
    state: DecisionState, strip: Strip, settings: DecisionSettings
) -> tuple[DecisionState, tuple[Defect, ...]]:
    """Take one strip, in down-web order; return the new state and what is to be announced.

    Strips of a piece are decided as if the whole piece were labelled at once (hysteresis, Canny
    1986). A defect is announced NEW once, in the very strip in which it qualifies: neither peak nor
    size can shrink, so it is certain from then on that it is a defect, and waiting for its end
    would only cost web. What may still rise is told by UPDATE: its first growth, a higher severity
    at once, and else every `reannounce_m` metres that it runs on; END comes when it can grow no
    more, always with the final figures. Where announced defects join, the oldest goes on
    (UPDATE) and the others END with the class "merged": they are part of it, not defects of their
    own. Above `max_open_regions` the open regions of the smallest area are closed, and what they
    grow into counts as new: this bounds time and memory, and is the only case that departs from
    labelling at once.

    Raises:
        ValueError: the strip neither continues the one before it nor starts a piece.
    """
    _require_continuity(state, strip)
    scores = in_units_of_zones(strip.scores, settings.zones, settings.geometry, strip.stride)
    if scores is not strip.scores:
        strip = replace(strip, scores=scores)
    ended: list[Defect] = []
    if strip.starts_piece:
        ended += finish(state, settings)
        state = replace(state, regions=(), last_row=np.zeros(0, np.int64))
    last = state.last_row if state.last_row.size else np.zeros(strip.scores.shape[1], np.int64)
    labelled = label_strip(strip.scores, last, settings.grow_ratio)
    regions, absorbed = _regions(state, labelled, strip, settings)
    ended += [_defect(region, DefectState.END, settings, MERGED) for region in absorbed]
    settled, announced = _announce(regions, _kept(regions, labelled, settings), state, settings)
    return DecisionState(
        regions=tuple(settled.values()),
        last_row=_key_row(labelled, settled, strip.scores.shape[1]),
        next_line=strip.first_line + strip.line_count,
        next_key=1 + max([state.next_key, *(region.key for region in settled.values())]),
        next_id=max([state.next_id, *(defect.id + 1 for defect in announced)]),
    ), (*ended, *announced)


def finish(state: DecisionState, settings: DecisionSettings) -> tuple[Defect, ...]:
    """END of every announced defect that is still open, at the end of a piece or roll."""
    return tuple(_defect(r, DefectState.END, settings) for r in state.regions if r.defect_id)


def _require_continuity(state: DecisionState, strip: Strip) -> None:
    require(strip.line_count > 0, "Strip.line_count must be > 0", strip.line_count)
    follows = strip.starts_piece or state.next_line in (None, strip.first_line)
    require(follows, f"Strip.first_line must be {state.next_line}", strip.first_line)
    width = strip.scores.shape[1]
    fits = strip.starts_piece or state.last_row.size in (0, width)
    require(fits, f"Strip.scores must have {state.last_row.size} columns", width)


def _regions(
    state: DecisionState, labelled: Labelled, strip: Strip, settings: DecisionSettings
) -> tuple[dict[int, Region], list[Region]]:
    """Regions by group after the strip, and the announced ones that were absorbed by another."""
    groups: dict[int, Region] = {}
    absorbed: list[Region] = []
    of_key = dict(zip(labelled.keys.tolist(), labelled.of_key.tolist(), strict=True))
    # Announced regions first, oldest first: the first of a group survives a merge.
    for region in sorted(state.regions, key=lambda r: (r.defect_id == 0, r.defect_id, r.key)):
        group = of_key[region.key]
        survivor = groups.get(group)
        if survivor is not None and region.defect_id:
            absorbed.append(region)
            survivor = survivor._replace(quiet_until=0)
        groups[group] = region if survivor is None else join_regions(survivor, region)
    for group, part in new_parts(labelled, strip, settings.geometry, state.next_key).items():
        groups[group] = join_regions(groups[group], part) if group in groups else part
    return groups, absorbed


def _kept(
    regions: dict[int, Region], labelled: Labelled, settings: DecisionSettings
) -> frozenset[int]:
    """Groups in the last row; above the limit the largest, of equal ones the oldest."""
    touching = set(labelled.groups[-1].tolist()) - {0}
    ordered = sorted(touching, key=lambda group: (-regions[group].pixels, regions[group].key))
    return frozenset(ordered[: settings.max_open_regions])


def _announce(
    regions: dict[int, Region],
    kept: frozenset[int],
    state: DecisionState,
    settings: DecisionSettings,
) -> tuple[dict[int, Region], list[Defect]]:
    """The regions that stay open, by group, and what is announced, in web order."""
    still_open: dict[int, Region] = {}
    defects: list[Defect] = []
    next_id = state.next_id
    for group, found in sorted(regions.items(), key=lambda item: _place(item[1])):
        region, states = _next_states(found, next_id, group in kept, settings)
        defects += [_defect(region, news, settings) for news in states]
        next_id = max(next_id, region.defect_id + 1)
        if group in kept:
            still_open[group] = region
    return still_open, defects


def _place(region: Region) -> tuple[int, int, int]:
    return region.first_line, region.first_column, region.key


def _next_states(
    region: Region, next_id: int, stays_open: bool, settings: DecisionSettings
) -> tuple[Region, tuple[DefectState, ...]]:
    """The region with its announcements noted, and the states to announce now."""
    end = () if stays_open else (DefectState.END,)
    if region.defect_id == 0 and not _qualifies(region, settings):
        return region, ()
    if region.defect_id == 0:
        quiet_until = region.end_line + 1
        region = region._replace(defect_id=next_id, quiet_until=quiet_until)
        if stays_open:
            region = region._replace(told=_severity(region, settings))
        return region, (DefectState.NEW, *end)
    if end:
        return region, end
    is_due, severity = region.end_line >= region.quiet_until, _severity(region, settings)
    if not is_due and ASCENDING.index(severity) <= ASCENDING.index(region.told):
        return region, ()
    quiet_until = region.end_line + settings.geometry.lines(settings.reannounce_m)
    return region._replace(quiet_until=quiet_until, told=severity), (DefectState.UPDATE,)


def _severity(region: Region, settings: DecisionSettings) -> Severity:
    return severity_of(_defect(region, DefectState.UPDATE, settings), settings.severity)


def _qualifies(region: Region, settings: DecisionSettings) -> bool:
    if region.peak < SEED_LEVEL or _area_mm2(region, settings) < settings.min_area_mm2:
        return False
    down_mm = (region.end_line - region.first_line) * settings.geometry.line_mm
    cross_mm = (region.end_column - region.first_column) * settings.geometry.pixel_mm
    return max(down_mm, cross_mm) >= settings.min_length_mm


def _area_mm2(region: Region, settings: DecisionSettings) -> float:
    return region.pixels * settings.geometry.pixel_mm * settings.geometry.line_mm


def _key_row(labelled: Labelled, settled: dict[int, Region], columns: int) -> ScoreArray:
    """The keys of the regions that stay open in each of the strip's `columns`, 0 for none."""
    table = np.zeros(labelled.groups_count + 1, np.int64)
    table[list(settled)] = [region.key for region in settled.values()]
    row: ScoreArray = np.zeros(columns, np.int64)
    row[labelled.columns] = table[labelled.groups[-1]]
    return row


def _defect(
    region: Region, state: DefectState, settings: DecisionSettings, defect_class: str = "unknown"
) -> Defect:
    lines = Interval(region.first_line, region.end_line)
    columns = Interval(region.first_column, region.end_column)
    return Defect(
        id=region.defect_id,
        state=state,
        region=settings.geometry.region(lines, columns),
        peak=region.peak,
        mean=region.total / region.cells,
        area_mm2=_area_mm2(region, settings),
        first_line=region.first_line,
        end_line=region.end_line,
        captured_ns=region.captured_ns,
        defect_class=defect_class,
    )
