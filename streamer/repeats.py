"""Defects that come again at one cross-web place and a constant pitch; pure, knows no alarm."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamer.decision import MERGED
from streamer.message import DefectState, ScoreArray, require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import Defect, RegionMm

MOST_REMEMBERED = 4096  # single defects, the newest
MOST_COMPARED = 256  # of them at one cross-web place
MOST_REPEATS = 256  # at a time
MOST_AT_ONCE = 256  # defects of one call: the strongest
LENGTHS = (1, 2, 4)  # of a train: where other defects are dense, more marks must speak


@dataclass(frozen=True, slots=True)
class RepeatSettings:
    """What counts as a repeat: `min_count` occurrences at one pitch, `max_missed` between them.

    An occurrence lies within the tolerances of where the others say it must be. `most_false` bounds
    how many repeats a defect may be expected to complete by chance, given how many defects lie at
    its cross-web place (number of false alarms; Desolneux, Moisan and Morel, "Meaningful
    alignments", 2000).
    """

    min_count: int = 4
    max_missed: int = 1
    tolerance_down_mm: float = 5.0
    tolerance_cross_mm: float = 5.0
    min_period_mm: float = 50.0
    max_period_mm: float = 4000.0
    reannounce_mm: float = 1000.0
    most_false: float = 1e-5

    def __post_init__(self) -> None:
        require(self.min_count >= 3, "min_count must be >= 3", self.min_count)
        require(self.max_missed >= 0, "max_missed must be >= 0", self.max_missed)
        tolerances = self.tolerance_down_mm, self.tolerance_cross_mm
        require(min(tolerances) > 0, "tolerances must be > 0 mm", tolerances)
        ordered = 4 * self.tolerance_down_mm <= self.min_period_mm <= self.max_period_mm
        rule = "periods must have 4 * tolerance_down_mm <= min_period_mm <= max_period_mm"
        require(ordered, rule, (self.min_period_mm, self.max_period_mm))

    @property
    def steps(self) -> int:
        """Periods that the shortest new repeat spans at most."""
        return self.min_count - 1 + self.max_missed

    @property
    def span_mm(self) -> float:
        """How far back a defect may belong to the shortest new repeat."""
        return self.steps * self.max_period_mm + self.tolerance_down_mm


@dataclass(frozen=True, slots=True)
class Repeat:
    """A mark that comes again every `period_mm`; places are those of the defects' centres.

    It was seen `count` times from `first_mm` to `last_mm` and `missed` times not where it should
    have been. A roller that makes it has the circumference `period_mm`. `defects` are the ids of
    those that became occurrences of it since it was told before.
    """

    id: int
    state: DefectState
    cross_mm: float
    period_mm: float
    count: int
    missed: int
    first_mm: float
    last_mm: float
    defects: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Running:
    """A repeat that may go on; nothing is announced of it before `quiet_until_mm`."""

    repeat: Repeat
    quiet_until_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class RepeatState:
    """What is remembered: repeats that go on, and (down, cross, id) of single defects, in mm.

    `RepeatState()` is the start of a roll.
    """

    running: tuple[_Running, ...] = ()
    single: ScoreArray = field(default_factory=lambda: np.zeros((0, 3)))
    next_id: int = 1


class _Train(NamedTuple):
    """(down, cross, id) of a new repeat's defects, newest first, and how many periods back."""

    members: ScoreArray
    steps: ScoreArray


def find_repeats(
    state: RepeatState, defects: Iterable[Defect], reached_mm: float, settings: RepeatSettings
) -> tuple[RepeatState, tuple[Repeat, ...]]:
    """Take what was decided of a strip that begins at `reached_mm`; return what is to be announced.

    Defects count when they END, by their centres; those that merged into others or are longer than
    the shortest period do not. A repeat is NEW with its `min_count`-th occurrence, or a later one
    where other defects are dense at its place; UPDATE at most every `reannounce_mm` while it goes
    on; END when more than `max_missed` occurrences in a row are missing, which are counted as
    missed. Memory and time are bounded: of a flood the strongest defects count.
    """
    told: list[Repeat] = []
    for place in _centres(defects, settings):
        state, news = _take(state, place, settings)
        told += news
    over = [running for running in state.running if _is_over(running.repeat, reached_mm, settings)]
    # A defect may end half its length, at most half a shortest period, before the strip begins.
    oldest_mm = reached_mm - LENGTHS[-1] * settings.span_mm - settings.min_period_mm
    single = state.single[state.single[:, 0] >= oldest_mm]
    running = tuple(running for running in state.running if running not in over)
    ended = (replace(running.repeat, state=DefectState.END) for running in over)
    return RepeatState(running, single[-MOST_REMEMBERED:], state.next_id), (*told, *ended)


def finish_repeats(state: RepeatState) -> tuple[Repeat, ...]:
    """END of every repeat that goes on, at the end of the roll."""
    return tuple(replace(running.repeat, state=DefectState.END) for running in state.running)


def _centres(defects: Iterable[Defect], settings: RepeatSettings) -> ScoreArray:
    """(down, cross, id) of the centres of the defects that count, in mm, down-web."""
    counted = [
        defect
        for defect in defects
        if defect.state is DefectState.END
        and defect.defect_class != MERGED
        and defect.region.down_end - defect.region.down_first <= settings.min_period_mm
    ]
    strongest = sorted(counted, key=lambda defect: -defect.peak)[:MOST_AT_ONCE]
    places = [(*_centre(defect.region), float(defect.id)) for defect in strongest]
    return np.array(sorted(places)).reshape(-1, 3)


def _centre(box: RegionMm) -> tuple[float, float]:
    return (box.down_first + box.down_end) / 2, (box.cross_first + box.cross_end) / 2


def _take(
    state: RepeatState, place: ScoreArray, settings: RepeatSettings
) -> tuple[RepeatState, tuple[Repeat, ...]]:
    """One defect: it continues a repeat, completes a new one, or is remembered."""
    for index, running in enumerate(state.running):
        step = _step(running.repeat, place, settings)
        if step is not None:
            known = list(state.running)
            known[index], news = _extended(running, place, step, settings)
            return replace(state, running=tuple(known)), news
    train = _find_train(state.single, place, settings)
    if train is None or len(state.running) >= MOST_REPEATS:
        return replace(state, single=np.vstack([state.single, place])), ()
    repeat = _repeat(state.next_id, train)
    is_member = (state.single[:, None] == train.members[None]).all(axis=2).any(axis=1)
    told = replace(repeat, defects=())
    running = _Running(told, repeat.last_mm + settings.reannounce_mm)
    together = (*state.running, running)
    return RepeatState(together, state.single[~is_member], state.next_id + 1), (repeat,)


def _step(repeat: Repeat, place: ScoreArray, settings: RepeatSettings) -> int | None:
    """How many periods after the last occurrence this is one; 0: the same again; None: it is none.

    The last occurrence is where it was seen, so that a period known too roughly cannot drift away.
    """
    if abs(place[1] - repeat.cross_mm) > settings.tolerance_cross_mm:
        return None
    ahead_mm = float(place[0] - repeat.last_mm)
    step = round(ahead_mm / repeat.period_mm)
    fits = abs(ahead_mm - step * repeat.period_mm) <= settings.tolerance_down_mm
    return step if fits and 0 <= step <= 1 + settings.max_missed else None


def _extended(
    running: _Running, place: ScoreArray, step: int, settings: RepeatSettings
) -> tuple[_Running, tuple[Repeat, ...]]:
    """The repeat with one more occurrence, and what is to be announced of it."""
    known, down_mm = running.repeat, float(place[0])
    known = replace(known, defects=(*known.defects, int(place[2])))
    if step == 0:
        return replace(running, repeat=known), ()
    periods = known.count - 1 + known.missed + step
    repeat = replace(
        known,
        state=DefectState.UPDATE,
        cross_mm=known.cross_mm + (float(place[1]) - known.cross_mm) / (known.count + 1),
        period_mm=(down_mm - known.first_mm) / periods,
        count=known.count + 1,
        missed=known.missed + step - 1,
        last_mm=down_mm,
    )
    if down_mm < running.quiet_until_mm:
        return _Running(repeat, running.quiet_until_mm), ()
    told = replace(repeat, defects=())
    return _Running(told, down_mm + settings.reannounce_mm), (repeat,)


def _is_over(repeat: Repeat, reached_mm: float, settings: RepeatSettings) -> bool:
    """Whether no occurrence can come: a defect that still grows is at most a shortest period."""
    waiting_mm = (1 + settings.max_missed) * repeat.period_mm + settings.tolerance_down_mm
    return reached_mm > repeat.last_mm + waiting_mm + settings.min_period_mm


def _find_train(single: ScoreArray, place: ScoreArray, settings: RepeatSettings) -> _Train | None:
    """The occurrences that this defect completes to a repeat: the shortest certain train."""
    near = single[np.abs(single[:, 1] - place[1]) <= settings.tolerance_cross_mm]
    near = near[near[:, 0] < place[0]]
    near = near[np.argsort(-near[:, 0], kind="stable")][:MOST_COMPARED]
    trains = (_train(near, place, settings, times) for times in LENGTHS)
    return next((train for train in trains if train is not None), None)


def _train(
    near: ScoreArray, place: ScoreArray, settings: RepeatSettings, times: int
) -> _Train | None:
    """The defects before `place`, newest first, that make a train of so many times the least.

    Each way from it back to an earlier one is tried as one, two, ... periods; of those that hit
    often enough, the one of the fewest steps and the least deviation is judged.
    """
    span_mm, wanted = times * settings.span_mm, times * (settings.min_count - 1)
    near = near[near[:, 0] >= place[0] - span_mm]
    if len(near) < wanted:
        return None
    back_mm, steps = place[0] - near[:, 0], np.arange(1, times * settings.steps + 1)
    periods = (back_mm[:, None] / steps).ravel()
    periods = periods[(periods >= settings.min_period_mm) & (periods <= settings.max_period_mm)]
    expected = periods[:, None] * steps
    nearest = _nearest(back_mm, expected)
    errors = np.abs(back_mm[nearest] - expected)
    hits = errors <= settings.tolerance_down_mm
    enough = hits.cumsum(axis=1) >= wanted
    fits = np.flatnonzero(enough[:, -1])
    if not fits.size:
        return None
    length = enough[fits].argmax(axis=1) + 1
    deviation = np.where(hits & (steps <= enough.argmax(axis=1)[:, None] + 1), errors, 0).sum(1)
    best = np.lexsort((deviation[fits], length))[0]
    found = hits[fits[best], : length[best]]
    searched_mm = min(span_mm, max(float(place[0]), 1.0))
    density = (len(near) - wanted) / searched_mm + 1 / span_mm
    chance = _by_chance(int(length[best]), wanted, 2 * settings.tolerance_down_mm * density)
    if len(periods) * chance > settings.most_false / len(LENGTHS):
        return None
    members = near[nearest[fits[best], : length[best]][found]]
    return _Train(np.vstack([place, members]), np.concatenate([[0], steps[: len(found)][found]]))


def _nearest(ascending: ScoreArray, wanted: ScoreArray) -> ScoreArray:
    """Index of the member of `ascending` that is nearest to each of `wanted`."""
    after = np.searchsorted(ascending, wanted).clip(1, max(len(ascending) - 1, 1))
    after = np.minimum(after, len(ascending) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(ascending[before] - wanted) <= np.abs(ascending[after] - wanted)
    nearest: ScoreArray = np.where(closer, before, after)
    return nearest


def _by_chance(steps: int, hits: int, expected: float) -> float:
    """Probability of at least `hits` of `steps` places with `expected` strangers at each."""
    p = float(1 - np.exp(-expected))
    return sum(comb(steps, n) * p**n * (1 - p) ** (steps - n) for n in range(hits, steps + 1))


def _repeat(repeat_id: int, train: _Train) -> Repeat:
    """A new repeat; its period is the slope of the least-squares line through its places."""
    down, cross = train.members[:, 0], train.members[:, 1]
    slope = np.polyfit(train.steps, down, 1)[0]
    periods = int(train.steps[-1])
    return Repeat(
        id=repeat_id,
        state=DefectState.NEW,
        cross_mm=float(cross.mean()),
        period_mm=float(-slope),
        count=len(down),
        missed=periods + 1 - len(down),
        first_mm=float(down[-1]),
        last_mm=float(down[0]),
        defects=tuple(int(number) for number in train.members[:, 2]),
    )
