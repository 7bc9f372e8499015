"""Carries out what peers ask of alarms (ISA-18.2); knows no flood, no debounce and no protocol."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from streamer.alarm_book.state import EVERYTHING, Rule
from streamer.line_status import LONGEST_TEXT, Command, CommandAnswer, CommandKind
from streamer.message import Alarm, AlarmCondition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.alarm_book.register import Register
    from streamer.alarm_book.state import Entry

MOST_RULES = 1000  # in force at a time: shelves, what is suppressed and what is out of service
NAMED = 5  # names in an answer
NS_PER_S = 1_000_000_000
Outcome: TypeAlias = tuple[CommandAnswer, tuple[Alarm, ...]]
_MADE = {
    CommandKind.SUPPRESS: AlarmCondition.SUPPRESSED,
    CommandKind.OUT_OF_SERVICE: AlarmCondition.OUT_OF_SERVICE,
}
_LIFTED = {
    CommandKind.UNSUPPRESS: AlarmCondition.SUPPRESSED,
    CommandKind.IN_SERVICE: AlarmCondition.OUT_OF_SERVICE,
}


def carry_out(register: Register, command: Command, now_ns: int) -> Outcome:
    """The answer to a command, and the messages about what it has changed."""
    if command.kind is CommandKind.ACKNOWLEDGE:
        return _acknowledge(register, command, now_ns)
    if command.kind is CommandKind.SHELVE:
        return _shelve(register, command, now_ns)
    if command.kind is CommandKind.UNSHELVE:
        return _unshelve(register, command, now_ns)
    if command.kind in _MADE:
        return _put_aside(register, command, now_ns)
    if command.kind in _LIFTED:
        return _take_back(register, command, now_ns)
    return _refused(command, f"kind must be about alarms, got {command.kind.value}"), ()


def expired(register: Register, now_ns: int) -> tuple[Alarm, ...]:
    """Shelves whose time is over leave; messages about the alarms that come back."""
    shelves = [rule for rule in register.rules.values() if 0 < rule.until_ns <= now_ns]
    return _lift(register, shelves, now_ns, "") if shelves else ()


def _acknowledge(register: Register, command: Command, now_ns: int) -> Outcome:
    entries = _meant(register, command)
    if not entries and command.alarm != EVERYTHING:
        if register.over.get(command.alarm, False):  # asked again, since the answer was lost
            return CommandAnswer(command.id, ok=True, text="it was acknowledged and is over"), ()
        return _refused(command, _unknown(register, command.alarm)), ()
    told = [one for e in entries for one in register.acknowledge(e, now_ns, command.by)]
    return CommandAnswer(command.id, ok=True), tuple(told)


def _shelve(register: Register, command: Command, now_ns: int) -> Outcome:
    entries = _meant(register, command)
    if not entries and command.alarm != EVERYTHING:
        return _refused(command, _unknown(register, command.alarm)), ()
    until_ns = now_ns + round(command.seconds * NS_PER_S)
    shelved = AlarmCondition.SHELVED
    shelves = [
        Rule(shelved, entry.alarm.id, command.by, now_ns, until_ns, command.reason)
        for entry in entries
    ]
    return _add(register, command, shelves, now_ns)


def _unshelve(register: Register, command: Command, now_ns: int) -> Outcome:
    shelves = _rules(register, AlarmCondition.SHELVED, command.alarm)
    if not shelves and command.alarm != EVERYTHING and register.known(command.alarm) is None:
        return _refused(command, _unknown(register, command.alarm)), ()
    return CommandAnswer(command.id, ok=True), _lift(register, shelves, now_ns, command.by)


def _put_aside(register: Register, command: Command, now_ns: int) -> Outcome:
    condition = _MADE[command.kind]
    if (condition, command.alarm) in register.rules:
        return CommandAnswer(command.id, ok=True), ()
    rule = Rule(condition, command.alarm, command.by, now_ns, reason=command.reason)
    return _add(register, command, [rule], now_ns)


def _take_back(register: Register, command: Command, now_ns: int) -> Outcome:
    condition = _LIFTED[command.kind]
    rules = _rules(register, condition, command.alarm)
    if not rules and command.alarm != EVERYTHING:
        targets = _names(rule.target for rule in _rules(register, condition, EVERYTHING))
        must = f"alarm must be what was put aside ({targets})"
        return _refused(command, f"{must}, got {command.alarm}"), ()
    return CommandAnswer(command.id, ok=True), _lift(register, rules, now_ns, command.by)


def _add(register: Register, command: Command, rules: list[Rule], now_ns: int) -> Outcome:
    added = {(rule.condition, rule.target): rule for rule in rules}
    if len(register.rules | added) > MOST_RULES:
        must = f"alarms that are put aside must be <= {MOST_RULES}, got more"
        return _refused(command, f"{must}; take back others first"), ()
    register.rules |= added
    return CommandAnswer(command.id, ok=True), register.settle(rules, now_ns, command.by)


def _lift(register: Register, rules: list[Rule], now_ns: int, by: str) -> tuple[Alarm, ...]:
    for rule in rules:
        del register.rules[rule.condition, rule.target]
    return register.settle(rules, now_ns, by)


def _meant(register: Register, command: Command) -> tuple[Entry, ...]:
    """The announced alarms that a command is about, by sequence."""
    if command.alarm != EVERYTHING:
        entry = register.known(command.alarm)
        return (entry,) if entry else ()
    return tuple(register.entries[alarm.id] for alarm in register.announced)


def _rules(register: Register, condition: AlarmCondition, target: str) -> list[Rule]:
    """The rules that a target names: "*" means all of them."""
    found = [rule for rule in register.rules.values() if rule.condition is condition]
    return [rule for rule in found if target in (rule.target, EVERYTHING)]


def _unknown(register: Register, alarm_id: str) -> str:
    if alarm_id in register.over:
        return f"alarm must be active, got {alarm_id}: it is over"
    active = _names(alarm.id for alarm in register.announced)
    return f"alarm must be an active one ({active}), got {alarm_id}"


def _names(names: Iterable[str]) -> str:
    every = iter(names)
    named, more = list(islice(every, NAMED)), sum(1 for _ in every)
    return ", ".join(named) + (f" and {more} more" if more else "") or "there is none"


def _refused(command: Command, text: str) -> CommandAnswer:
    return CommandAnswer(command.id, ok=False, text=text[:LONGEST_TEXT])
