"""Follows a lamp that fades and columns that go dark, by line coordinate; pure, knows no alarm."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d

from streamer.correction.flat_field import NARROW
from streamer.message import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

SAMPLED_EVERY = 64  # lines: brightness changes slowly, and measuring must cost little
FIRST_SEGMENTS = 5  # whose median is what the roll starts with
LONGEST_WINDOW = 30  # segments: what the present brightness is the median of
LARGEST_FACTOR, LARGEST_STEP = 1.25, 0.002  # of a gain; per segment
DARK_SEGMENTS = 10  # a column must stay dark for so many
DARK_EVERY = 10  # segments: looking for them costs more than all the rest
DARK_SHARE = 0.15  # of the light that a column had
LEVEL_WEB = 0.25  # a column is taken for web within this share of the median one
GUARD = NARROW  # columns beside the web's edge that its wandering may darken


@dataclass(frozen=True, slots=True)
class DriftPlan:
    """How long a segment is and what follows from it.

    `web_level` is the brightness of the web under a fresh lamp, in levels; None: that of the first
    segments. `maintenance_share` is the loss of light at which the lamp is due; None: never.
    """

    segment_lines: int
    compensate: bool = False
    maintenance_share: float | None = None
    web_level: float | None = None

    def __post_init__(self) -> None:
        require(self.segment_lines > 0, "segment_lines must be > 0", self.segment_lines)


@dataclass(slots=True)
class LampWatch:
    """Brightness segment by segment, each [k, k + 1) * segment_lines from the start of the roll.

    What holds for a segment follows from the lines of those before it alone, whatever blocks they
    came in. Lines that are missing are not waited for. The brightness of a segment is the median
    over columns of their means; the present one is the median of the last LONGEST_WINDOW segments,
    so that no defect and no seam moves it. The factor goes to the reference level by at most
    LARGEST_STEP a segment and never beyond LARGEST_FACTOR: a new article is not mistaken for a lamp
    all at once, and what the factor cannot hide is seen.
    """

    plan: DriftPlan
    factor: float = 1.0
    notices: tuple[str, ...] = ()
    _dark: tuple[str, ...] = ()
    _segment: int = 0
    _sums: Reals | None = None
    _count: int = 0
    _levels: deque[float] = field(default_factory=lambda: deque(maxlen=LONGEST_WINDOW))
    _first: list[Reals] = field(default_factory=list)
    _start: Reals | None = None  # of each column, relative to their median
    _inside: NDArray[np.bool_] | None = None  # columns that were web then, and far from its edges
    _start_level: float | None = None
    _columns: deque[Reals] = field(default_factory=lambda: deque(maxlen=DARK_SEGMENTS))

    @property
    def loss(self) -> float:
        """Share of the reference brightness that is missing now; negative: it has grown."""
        wanted = self._wanted
        return 0.0 if wanted is None or not self._levels else 1 - self._present / wanted

    def ends_before(self, line: int) -> bool:
        """Whether the present segment is over when lines from `line` on come next."""
        return line // self.plan.segment_lines > self._segment

    def enter(self, line: int) -> None:
        """Lines from `line` on come next: segments that end before it are judged."""
        if self.ends_before(line):
            self._judge()
            self._segment = line // self.plan.segment_lines

    def add(self, sums: Reals, count: int) -> None:
        """Sums (columns,) of `count` sampled lines, corrected but for the factor."""
        self._sums = sums.copy() if self._sums is None else self._sums + sums
        self._count += count

    @property
    def _wanted(self) -> float | None:
        if self.plan.web_level is not None:
            return self.plan.web_level
        return self._start_level

    @property
    def _present(self) -> float:
        return statistics.median(self._levels)

    def _judge(self) -> None:
        if self._sums is None or self._count == 0:
            return
        means = self._sums / self._count
        self._sums, self._count = None, 0
        level = _median(means)
        if level <= 0:
            return  # no web, or no picture: nothing to be learnt about the lamp
        self._levels.append(level)
        self._columns.append(means / level)
        self._learn_start(means)
        wanted = self._wanted
        if wanted is None:
            return
        if self.plan.compensate:
            self._follow(wanted / self._present)
        if self._segment % DARK_EVERY == 0:
            self._dark = self._dust()
        self.notices = (*self._ageing(), *self._dark)

    def _learn_start(self, means: Reals) -> None:
        if self._start is not None:
            return
        self._first.append(means)
        if len(self._first) == FIRST_SEGMENTS:
            start = np.median(self._first, axis=0)
            self._start_level = float(np.median(start))
            self._start = start / self._start_level
            web = np.abs(self._start - 1) < LEVEL_WEB
            self._inside = ~maximum_filter1d(~web, 2 * GUARD + 1, mode="constant")
            self._first.clear()

    def _follow(self, factor: float) -> None:
        held = min(max(factor, 1 / LARGEST_FACTOR), LARGEST_FACTOR)
        self.factor += min(max(held - self.factor, -LARGEST_STEP), LARGEST_STEP)

    def _ageing(self) -> tuple[str, ...]:
        due = self.plan.maintenance_share
        if due is None or self.loss < due:
            return ()
        return (f"lamp has lost {due:.0%} of its light or more; clean or replace it",)

    def _dust(self) -> tuple[str, ...]:
        """Columns that were web at the start and have stayed darker than it since."""
        if self._start is None or self._inside is None or len(self._columns) < DARK_SEGMENTS:
            return ()
        limit, times = (1 - DARK_SHARE) * self._start, np.zeros(len(self._start), np.uint8)
        for seen in self._columns:
            times += seen < limit
        # A median costs much, and hardly a column can be dark: half of its segments must be.
        dark = self._inside & (times >= DARK_SEGMENTS // 2)
        if dark.any():
            now = np.median([seen[dark] for seen in self._columns], axis=0)
            dark[dark] = now < limit[dark]
        runs = runs_of(dark)
        if not runs:
            return ()
        named = ", ".join(f"{first}-{end - 1}" for first, end in runs[:3])
        more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
        return (f"columns {named}{more} have gone dark: dust on lens, lamp or sensor?",)


def _median(levels: Reals) -> float:
    """Of (columns,); as numpy's, without what that does around it."""
    half = len(levels) // 2
    middle = np.partition(levels, (max(half - 1, 0), half))[half - 1 + len(levels) % 2 : half + 1]
    return float(middle.mean())


def runs_of(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, end) of each run of True in (columns,)."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
