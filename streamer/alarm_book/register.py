"""The alarms that are known, their conditions and numbers; decides not what is announced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.alarm_book.state import Entry, Place, Rule, RuleKey, governing, rank
from streamer.message import Alarm, AlarmCondition, DefectState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamer.alarm_book.state import BookSettings, BookState

MOST_OVER = 64  # ended alarms whose names are remembered, to tell a peer that they are over


@dataclass(slots=True)
class Register:
    """Entries by id with the rules that put them aside; makes every message that is published."""

    settings: BookSettings
    sequence: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    rules: dict[RuleKey, Rule] = field(default_factory=dict)
    over: dict[str, bool] = field(default_factory=dict)
    _latched: set[str] = field(default_factory=set)  # ended, but not normal

    @classmethod
    def restored(cls, settings: BookSettings, state: BookState) -> Register:
        """The register that a state was taken from."""
        entries = {entry.alarm.id: entry for entry in state.entries}
        ended = [entry.alarm for entry in state.entries if entry.has_ended]
        return cls(
            settings,
            sequence=state.sequence,
            entries=entries,
            rules={(rule.condition, rule.target): rule for rule in state.rules},
            over=dict(state.over),
            _latched={alarm.id for alarm in ended},
        )

    @property
    def announced(self) -> tuple[Alarm, ...]:
        """What is not normal, as last published, by sequence."""
        return tuple(sorted(self.shown(), key=lambda alarm: alarm.sequence))

    def shown(self) -> Iterator[Alarm]:
        """The same in no order: thousands are counted ten times a second."""
        entries = self.entries.values()
        return (entry.alarm for entry in entries if entry.place is Place.ANNOUNCED)

    def known(self, alarm_id: str) -> Entry | None:
        """The entry of an alarm that was announced and needs somebody."""
        entry = self.entries.get(alarm_id)
        return entry if entry and entry.place is Place.ANNOUNCED else None

    def announce(self, alarm: Alarm, now_ns: int) -> Alarm:
        """A life begins: NEW."""
        fresh = replace(alarm, state=DefectState.NEW, condition_ns=0, by="", until_ns=0)
        self._latched.discard(alarm.id)
        self.over.pop(alarm.id, None)
        return self.tell(Entry(fresh, Place.ANNOUNCED, began_ns=now_ns), now_ns)

    def grow(self, entry: Entry, alarm: Alarm, now_ns: int) -> Alarm:
        """It goes on: UPDATE, in the condition in which it is."""
        grown = _in_condition_of(replace(alarm, state=DefectState.UPDATE), entry.alarm)
        return self.tell(replace(entry, alarm=grown), now_ns)

    def end(self, entry: Entry, alarm: Alarm, now_ns: int) -> Alarm:
        """It is over: END; whether it still waits for somebody is a matter of its condition.

        One that was put aside ends for good: that it needs nobody was decided before.
        """
        ended = _in_condition_of(replace(alarm, state=DefectState.END), entry.alarm)
        is_aside = governing(self.rules, alarm.id) is not None
        waits = self.settings.latches(ended.severity) and not entry.acknowledged and not is_aside
        return self.tell(replace(entry, alarm=ended, closed=not waits), now_ns)

    def tell(self, entry: Entry, now_ns: int, by: str = "") -> Alarm:
        """The next message, about an entry as it now stands; forgets it once it is normal."""
        alarm = entry.alarm
        condition, rule = self.standing(entry)
        told = replace(alarm, sequence=self.sequence + 1, raised_ns=now_ns, condition=condition)
        if condition is not alarm.condition or alarm.condition_ns == 0:
            told = replace(told, condition_ns=now_ns, by=by or (rule.by if rule else ""))
        is_shelved = rule is not None and condition is AlarmCondition.SHELVED
        told = replace(told, until_ns=rule.until_ns if rule and is_shelved else 0)
        self.sequence += 1
        self._keep(replace(entry, alarm=told))
        return told

    def standing(self, entry: Entry) -> tuple[AlarmCondition, Rule | None]:
        """The condition that an entry must have now, and the rule that says so, if one does."""
        if entry.closed or (entry.has_ended and entry.acknowledged):
            return AlarmCondition.NORMAL, None
        rule = governing(self.rules, entry.alarm.id)
        if rule is not None:
            return rule.condition, rule
        if entry.has_ended:
            return AlarmCondition.LATCHED, None
        is_known = entry.acknowledged
        known, new = AlarmCondition.ACKNOWLEDGED, AlarmCondition.UNACKNOWLEDGED
        return (known if is_known else new), None

    def acknowledge(self, entry: Entry, now_ns: int, by: str) -> tuple[Alarm, ...]:
        """Somebody has seen it; nothing is told of one that was acknowledged before."""
        if entry.acknowledged:
            return ()
        return self._again(replace(entry, acknowledged=True), now_ns, by)

    def settle(self, targets: Iterable[Rule], now_ns: int, by: str) -> tuple[Alarm, ...]:
        """After rules came or went: a message for each alarm that stands otherwise for it."""
        covered: dict[str, None] = {}
        for rule in targets:
            covered |= dict.fromkeys(self._covered(rule))
        known = [entry for alarm_id in covered if (entry := self.known(alarm_id))]
        known.sort(key=lambda entry: entry.alarm.sequence)
        return tuple(told for entry in known for told in self._again(entry, now_ns, by))

    def _covered(self, rule: Rule) -> tuple[str, ...]:
        if rule.condition is AlarmCondition.SHELVED:
            return (rule.target,)  # a shelf for each of thousands must not look at all of them
        return tuple(alarm_id for alarm_id in self.entries if rule.covers(alarm_id))

    def surplus(self) -> Entry | None:
        """The ended alarm that must leave to bound memory: of the least severe the oldest."""
        if len(self._latched) <= self.settings.most_latched:
            return None
        return min(
            (self.entries[alarm_id] for alarm_id in self._latched),
            key=lambda entry: (rank(entry.alarm.severity), entry.began_ns, entry.alarm.id),
        )

    @property
    def is_full(self) -> bool:
        """Whether one more ended alarm would make one leave."""
        return len(self._latched) >= self.settings.most_latched

    def _again(self, entry: Entry, now_ns: int, by: str) -> tuple[Alarm, ...]:
        """The entry's condition, if it is another one or a shelf has another end."""
        condition, rule = self.standing(entry)
        until_ns = rule.until_ns if rule and condition is AlarmCondition.SHELVED else 0
        if (condition, until_ns) == (entry.alarm.condition, entry.alarm.until_ns):
            self.entries[entry.alarm.id] = entry
            return ()
        state = DefectState.END if entry.has_ended else DefectState.UPDATE
        alarm = replace(entry.alarm, state=state)
        if condition is entry.alarm.condition:  # shelved for another time, and by another one
            alarm = replace(alarm, condition_ns=0)
        return (self.tell(replace(entry, alarm=alarm), now_ns, by),)

    def _keep(self, entry: Entry) -> None:
        alarm = entry.alarm
        if alarm.condition is AlarmCondition.NORMAL:
            self.entries.pop(alarm.id, None)
            self._latched.discard(alarm.id)
            self.over[alarm.id] = entry.acknowledged
            while len(self.over) > MOST_OVER:
                del self.over[next(iter(self.over))]
            return
        self.entries[alarm.id] = entry
        if entry.has_ended:
            self._latched.add(alarm.id)


def _in_condition_of(alarm: Alarm, known: Alarm) -> Alarm:
    return replace(
        alarm,
        condition=known.condition,
        condition_ns=known.condition_ns,
        by=known.by,
        until_ns=known.until_ns,
    )
