"""The register: numbers, conditions and who brought them about."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.alarm_book.register import Register
from streamer.alarm_book.state import BookSettings, BookState, Entry, Place, Rule
from streamer.message import AlarmCondition, Severity
from tests.streamer.alarm_book.steps import END, NEW, UPDATE, alarm

LOW, MEDIUM, HIGH = Severity
SUPPRESSED = AlarmCondition.SUPPRESSED


def ended(register, number, severity=LOW, now_ns=1):
    register.announce(alarm(number, NEW, severity), now_ns)
    known = register.known(alarm(number).id)
    return register.end(known, alarm(number, END, severity), now_ns)


def state_of(register):
    return BookState(
        sequence=register.sequence,
        entries=tuple(register.entries.values()),
        rules=tuple(register.rules.values()),
        over=tuple(register.over.items()),
    )


def test_messages_count_from_one():
    register = Register(BookSettings())
    told = [register.announce(alarm(number), 1).sequence for number in range(3)]
    assert (told, register.sequence) == ([1, 2, 3], 3)


def test_what_was_not_announced_is_not_known():
    register = Register(BookSettings())
    register.entries["x"] = Entry(alarm(1), Place.HELD)
    assert (register.known("x"), register.known("y"), register.announced) == (None, None, ())


def test_growing_keeps_when_and_by_whom_it_was_acknowledged():
    register = Register(BookSettings())
    register.announce(alarm(1), 1)
    register.acknowledge(register.known(alarm(1).id), 5, "ann")
    told = register.grow(register.known(alarm(1).id), alarm(1, UPDATE, HIGH), 9)
    assert (told.severity, told.raised_ns) == (HIGH, 9)
    assert (told.condition_ns, told.by) == (5, "ann")


def test_what_ends_while_it_is_put_aside_needs_nobody():
    register = Register(BookSettings(latch=LOW))
    register.rules[SUPPRESSED, "r/"] = Rule(SUPPRESSED, "r/", "ann", 0)
    assert ended(register, 1).condition is AlarmCondition.NORMAL
    assert register.entries == {}


def test_who_must_leave_is_the_least_severe_then_the_oldest():
    register = Register(BookSettings(latch=LOW, most_latched=3))
    for now_ns, (number, severity) in enumerate([(1, HIGH), (2, MEDIUM), (3, MEDIUM)]):
        ended(register, number, severity, now_ns)
    assert register.surplus() is None
    assert register.is_full
    ended(register, 4, HIGH, 9)
    assert register.surplus().alarm.id == alarm(2).id


@given(st.permutations([1, 2, 3, 4]), st.lists(st.sampled_from(Severity), min_size=4, max_size=4))
def test_a_restored_register_lets_the_same_one_leave(order, severities):
    settings = BookSettings(latch=LOW, most_latched=3)
    register = Register(settings)
    for number, severity in zip(order, severities, strict=True):
        register.announce(alarm(number, NEW, severity), number)
    for number in (1, 2, 3, 4):
        known = register.known(alarm(number).id)
        register.end(known, alarm(number, END, known.alarm.severity), 9)
    restored = Register.restored(settings, state_of(register))
    assert restored.surplus() == register.surplus()
    assert state_of(restored) == state_of(register)


def test_rules_of_nobody_tell_nothing():
    register = Register(BookSettings())
    register.announce(alarm(1), 1)
    rule = Rule(SUPPRESSED, "elsewhere", "ann", 0)
    register.rules[SUPPRESSED, "elsewhere"] = rule
    assert register.settle([rule], 5, "ann") == ()


def test_overlapping_rules_tell_each_alarm_once():
    register = Register(BookSettings())
    register.announce(alarm(1), 1)
    rules = [Rule(SUPPRESSED, target, "ann", 0) for target in ("r/", "*", alarm(1).id)]
    register.rules = {(rule.condition, rule.target): rule for rule in rules}
    (told,) = register.settle(rules, 5, "ann")
    assert (told.condition, told.by, told.condition_ns) == (SUPPRESSED, "ann", 5)
