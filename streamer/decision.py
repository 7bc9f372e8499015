"""From the stitched map to defects, strip by strip; pure: the state is passed in and returned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from streamer.message import Defect, DefectState, Interval, ScoreArray, Severity, require

if TYPE_CHECKING:
    from streamer.web import Strip, WebGeometry

SEED_LEVEL = 1.0
MERGED = "merged"
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
HIGH_PEAK, MEDIUM_PEAK = 2.5, 1.5


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """What makes a defect.

    A region is a set of 8-connected grid cells with scores >= `grow_ratio` (in units of the alarm
    level). It is a defect when one of its scores is >= 1 and its area is >= `min_area_mm2`.
    """

    geometry: WebGeometry
    grow_ratio: float = 0.6
    min_area_mm2: float = 0.0
    reannounce_m: float = 1.0
    max_open_regions: int = 10_000

    def __post_init__(self) -> None:
        require(0 < self.grow_ratio <= 1, "grow_ratio must be within (0, 1]", self.grow_ratio)
        require(self.min_area_mm2 >= 0, "min_area_mm2 must be >= 0", self.min_area_mm2)
        require(self.reannounce_m > 0, "reannounce_m must be > 0", self.reannounce_m)
        require(self.max_open_regions > 0, "max_open_regions must be > 0", self.max_open_regions)


@dataclass(frozen=True, slots=True)
class Region:
    """Statistics of a region that may still grow: lines and columns in web pixels, half-open.

    `defect_id` is 0 until it is announced; no UPDATE is due before `quiet_until` (a line).
    """

    key: int
    first_line: int
    end_line: int
    first_column: int
    end_column: int
    cells: int
    total: float
    peak: float
    pixels: int
    captured_ns: int
    defect_id: int = 0
    quiet_until: int = 0


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


@dataclass(frozen=True, slots=True, eq=False)
class _Labelled:
    """Groups of a strip: `groups` (rows, columns), 0 = none; `keys[k]` lies in group `of_key[k]`.

    Groups count from 1 to `count`; those of open regions without a cell in the strip are included.
    """

    groups: ScoreArray
    count: int
    keys: ScoreArray
    of_key: ScoreArray


def severity_of(defect: Defect) -> Severity:
    """HIGH from 2.5 times the alarm level, MEDIUM from 1.5 times, else LOW."""
    if defect.peak >= HIGH_PEAK:
        return Severity.HIGH
    return Severity.MEDIUM if defect.peak >= MEDIUM_PEAK else Severity.LOW


def decide(
    state: DecisionState, strip: Strip, settings: DecisionSettings
) -> tuple[DecisionState, tuple[Defect, ...]]:
    """Take one strip, in down-web order; return the new state and what is to be announced.

    Strips of a piece are decided as if the whole piece were labelled at once (hysteresis, Canny
    1986). A defect is announced NEW once, in the strip in which it qualifies. While it runs on, its
    first growth and then every `reannounce_m` metres of it give an UPDATE; END comes when it can
    grow no more, always with the final figures. Where announced defects join, the oldest goes on
    (UPDATE) and the others END with the class "merged": they are part of it, not defects of their
    own. Above `max_open_regions` the open regions of the smallest area are closed, and what they
    grow into counts as new: this bounds time and memory, and is the only case that departs from
    labelling at once.

    Raises:
        ValueError: the strip neither continues the one before it nor starts a piece.
    """
    _require_continuity(state, strip)
    ended: list[Defect] = []
    if strip.starts_piece:
        ended += finish(state, settings)
        state = replace(state, regions=(), last_row=np.zeros(0, np.int64))
    labelled = _label(state, strip, settings)
    regions, absorbed = _regions(state, labelled, strip, settings)
    ended += [_defect(region, DefectState.END, settings, MERGED) for region in absorbed]
    settled, announced = _announce(regions, _kept(regions, labelled, settings), state, settings)
    return DecisionState(
        regions=tuple(settled.values()),
        last_row=_key_row(labelled, settled),
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


def _label(state: DecisionState, strip: Strip, settings: DecisionSettings) -> _Labelled:
    """Label the strip below the last row, then join what the open regions join."""
    last = state.last_row if state.last_row.size else np.zeros(strip.scores.shape[1], np.int64)
    grown = strip.scores >= settings.grow_ratio  # False for NaN
    labels, count = ndimage.label(np.vstack([last > 0, grown]), structure=EIGHT_NEIGHBOURS)
    keys, positions = np.unique(last[last > 0], return_inverse=True)
    joins = (labels[0][last > 0] - 1, count + positions)
    nodes = count + keys.size
    graph = coo_array((np.ones(positions.size, np.int8), joins), shape=(nodes, nodes))
    total, group = connected_components(graph, directed=False)
    table = np.concatenate([[0], group[:count] + 1])
    return _Labelled(table[labels[1:]], int(total), keys, group[count:] + 1)


def _regions(
    state: DecisionState, labelled: _Labelled, strip: Strip, settings: DecisionSettings
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
            survivor = replace(survivor, quiet_until=0)
        groups[group] = region if survivor is None else _join(survivor, region)
    for group, part in _parts(labelled, strip, settings, state.next_key).items():
        groups[group] = _join(groups[group], part) if group in groups else part
    return groups, absorbed


def _join(region: Region, other: Region) -> Region:
    """`region` with the cells of `other`; key and announcements stay those of `region`."""
    return replace(
        region,
        first_line=min(region.first_line, other.first_line),
        end_line=max(region.end_line, other.end_line),
        first_column=min(region.first_column, other.first_column),
        end_column=max(region.end_column, other.end_column),
        cells=region.cells + other.cells,
        total=region.total + other.total,
        peak=max(region.peak, other.peak),
        pixels=region.pixels + other.pixels,
        captured_ns=max(region.captured_ns, other.captured_ns),
    )


def _parts(
    labelled: _Labelled, strip: Strip, settings: DecisionSettings, next_key: int
) -> dict[int, Region]:
    """What the strip adds to each group that can matter (seeded, open above or open below)."""
    rows, columns = np.nonzero(labelled.groups)
    group, size = labelled.groups[rows, columns], labelled.count + 1
    scores = strip.scores[rows, columns].astype(np.float64)
    peak = _extreme(np.maximum, group, scores, np.full(size, -np.inf))
    matters = peak >= SEED_LEVEL
    matters[labelled.of_key] = True
    matters[labelled.groups[-1:].ravel()] = True
    bottom, right = _cell_ends(strip, settings.geometry)
    tops, lefts = rows * strip.stride, columns * strip.stride
    areas = (bottom[rows] - tops) * (right[columns] - lefts)
    far, none = np.iinfo(np.int64).max, np.zeros(size, np.int64)
    figures = (
        _extreme(np.minimum, group, tops, np.full(size, far)) + strip.first_line,
        _extreme(np.maximum, group, bottom[rows], none.copy()) + strip.first_line,
        _extreme(np.minimum, group, lefts, np.full(size, far)),
        _extreme(np.maximum, group, right[columns], none.copy()),
        np.bincount(group, minlength=size),
        np.bincount(group, weights=scores, minlength=size),
        peak,
        _extreme(np.add, group, areas, none.copy()),
        np.full(size, strip.captured_ns),
    )
    kept = np.flatnonzero(matters & (figures[4] > 0))
    table = zip(*(figure[kept].tolist() for figure in figures), strict=True)
    return {
        group_number: Region(next_key + index, *row)
        for index, (group_number, row) in enumerate(zip(kept.tolist(), table, strict=True))
    }


def _extreme(
    operation: np.ufunc, group: ScoreArray, values: ScoreArray, into: ScoreArray
) -> ScoreArray:
    operation.at(into, group, values)
    return into


def _cell_ends(strip: Strip, geometry: WebGeometry) -> tuple[ScoreArray, ScoreArray]:
    """Where each row (from the strip's first line) and column of the grid ends, in pixels."""
    rows, columns = strip.scores.shape
    bottom = np.minimum(np.arange(1, rows + 1) * strip.stride, strip.line_count)
    right = np.minimum(np.arange(1, columns + 1) * strip.stride, geometry.columns)
    return bottom, right


def _kept(
    regions: dict[int, Region], labelled: _Labelled, settings: DecisionSettings
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
    if region.defect_id == 0 and _qualifies(region, settings):
        region = replace(region, defect_id=next_id, quiet_until=region.end_line + 1)
        return region, (DefectState.NEW, *end)
    if region.defect_id == 0 or end or region.end_line < region.quiet_until:
        return region, end if region.defect_id else ()
    quiet_until = region.end_line + settings.geometry.lines(settings.reannounce_m)
    return replace(region, quiet_until=quiet_until), (DefectState.UPDATE,)


def _qualifies(region: Region, settings: DecisionSettings) -> bool:
    return region.peak >= SEED_LEVEL and _area_mm2(region, settings) >= settings.min_area_mm2


def _area_mm2(region: Region, settings: DecisionSettings) -> float:
    return region.pixels * settings.geometry.pixel_mm * settings.geometry.line_mm


def _key_row(labelled: _Labelled, settled: dict[int, Region]) -> ScoreArray:
    table = np.zeros(labelled.count + 1, np.int64)
    table[list(settled)] = [region.key for region in settled.values()]
    row: ScoreArray = table[labelled.groups[-1]]
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
