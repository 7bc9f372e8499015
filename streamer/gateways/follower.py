"""Which alarms are active, from messages that may be lost, doubled or of another sink; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import AlarmCondition

if TYPE_CHECKING:
    from streamer.message import Alarm

MOST_WAITING = 10_000  # what is pushed out shows as a hole after the snapshot


@dataclass(slots=True)
class AlarmFollower:
    """Clone pattern (ZeroMQ Guide, chapter 5): subscribe, ask for a snapshot, apply what follows.

    `needs_snapshot`: `active` may be wrong until one is taken. `take_news` gives what changed since
    it was asked before, oldest first, each alarm at least as it stands now: what came and went
    while nobody listened is not made up. After another sink has begun, all of its alarms are news.
    """

    publisher: str = ""
    sequence: int = 0
    needs_snapshot: bool = True
    lost: int = 0
    active: dict[str, Alarm] = field(default_factory=dict)
    _news: list[Alarm] = field(default_factory=list)
    _waiting: deque[tuple[str, Alarm]] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))

    def take_news(self) -> tuple[Alarm, ...]:
        """What changed since the last call."""
        news, self._news = tuple(self._news), []
        return news

    def add(self, publisher: str, alarm: Alarm) -> None:
        """Take an alarm; it waits if others are missing before it."""
        if self.needs_snapshot or self._is_behind(publisher, alarm.sequence - 1):
            self._waiting.append((publisher, alarm))
        elif alarm.sequence > self.sequence:
            self.sequence = alarm.sequence
            self._apply(alarm)

    def note(self, publisher: str, sequence: int) -> None:
        """Hear how far a publisher is; what is missing up to there makes a snapshot due."""
        if not self.needs_snapshot:
            self._is_behind(publisher, sequence)

    def take_snapshot(self, publisher: str, sequence: int, alarms: tuple[Alarm, ...]) -> None:
        """Go on from a snapshot, and with what came after it."""
        if publisher == self.publisher and sequence < self.sequence:
            return  # the answer to an older question
        known_to = self.sequence if publisher == self.publisher else 0
        self.publisher, self.sequence, self.needs_snapshot = publisher, sequence, False
        self.active = {alarm.id: alarm for alarm in alarms}
        fresh = [alarm for alarm in alarms if alarm.sequence > known_to]
        self._news += sorted(fresh, key=lambda alarm: alarm.sequence)
        waiting, self._waiting = tuple(self._waiting), deque(maxlen=MOST_WAITING)
        for origin, alarm in waiting:
            if origin == publisher:
                self.add(origin, alarm)

    def _is_behind(self, publisher: str, sequence: int) -> bool:
        """Whether messages up to `sequence` are missing here, or another sink speaks."""
        same = publisher == self.publisher
        missing = max(0, sequence - self.sequence) if same else 0
        self.lost += missing
        self.needs_snapshot = missing > 0 or not same
        return self.needs_snapshot

    def _apply(self, alarm: Alarm) -> None:
        self.active.pop(alarm.id, None)
        if alarm.condition is not AlarmCondition.NORMAL:
            self.active[alarm.id] = alarm
        self._news.append(alarm)
