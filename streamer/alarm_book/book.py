"""The life-cycle of alarms after ISA-18.2: what is published when; no file, socket or clock."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from streamer.alarm_book.commands import carry_out, expired
from streamer.alarm_book.flood import announced, arrived, calmed, holds
from streamer.alarm_book.register import Register
from streamer.alarm_book.state import BookState, Entry, Place, rank
from streamer.alarm_book.tally import TallyAlarm
from streamer.message import Alarm, AlarmCondition, AlarmKind, DefectState, Severity

if TYPE_CHECKING:
    from streamer.alarm_book.state import BookSettings
    from streamer.line_status import Command, CommandAnswer

NS_PER_MS = 1_000_000
MOST_WITHHELD = 10_000  # messages that wait for the log
NEEDS_EYES = (AlarmCondition.UNACKNOWLEDGED, AlarmCondition.LATCHED)
IN_FORCE = (AlarmCondition.UNACKNOWLEDGED, AlarmCondition.ACKNOWLEDGED)
HELD_WORDS = "defect alarms held back: more than the limit of 10 minutes; they are in the log"
OVERFLOW_WORDS = "ended alarms left unacknowledged: too many wait; they are in the log"


class AlarmBook:
    """Turns what the announcer raises and what peers ask into numbered messages.

    Messages count from 1 without holes. What an alarm's messages say is NEW, any UPDATEs, END; one
    that is latched has a second END when it becomes normal. Conditions follow ISA-18.2: new is
    unacknowledged; acknowledging keeps it until it ends; rules put alarms aside whatever they do.
    Times are UTC nanoseconds. `state` is all there is: a book made from it goes on the same.
    """

    def __init__(self, settings: BookSettings, state: BookState | None = None) -> None:
        """Go on from `state`; from None, empty."""
        state = state or BookState()
        self._settings = settings
        self._register = Register.restored(settings, state)
        self._flood = state.flood
        self._held_back = TallyAlarm(self._register, "flood", HELD_WORDS, state.held_back)
        self._overflow = TallyAlarm(self._register, "overflow", OVERFLOW_WORDS, state.overflow)
        entries = state.entries
        waiting = (entry.alarm.id for entry in entries if entry.place is Place.WAITING)
        self._waiting = dict.fromkeys(waiting)
        self._withheld: deque[Alarm] = deque(maxlen=MOST_WITHHELD)
        self._tallies = state.tallies
        self.debounced, self.held = state.debounced, state.held

    @property
    def state(self) -> BookState:
        """All that is remembered, for a store."""
        register = self._register
        return BookState(
            sequence=register.sequence,
            entries=tuple(register.entries.values()),
            rules=tuple(register.rules.values()),
            flood=self._flood,
            held_back=self._held_back.tally,
            overflow=self._overflow.tally,
            over=tuple(register.over.items()),
            debounced=self.debounced,
            held=self.held,
            tallies=self._tallies,
        )

    @property
    def sequence(self) -> int:
        """Number of the latest message; 0 before the first."""
        return self._register.sequence

    @property
    def present(self) -> tuple[Alarm, ...]:
        """Every announced alarm that is not normal, as last published, by sequence."""
        return self._register.announced

    @property
    def active(self) -> int:
        """How many announced alarms have not ended and are not put aside."""
        return sum(alarm.condition in IN_FORCE for alarm in self._register.shown())

    @property
    def unacknowledged(self) -> int:
        """How many announced alarms, ended or not, wait for somebody."""
        return sum(alarm.condition in NEEDS_EYES for alarm in self._register.shown())

    @property
    def highest(self) -> Severity | None:
        """The highest severity of the alarms that are active or latched; None: there is none."""
        heeded = (*IN_FORCE, *NEEDS_EYES)
        shown = self._register.shown()
        found = {alarm.severity for alarm in shown if alarm.condition in heeded}
        return max(found, key=rank, default=None)

    def take_withheld(self) -> tuple[Alarm, ...]:
        """What was held back or debounced since the last call, for the log; sequence is 0.

        The latest MOST_WITHHELD, if nobody asked for long.
        """
        withheld = tuple(self._withheld)
        self._withheld.clear()
        return withheld

    def take(self, alarm: Alarm, now_ns: int) -> tuple[Alarm, ...]:
        """What is to be published because the announcer raised, updated or ended an alarm."""
        known = self._register.entries.get(alarm.id)
        over = self._calm(now_ns)
        if alarm.state is DefectState.END:
            told = self._end(known, alarm, now_ns) if known and not known.has_ended else ()
        elif known is None or known.has_ended:
            told = self._begin(alarm, now_ns, returns=known is not None)
        else:
            told = self._grow(known, alarm, now_ns)
        return (*over, *told, *self._make_room(now_ns))

    def command(self, command: Command, now_ns: int) -> tuple[CommandAnswer, tuple[Alarm, ...]]:
        """The answer to a peer, and what is to be published because of it."""
        answer, told = carry_out(self._register, command, now_ns)
        return answer, told

    def tick(self, now_ns: int) -> tuple[Alarm, ...]:
        """What is due: shelves that expire, alarms that lasted, how many are held back."""
        due = [self._register.entries[alarm_id] for alarm_id in self._waiting]
        due = [entry for entry in due if self._has_lasted(entry, now_ns)]
        return (
            *expired(self._register, now_ns),
            *(self._announce(entry.alarm, now_ns) for entry in due),
            *self._calm(now_ns),
            *self._held_back.grown(now_ns),
            *self._settle_overflow(now_ns),
        )

    def end_left_over(self, now_ns: int, text: str) -> tuple[Alarm, ...]:
        """What a dead publisher left active ends, since nobody else would end it.

        `text` says why. What it had not announced is dropped, and counted as such; rules and
        acknowledgements stay.
        """
        self._flood, told = replace(self._flood, level=None), []
        for entry in tuple(self._register.entries.values()):
            alarm = replace(entry.alarm, state=DefectState.END, raised_ns=now_ns)
            if entry.place is not Place.ANNOUNCED:
                self._drop(entry, alarm)
            elif not entry.has_ended:
                alarm = replace(alarm, text=f"{text}: {alarm.text}" if alarm.text else text)
                told.append(self._register.end(entry, alarm, now_ns))
        self._held_back.forget()
        self._overflow.forget()
        return (*told, *self._make_room(now_ns))

    def _begin(self, alarm: Alarm, now_ns: int, *, returns: bool) -> tuple[Alarm, ...]:
        """A life begins; for one that `returns` before it was normal, at once."""
        if returns:
            return (self._announce(alarm, now_ns),)
        if alarm.kind is AlarmKind.DEFECT:
            return self._begin_defect(alarm, now_ns)
        if self._settings.debounce_ms and alarm.severity is not Severity.HIGH:
            self._waiting[alarm.id] = None
            self._register.entries[alarm.id] = Entry(_unnumbered(alarm), Place.WAITING, now_ns)
            return ()
        return (self._announce(alarm, now_ns),)

    def _begin_defect(self, alarm: Alarm, now_ns: int) -> tuple[Alarm, ...]:
        limit = self._settings.flood_per_10min
        if limit is not None:
            self._flood = arrived(self._flood, alarm.severity, limit, now_ns)
        if not holds(self._flood, alarm.severity):
            return (self._announce(alarm, now_ns),)
        level = self._flood.level or alarm.severity
        entry = Entry(_unnumbered(alarm), Place.HELD, now_ns, level=level)
        self._register.entries[alarm.id] = entry
        self._withheld.append(entry.alarm)
        self.held += 1
        self._tallies += not self._held_back.tally.id
        return self._held_back.count(alarm, self._tallies, now_ns)

    def _grow(self, known: Entry, alarm: Alarm, now_ns: int) -> tuple[Alarm, ...]:
        if known.place is Place.ANNOUNCED:
            return (self._register.grow(known, alarm, now_ns),)
        if known.place is Place.WAITING:
            stays = alarm.severity is not Severity.HIGH and not self._has_lasted(known, now_ns)
        else:
            stays = holds(self._flood, alarm.severity)
        if not stays:
            return (self._announce(alarm, now_ns),)
        kept = replace(known, alarm=_unnumbered(alarm))
        self._register.entries[alarm.id] = kept
        self._withheld.append(kept.alarm)
        return ()

    def _end(self, known: Entry, alarm: Alarm, now_ns: int) -> tuple[Alarm, ...]:
        if known.place is Place.ANNOUNCED:
            return (self._register.end(known, alarm, now_ns),)
        if known.place is Place.WAITING:
            # What ends in the moment it begins is a notice: it has no duration to be judged by.
            shown = self._has_lasted(known, now_ns) or known.began_ns == now_ns
            shown = shown or alarm.severity is Severity.HIGH
        else:
            shown = rank(alarm.severity) > rank(known.level)
        if not shown:
            self._drop(known, alarm)
            return ()
        told = self._announce(replace(alarm, state=DefectState.NEW), now_ns)
        return told, self._register.end(self._register.entries[alarm.id], alarm, now_ns)

    def _announce(self, alarm: Alarm, now_ns: int) -> Alarm:
        self._waiting.pop(alarm.id, None)
        if alarm.kind is AlarmKind.DEFECT:
            self._flood = announced(self._flood, alarm.severity, now_ns)
        return self._register.announce(alarm, now_ns)

    def _drop(self, entry: Entry, alarm: Alarm) -> None:
        """An alarm ends that was never announced."""
        self.debounced += entry.place is Place.WAITING
        self._waiting.pop(alarm.id, None)
        del self._register.entries[alarm.id]
        self._withheld.append(_unnumbered(alarm))

    def _has_lasted(self, entry: Entry, now_ns: int) -> bool:
        return now_ns - entry.began_ns >= self._settings.debounce_ms * NS_PER_MS

    def _calm(self, now_ns: int) -> tuple[Alarm, ...]:
        """The end of a flood, if its rate has fallen."""
        before, limit = self._flood, self._settings.flood_per_10min
        self._flood = calmed(before, limit, now_ns)
        return () if self._flood is before else self._held_back.end(now_ns)

    def _make_room(self, now_ns: int) -> tuple[Alarm, ...]:
        """Ended alarms above the limit leave, and the book says so."""
        told: list[Alarm] = []
        while (entry := self._register.surplus()) is not None:
            told.append(self._register.tell(replace(entry, closed=True), now_ns))
            self._tallies += not self._overflow.tally.id
            told += self._overflow.count(told[-1], self._tallies, now_ns)
        return tuple(told)

    def _settle_overflow(self, now_ns: int) -> tuple[Alarm, ...]:
        """How many have left since it was told; the end, once there is room again."""
        told = self._overflow.grown(now_ns)
        if self._overflow.tally.id and not self._register.is_full:
            told += self._overflow.end(now_ns)
        return told


def _unnumbered(alarm: Alarm) -> Alarm:
    return replace(alarm, sequence=0)
