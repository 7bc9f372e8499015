"""What peers ask: carried out once, undone by the reverse, and refused with a next step."""

from dataclasses import replace

import pytest

from streamer.alarm_book import commands
from streamer.alarm_book.commands import carry_out, expired
from streamer.alarm_book.register import MOST_OVER, Register
from streamer.alarm_book.state import BookSettings
from streamer.line_status import LONGEST_TEXT, Command, CommandKind
from streamer.message import AlarmCondition, Severity
from tests.streamer.alarm_book.steps import END, NEW, UPDATE, S, alarm, ask

FIRST, SECOND = alarm(1).id, alarm(2).id


@pytest.fixture
def register():
    """Two active alarms."""
    made = Register(BookSettings(latch=Severity.LOW))
    made.announce(alarm(1), 1)
    made.announce(alarm(2), 1)
    return made


def do(register, kind, target="*", seconds=0.0, now_ns=10, by="ann"):
    answer, told = carry_out(register, ask(kind, target, seconds, by), now_ns)
    return answer.ok, [(each.id, each.condition.value) for each in told]


def end(register, number=1):
    known = register.known(alarm(number).id)
    return register.end(known, alarm(number, END), 20)


def test_acknowledging_one_and_again(register):
    assert do(register, "acknowledge", FIRST) == (True, [(FIRST, "acknowledged")])
    assert do(register, "acknowledge", FIRST, by="bob") == (True, [])
    assert register.known(FIRST).alarm.by == "ann"


def test_acknowledging_all(register):
    do(register, "acknowledge", SECOND)
    assert do(register, "acknowledge") == (True, [(FIRST, "acknowledged")])
    assert do(register, "acknowledge") == (True, [])


def test_acknowledging_again_after_a_latched_alarm_has_gone(register):
    end(register)
    assert do(register, "acknowledge", FIRST) == (True, [(FIRST, "normal")])
    answer, told = carry_out(register, ask("acknowledge", FIRST), 10)
    assert (answer.ok, told) == (True, ())
    assert "is over" in answer.text


def test_an_alarm_that_ended_without_it_cannot_be_acknowledged():
    register = Register(BookSettings())
    register.announce(alarm(1), 1)
    end(register)
    answer, _ = carry_out(register, ask("acknowledge", FIRST), 10)
    assert (answer.ok, answer.text) == (False, f"alarm must be active, got {FIRST}: it is over")


@pytest.mark.parametrize("kind", ["acknowledge", "shelve", "unshelve"])
def test_an_unknown_alarm_is_refused_with_what_is_active(register, kind):
    answer, told = carry_out(register, ask(kind, "nonsense", 1.0), 10)
    expected = f"alarm must be an active one ({FIRST}, {SECOND}), got nonsense"
    assert (answer.id, answer.ok, answer.text, told) == ("c1", False, expected, ())


def test_long_answers_are_cut(register):
    for number in range(3, 60):
        register.announce(alarm(number), 1)
    answer, _ = carry_out(register, ask("acknowledge", "n" * LONGEST_TEXT), 10)
    assert "and 54 more" in answer.text
    assert len(answer.text) == LONGEST_TEXT


def test_without_alarms_the_refusal_says_so():
    answer, _ = carry_out(Register(BookSettings()), ask("acknowledge", "x"), 1)
    assert answer.text == "alarm must be an active one (there is none), got x"


def test_the_names_of_old_alarms_are_forgotten(register):
    for number in range(10, 12 + MOST_OVER):
        register.announce(alarm(number), 1)
        register.end(register.known(alarm(number).id), alarm(number, END), 2)
        do(register, "acknowledge", alarm(number).id)
    assert len(register.over) == MOST_OVER
    assert not do(register, "acknowledge", alarm(10).id)[0]


def test_a_shelf_has_an_end_and_the_alarm_comes_back(register):
    do(register, "acknowledge", FIRST)
    answer, (told,) = carry_out(register, ask("shelve", FIRST, 2.5, by="ann"), 10)
    assert (answer.ok, told.condition, told.state) == (True, AlarmCondition.SHELVED, UPDATE)
    assert (told.until_ns, told.by) == (10 + round(2.5 * S), "ann")
    assert expired(register, told.until_ns - 1) == ()
    (back,) = expired(register, told.until_ns)
    assert (back.condition, back.until_ns, back.by) == (AlarmCondition.ACKNOWLEDGED, 0, "")
    assert expired(register, told.until_ns) == ()


