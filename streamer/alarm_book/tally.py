"""Alarms of the book's own, which say how many others it hides or forgets; knows no rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.alarm_book.state import Tally
from streamer.message import AlarmKind, DefectState, Severity

if TYPE_CHECKING:
    from streamer.alarm_book.register import Register
    from streamer.message import Alarm

TELL_EVERY_NS = 1_000_000_000
OUT_OF_SPECIFICATION = "out_of_specification"  # signal of NAMUR NE 107


@dataclass(slots=True)
class TallyAlarm:
    """One such alarm: `name` is the last part of its id, `words` what it counts."""

    register: Register
    name: str
    words: str
    tally: Tally

    def count(self, cause: Alarm, number: int, now_ns: int) -> tuple[Alarm, ...]:
        """One more, because of `cause`: a new alarm with this number, or the active one grows."""
        if self.tally.id:
            self.tally = replace(self.tally, count=self.tally.count + 1)
            return self.grown(now_ns)
        alarm_id = f"{cause.roll}/{cause.camera}/{self.name}-{number}"
        self.tally = Tally(alarm_id, count=1, told=1, told_ns=now_ns)
        alarm = replace(
            cause,
            id=alarm_id,
            kind=AlarmKind.SYSTEM,
            state=DefectState.NEW,
            severity=Severity.MEDIUM,
            peak=0.0,
            signal=OUT_OF_SPECIFICATION,
            text=self._text,
            threshold="",
        )
        return (self.register.announce(alarm, now_ns),)

    def grown(self, now_ns: int) -> tuple[Alarm, ...]:
        """What was counted and not told yet, at most once a second."""
        tally = self.tally
        if tally.count == tally.told or now_ns - tally.told_ns < TELL_EVERY_NS:
            return ()
        self.tally = replace(tally, told=tally.count, told_ns=now_ns)
        entry = self.register.entries[tally.id]
        return (self.register.grow(entry, replace(entry.alarm, text=self._text), now_ns),)

    def end(self, now_ns: int) -> tuple[Alarm, ...]:
        """It is over: its end says how many there were."""
        if not self.tally.id:
            return ()
        entry, text = self.register.entries[self.tally.id], self._text
        self.forget()
        return (self.register.end(entry, replace(entry.alarm, text=text), now_ns),)

    def forget(self) -> None:
        """Its alarm has ended by other means."""
        self.tally = Tally()

    @property
    def _text(self) -> str:
        return f"{self.tally.count} {self.words}"
