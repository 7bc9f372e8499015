"""What an alarm book remembers, as frozen values; knows no file, no clock and no transition."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from streamer.message import Alarm, AlarmCondition, DefectState, Severity, require

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYTHING = "*"
# ISA-18.2, 5.4: what takes an alarm away from people, the strongest first.
ASIDE = (AlarmCondition.OUT_OF_SERVICE, AlarmCondition.SUPPRESSED, AlarmCondition.SHELVED)
_SEVERITIES = tuple(Severity)


def rank(severity: Severity) -> int:
    """0 for LOW, rising: severities are texts and do not compare by themselves."""
    return _SEVERITIES.index(severity)


@dataclass(frozen=True, slots=True)
class BookSettings:
    """How alarms are kept.

    An alarm of severity `latch` or above that ends before anybody acknowledged it stays until then
    (None: none does). System and not-inspected alarms below HIGH are announced once they last
    `debounce_ms`. Above `flood_per_10min` new defects (None: no limit) the least severe are held
    back. Of ended alarms that wait for somebody at most `most_latched` are remembered.
    """

    latch: Severity | None = None
    debounce_ms: int = 0
    flood_per_10min: int | None = None
    most_latched: int = 1000

    def __post_init__(self) -> None:
        require(self.debounce_ms >= 0, "debounce_ms must be >= 0", self.debounce_ms)
        limit = self.flood_per_10min
        require(limit is None or limit > 0, "flood_per_10min must be > 0 or None", limit)
        require(self.most_latched > 0, "most_latched must be > 0", self.most_latched)

    def latches(self, severity: Severity) -> bool:
        """Whether an alarm of this severity waits for somebody after it has ended."""
        return self.latch is not None and rank(severity) >= rank(self.latch)


class Place(StrEnum):
    """Where an alarm is kept: only what was announced is known outside."""

    ANNOUNCED = "announced"
    WAITING = "waiting"  # until it has lasted long enough
    HELD = "held"  # back by the flood rule


@dataclass(frozen=True, slots=True)
class Entry:
    """An alarm with what its message does not tell.

    `alarm` is as it was published last, or as the announcer told it if it was not; `began_ns` is
    when the announcer raised it. `level` is up to which severity the flood rule held it back;
    `closed`: it has ended and needs nobody.
    """

    alarm: Alarm
    place: Place
    began_ns: int = 0
    acknowledged: bool = False
    closed: bool = False
    level: Severity = Severity.LOW

    @property
    def has_ended(self) -> bool:
        """Whether what it is about is over, though somebody may still have to acknowledge it."""
        return self.alarm.state is DefectState.END


@dataclass(frozen=True, slots=True)
class Rule:
    """Puts alarms aside: `target` is an id if shelved, else what an id begins with, or "*"."""

    condition: AlarmCondition
    target: str
    by: str
    since_ns: int
    until_ns: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        require(self.condition in ASIDE, f"Rule.condition must be one of {ASIDE}", self.condition)

    def covers(self, alarm_id: str) -> bool:
        """Whether it is about this alarm."""
        if self.condition is AlarmCondition.SHELVED:
            return alarm_id == self.target
        return self.target == EVERYTHING or alarm_id.startswith(self.target)


RuleKey = tuple[AlarmCondition, str]


def governing(rules: Mapping[RuleKey, Rule], alarm_id: str) -> Rule | None:
    """The rule that puts an alarm aside, of several the strongest."""
    shelf = rules.get((AlarmCondition.SHELVED, alarm_id))
    found = [rule for key, rule in rules.items() if key[0] is not AlarmCondition.SHELVED]
    found = [rule for rule in found if rule.covers(alarm_id)]
    found += [shelf] if shelf else []
    return min(found, key=lambda rule: ASIDE.index(rule.condition), default=None)


@dataclass(frozen=True, slots=True)
class Flood:
    """The rate of new defects: when the latest came, and when each severity was last announced.

    While `level` is given, new defects up to that severity are held back.
    """

    arrivals_ns: tuple[int, ...] = ()
    announced_ns: tuple[tuple[Severity, int], ...] = ()
    level: Severity | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """An alarm of the book's own that counts: its id ("": none is active) and what it last said."""

    id: str = ""
    count: int = 0
    told: int = 0
    told_ns: int = 0


@dataclass(frozen=True, slots=True)
class BookState:
    """All that a book remembers; `BookState()` is an empty one.

    `over` are the ids that ended last, with whether they were acknowledged; `debounced` and `held`
    count alarms that were never announced; `tallies` how many alarms of its own the book raised.
    """

    sequence: int = 0
    entries: tuple[Entry, ...] = ()
    rules: tuple[Rule, ...] = ()
    flood: Flood = field(default_factory=Flood)
    held_back: Tally = field(default_factory=Tally)
    overflow: Tally = field(default_factory=Tally)
    over: tuple[tuple[str, bool], ...] = ()
    debounced: int = 0
    held: int = 0
    tallies: int = 0