def test_shelving_again_moves_the_end(register):
    do(register, "shelve", FIRST, 1.0)
    _, (told,) = carry_out(register, ask("shelve", FIRST, 9.0, by="bob"), 20)
    assert (told.until_ns, told.by, told.condition_ns) == (20 + 9 * S, "bob", 20)


def test_a_shelved_alarm_that_returns_is_still_shelved(register):
    do(register, "shelve", FIRST, 60.0)
    assert end(register).condition is AlarmCondition.NORMAL
    returned = register.announce(alarm(1), 30)
    assert (returned.state, returned.condition) == (NEW, AlarmCondition.SHELVED)
    assert do(register, "unshelve", FIRST) == (True, [(FIRST, "unacknowledged")])
    assert do(register, "unshelve", FIRST) == (True, [])


def test_shelving_all_and_back(register):
    both = [FIRST, SECOND]
    assert do(register, "shelve", "*", 5.0) == (True, [(each, "shelved") for each in both])
    assert do(register, "unshelve", "*") == (True, [(each, "unacknowledged") for each in both])


def test_a_latched_alarm_is_latched_again_after_its_shelf(register):
    end(register)
    assert do(register, "shelve", FIRST, 5.0)[1] == [(FIRST, "shelved")]
    (told,) = expired(register, 100 * S)
    assert (told.state, told.condition) == (END, AlarmCondition.LATCHED)


def test_acknowledging_what_is_aside_is_remembered(register):
    do(register, "shelve", FIRST, 5.0)
    assert do(register, "acknowledge", FIRST) == (True, [])
    assert do(register, "unshelve", FIRST) == (True, [(FIRST, "acknowledged")])


@pytest.mark.parametrize(
    ("put", "back", "condition"),
    [("suppress", "unsuppress", "suppressed"), ("out_of_service", "in_service", "out_of_service")],
)
class TestByPrefix:
    def test_it_covers_what_is_and_what_comes(self, register, put, back, condition):
        both = [FIRST, SECOND]
        assert do(register, put, "r/c/defect") == (True, [(each, condition) for each in both])
        assert do(register, put, "r/c/defect") == (True, [])
        third = register.announce(alarm(3), 30)
        assert (third.condition.value, third.by) == (condition, "ann")
        ok, told = do(register, back, "r/c/defect")
        assert (ok, len(told)) == (True, 3)
        assert {each for _, each in told} == {"unacknowledged"}

    def test_all_is_a_rule_too(self, register, put, back, condition):
        assert len(do(register, put)[1]) == 2
        assert register.announce(alarm(3), 30).condition.value == condition
        assert len(do(register, back)[1]) == 3
        assert do(register, back) == (True, [])

    def test_taking_back_what_was_not_put_aside_is_refused(self, register, put, back, condition):
        do(register, put, "r/c/camera")
        answer, _ = carry_out(register, ask(back, "r/c"), 10)
        expected = "alarm must be what was put aside (r/c/camera), got r/c"
        assert (answer.ok, answer.text) == (False, expected)
        assert condition in {rule.condition for rule in register.rules.values()}


def test_the_strongest_rule_counts(register):
    do(register, "shelve", FIRST, 5.0)
    assert do(register, "suppress", FIRST) == (True, [(FIRST, "suppressed")])
    assert do(register, "out_of_service", "r/") == (
        True,
        [(SECOND, "out_of_service"), (FIRST, "out_of_service")],
    )
    assert do(register, "unsuppress", FIRST) == (True, [])
    assert do(register, "in_service", "r/")[1] == [
        (SECOND, "unacknowledged"),
        (FIRST, "shelved"),
    ]


def test_rules_are_bounded(register, monkeypatch):
    monkeypatch.setattr(commands, "MOST_RULES", 2)
    assert do(register, "suppress", "a")[0]
    answer, told = carry_out(register, ask("shelve", "*", 1.0), 10)
    assert (answer.ok, told, len(register.rules)) == (False, (), 1)
    assert answer.text.startswith("alarms that are put aside must be <= 2")
    assert do(register, "suppress", "b")[0]


def test_stopping_is_not_about_alarms(register):
    answer, told = carry_out(register, Command("c9", CommandKind.STOP, "", "plc"), 10)
    assert (answer.id, answer.ok, told) == ("c9", False, ())
    assert answer.text == "kind must be about alarms, got stop"


def test_the_reason_is_kept_with_the_rule(register):
    command = replace(ask("out_of_service", "r/c/camera"), reason="lamp is changed")
    carry_out(register, command, 10)
    (rule,) = register.rules.values()
    assert (rule.reason, rule.by, rule.since_ns) == ("lamp is changed", "page", 10)
