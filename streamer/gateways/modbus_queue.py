"""Which alarm a PLC is shown and which wait; pure: knows no register and no socket."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import AlarmCondition, AlarmKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import Alarm

RANK = {severity: rank for rank, severity in enumerate(Severity, start=1)}
BY = "modbus"
_WITHHELD = (AlarmCondition.SHELVED, AlarmCondition.SUPPRESSED, AlarmCondition.OUT_OF_SERVICE)
_WANTS_NOBODY = (AlarmCondition.NORMAL, AlarmCondition.ACKNOWLEDGED, *_WITHHELD)
_NUMBERS = 2**32


@dataclass(frozen=True, slots=True)
class Told:
    """What the PLC was told of an alarm: how far down and across the web, and how severe."""

    first: float
    end: float
    cross_first: float
    cross_end: float
    rank: int

    @classmethod
    def of(cls, alarm: Alarm) -> Told:
        """What this alarm says, in whole millimetres."""
        region = alarm.region
        return cls(
            math.floor(region.down_first),
            math.ceil(region.down_end),
            math.floor(region.cross_first),
            math.ceil(region.cross_end),
            RANK[alarm.severity],
        )

    def holds(self, other: Told) -> bool:
        """Whether nothing of the other is new: it is within this one and no more severe."""
        along = self.first <= other.first and self.end >= other.end
        across = self.cross_first <= other.cross_first and self.cross_end >= other.cross_end
        return along and across and self.rank >= other.rank


@dataclass(frozen=True, slots=True)
class Shown:
    """An alarm under the number that the PLC acknowledges."""

    number: int
    alarm: Alarm


@dataclass(slots=True)
class AlarmQueue:
    """One alarm at a time, first come first shown, each until its number comes back.

    An alarm waits at most once, with the latest that is known of it. Once told, it comes again only
    if it reaches further or is more severe; what has ended meanwhile is told all the same, since
    its place on the web still comes by the actuator. Alarms put aside (shelved, suppressed, out of
    service) do not wait, nor when they end so. When no more than `capacity` may wait, the latest of
    the least severe gives way, and is counted. `next_number` is of the next to be shown.
    """

    capacity: int
    next_number: int = 1
    shown: Shown | None = None
    last_number: int = 0
    overflow: int = 0
    refused: int = 0
    _waiting: OrderedDict[str, Alarm] = field(default_factory=OrderedDict)
    _told: dict[str, Told] = field(default_factory=dict)
    _ranks: Counter[int] = field(default_factory=Counter)
    _blind: int = 0  # not-inspected alarms that wait
    _aside: set[str] = field(default_factory=set)
    _written: int | None = None

    def __len__(self) -> int:
        """How many wait behind the one shown."""
        return len(self._waiting)

    @property
    def highest_rank(self) -> int:
        """1 low to 3 high, of the one shown and those that wait; 0: there is none."""
        shown = RANK[self.shown.alarm.severity] if self.shown else 0
        return max(shown, *(rank for rank, count in self._ranks.items() if count), 0)

    @property
    def not_inspected(self) -> bool:
        """Whether a not-inspected alarm is shown or waits."""
        return self._blind > 0 or (self.shown is not None and _is_blind(self.shown.alarm))

    def take(self, news: Iterable[Alarm]) -> None:
        """Hear what changed, oldest first; shows the first if none is shown."""
        for alarm in news:
            self._hear(alarm)
            self._show_next()

    def acknowledge(self, number: int) -> Alarm | None:
        """The PLC wrote a number: the alarm of it if that still wants acknowledging, else None.

        A number that is not shown changes nothing. It is counted unless it is 0 or was written
        before: many PLCs write in every cycle.
        """
        is_repeated, self._written = number in (0, self._written), number
        if self.shown is None or number != self.shown.number:
            self.refused += not is_repeated
            return None
        taken, self.shown = self.shown.alarm, None
        self._show_next()
        return None if taken.condition in _WANTS_NOBODY else taken

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget what was told of all other alarms: another sink knows nothing of them."""
        known = set(names)
        self._told = {name: told for name, told in self._told.items() if name in known}
        self._aside &= known

    def _hear(self, alarm: Alarm) -> None:
        if self.shown is not None and self.shown.alarm.id == alarm.id:
            # What is shown stays as it is; whether it wants acknowledging may change.
            kept = replace(self.shown.alarm, condition=alarm.condition)
            self.shown = replace(self.shown, alarm=kept)
        if self._is_aside(alarm):
            self._remove(alarm.id)
        elif alarm.id in self._waiting:
            self._put(alarm)  # at its place
        elif self._is_new(alarm):
            self._let_wait(alarm)
        if alarm.condition is AlarmCondition.NORMAL:
            self._told.pop(alarm.id, None)  # nothing more comes of it

    def _is_aside(self, alarm: Alarm) -> bool:
        was_aside = alarm.id in self._aside
        self._aside.discard(alarm.id)
        if alarm.condition in _WITHHELD:
            self._aside.add(alarm.id)
            return True
        return was_aside and alarm.condition is AlarmCondition.NORMAL

    def _is_new(self, alarm: Alarm) -> bool:
        told, says = self._told.get(alarm.id), Told.of(alarm)
        if told is not None:
            return not told.holds(says)
        # Acknowledged over this protocol before the gateway was started anew: the PLC has it.
        has_it = alarm.condition is AlarmCondition.ACKNOWLEDGED and alarm.by == BY
        if has_it:
            self._told[alarm.id] = says
        return not has_it

    def _let_wait(self, alarm: Alarm) -> None:
        if len(self._waiting) >= self.capacity:
            self.overflow += 1
            lowest = min(rank for rank, count in self._ranks.items() if count)
            if RANK[alarm.severity] <= lowest:
                return
            latest = (a.id for a in reversed(self._waiting.values()) if RANK[a.severity] == lowest)
            self._remove(next(latest))
        self._put(alarm)

    def _put(self, alarm: Alarm) -> None:
        if alarm.id in self._waiting:
            self._count(self._waiting[alarm.id], -1)
        self._waiting[alarm.id] = alarm
        self._count(alarm, 1)

    def _remove(self, name: str) -> None:
        if name in self._waiting:
            self._count(self._waiting.pop(name), -1)

    def _count(self, alarm: Alarm, change: int) -> None:
        self._ranks[RANK[alarm.severity]] += change
        self._blind += change * _is_blind(alarm)

    def _show_next(self) -> None:
        if self.shown is not None or not self._waiting:
            return
        _, alarm = self._waiting.popitem(last=False)
        self._count(alarm, -1)
        self.shown, self.last_number = Shown(self.next_number, alarm), self.next_number
        self.next_number = self.next_number % (_NUMBERS - 1) + 1  # 0 is no number
        if alarm.condition is not AlarmCondition.NORMAL:
            self._told[alarm.id] = Told.of(alarm)


def _is_blind(alarm: Alarm) -> bool:
    return alarm.kind is AlarmKind.NOT_INSPECTED
