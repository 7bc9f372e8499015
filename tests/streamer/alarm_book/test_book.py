"""The alarm book: lives without holes, conditions of ISA-18.2, nothing severe is ever hidden."""

import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.alarm_book.book import MOST_WITHHELD, AlarmBook
from streamer.alarm_book.state import BookSettings, rank
from streamer.line_status import CommandKind
from streamer.message import AlarmCondition, AlarmKind, Severity
from tests.streamer.alarm_book.steps import (
    ALARM,
    END,
    NEW,
    START_NS,
    SYSTEM,
    UPDATE,
    S,
    Step,
    alarm,
    ask,
    played,
    steps,
)

LOW, MEDIUM, HIGH = Severity
UNACKNOWLEDGED, ACKNOWLEDGED = AlarmCondition.UNACKNOWLEDGED, AlarmCondition.ACKNOWLEDGED
LATCHED, NORMAL, SHELVED = AlarmCondition.LATCHED, AlarmCondition.NORMAL, AlarmCondition.SHELVED
settings_of_all_kinds = st.builds(
    BookSettings,
    latch=st.sampled_from([None, LOW, MEDIUM]),
    debounce_ms=st.sampled_from([0, 500]),
    flood_per_10min=st.sampled_from([None, 1, 3]),
    most_latched=st.sampled_from([2, 1000]),
)
CHANGED_BY_THE_BOOK = {"sequence", "raised_ns", "condition", "condition_ns", "by", "until_ns"}


def book(**settings):
    return AlarmBook(BookSettings(**settings))


def take_all(one, *alarms, now_ns=0):
    return [told for each in alarms for told in one.take(each, now_ns)]


def brief(messages):
    return [(told.sequence, told.state, told.condition) for told in messages]


def test_an_alarm_passes_as_it_is_but_for_what_the_book_knows():
    (told,) = book().take(ALARM, 9)
    for name in {item.name for item in fields(ALARM)} - CHANGED_BY_THE_BOOK:
        assert getattr(told, name) == getattr(ALARM, name)
    assert (told.sequence, told.raised_ns, told.condition_ns, told.by) == (1, 9, 9, "")


def test_a_defect_of_today_begins_grows_and_ends():
    one = book()
    told = take_all(one, alarm(), alarm(state=UPDATE), alarm(state=END))
    expected = [(1, NEW, UNACKNOWLEDGED), (2, UPDATE, UNACKNOWLEDGED), (3, END, NORMAL)]
    assert brief(told) == expected
    assert (one.present, one.active, one.unacknowledged, one.highest) == ((), 0, 0, None)


def test_an_acknowledged_alarm_stays_so_while_it_grows_and_ends_for_good():
    one = book(latch=LOW)
    one.take(alarm(), 1)
    answer, (told,) = one.command(ask("acknowledge", alarm().id, by="ann"), 5)
    assert (answer.ok, told.state, told.condition) == (True, UPDATE, ACKNOWLEDGED)
    assert (told.condition_ns, told.by) == (5, "ann")
    (grown,) = one.take(alarm(state=UPDATE), 6)
    assert (grown.condition, grown.condition_ns, grown.by) == (ACKNOWLEDGED, 5, "ann")
    (ended,) = one.take(alarm(state=END), 7)
    assert (ended.condition, ended.condition_ns, ended.by) == (NORMAL, 7, "")


def test_what_nobody_acknowledged_is_latched_until_somebody_does():
    one = book(latch=MEDIUM)
    take_all(one, alarm(1, severity=MEDIUM))
    (ended,) = one.take(alarm(1, END, MEDIUM), 3)
    assert (ended.state, ended.condition) == (END, LATCHED)
    assert (one.active, one.unacknowledged, one.highest) == (0, 1, MEDIUM)
    _, (told,) = one.command(ask("acknowledge", "*", by="ann"), 5)
    assert (told.state, told.condition, told.by) == (END, NORMAL, "ann")
    assert one.unacknowledged == 0


def test_a_latched_alarm_that_returns_must_be_acknowledged_anew():
    one = book(latch=LOW)
    told = take_all(one, alarm(), alarm(state=END), alarm(), alarm(state=END))
    assert [each.state for each in told] == [NEW, END, NEW, END]
    assert [each.condition for each in told] == [UNACKNOWLEDGED, LATCHED] * 2


@pytest.mark.parametrize("debounce_ms", [0, 500])
def test_a_notice_begins_and_ends_at_once(debounce_ms):
    one = book(debounce_ms=debounce_ms)
    told = take_all(one, SYSTEM, replace(SYSTEM, state=END), now_ns=START_NS)
    assert [each.state for each in told] == [NEW, END]
    assert one.debounced == 0


def test_the_end_of_what_nobody_knows_is_not_news():
    assert book().take(alarm(state=END), 1) == ()
    (told,) = book().take(alarm(state=UPDATE), 1)
    assert told.state is NEW


class TestDebounce:
    @pytest.mark.parametrize("kind", [AlarmKind.SYSTEM, AlarmKind.NOT_INSPECTED])
    def test_what_lasts_too_short_is_counted_and_logged(self, kind):
        one = book(debounce_ms=500)
        assert one.take(alarm(1, NEW, LOW, kind), START_NS) == ()
        assert one.tick(START_NS + S // 4) == ()
        assert (one.present, one.active) == ((), 0)
        assert not one.command(ask("acknowledge", f"r/c/{kind}-1"), START_NS)[0].ok
        assert one.take(alarm(1, END, LOW, kind), START_NS + S // 3) == ()
        assert one.debounced == 1
        (kept,) = one.take_withheld()
        assert (kept.sequence, kept.state) == (0, END)
        assert one.take_withheld() == ()

    def test_what_lasts_is_announced_when_it_is_due(self):
        one = book(debounce_ms=500)
        one.take(SYSTEM, START_NS)
        (told,) = one.tick(START_NS + S // 2)
        assert (told.state, told.sequence, told.raised_ns) == (NEW, 1, START_NS + S // 2)
        assert one.tick(START_NS + S) == ()
        (ended,) = one.take(replace(SYSTEM, state=END), START_NS + S)
        assert ended.condition is NORMAL

    def test_an_end_that_comes_after_the_time_brings_the_beginning(self):
        one = book(debounce_ms=500)
        one.take(SYSTEM, START_NS)
        told = one.take(replace(SYSTEM, state=END), START_NS + S)
        assert [each.state for each in told] == [NEW, END]

    def test_defects_and_high_severity_never_wait(self):
        one = book(debounce_ms=500)
        told = take_all(one, alarm(), alarm(1, NEW, HIGH, AlarmKind.SYSTEM))
        assert len(told) == 2

    def test_what_becomes_severe_waits_no_longer(self):
        one = book(debounce_ms=500)
        one.take(SYSTEM, START_NS)
        (told,) = one.take(replace(SYSTEM, state=UPDATE, severity=HIGH), START_NS + 1)
        assert (told.state, told.severity) == (NEW, HIGH)


class TestFlood:
    def flooded(self, count=5, **settings):
        one = book(flood_per_10min=2, **settings)
        told = [each for number in range(count) for each in one.take(alarm(number), START_NS)]
        return one, told

    def test_the_least_severe_are_held_back_and_one_alarm_says_so(self):
        one, told = self.flooded()
        assert [each.id for each in told] == ["r/c/defect-0", "r/c/defect-1", "r/c/flood-1"]
        flood = told[-1]
        assert (flood.kind, flood.severity) == (AlarmKind.SYSTEM, MEDIUM)
        assert (flood.signal, flood.state) == ("out_of_specification", NEW)
        assert flood.text.startswith("1 defect alarms held back")
        assert one.held == 3
        assert [each.id[-1] for each in one.take_withheld()] == ["2", "3", "4"]

    def test_the_count_is_told_once_a_second_at_most(self):
        one, _ = self.flooded()
        assert one.tick(START_NS + S - 1) == ()
        (told,) = one.tick(START_NS + S)
        assert (told.state, told.text[:8]) == (UPDATE, "3 defect")
        assert one.tick(START_NS + 3 * S) == ()

    def test_it_ends_when_the_rate_falls_and_defects_are_announced_again(self):
        one, _ = self.flooded()
        assert one.tick(START_NS + 599 * S)[0].state is UPDATE
        (ended,) = one.tick(START_NS + 600 * S)
        assert (ended.id, ended.state, ended.condition) == ("r/c/flood-1", END, NORMAL)
        (told,) = one.take(alarm(9), START_NS + 600 * S)
        assert told.id == "r/c/defect-9"

    def test_a_more_severe_defect_is_announced(self):
        one, _ = self.flooded()
        told = take_all(one, alarm(7, NEW, MEDIUM), alarm(8, NEW, HIGH), now_ns=START_NS)
        assert [each.id for each in told] == ["r/c/defect-7", "r/c/defect-8"]

    def test_system_and_not_inspected_alarms_are_announced(self):
        one, _ = self.flooded()
        told = take_all(one, SYSTEM, alarm(1, kind=AlarmKind.NOT_INSPECTED), now_ns=START_NS)
        assert len(told) == 2

    def test_of_severe_ones_none_is_held_back(self):
        one = book(flood_per_10min=1)
        told = take_all(one, *(alarm(number, NEW, HIGH) for number in range(9)))
        assert len(told) == 9

    def test_what_is_held_back_stays_so_until_it_is_more_severe(self):
        one, _ = self.flooded()
        assert take_all(one, alarm(3, UPDATE), alarm(3, END), now_ns=START_NS) == []
        (told,) = one.take(alarm(4, UPDATE, MEDIUM), START_NS)
        assert (told.id, told.state) == ("r/c/defect-4", NEW)
        told = one.take(alarm(2, END, HIGH), START_NS)
        assert [each.state for each in told] == [NEW, END]

    def test_one_that_outlasts_the_flood_is_announced_when_it_grows(self):
        one, _ = self.flooded()
        one.tick(START_NS + 600 * S)
        (told,) = one.take(alarm(4, UPDATE), START_NS + 601 * S)
        assert (told.id, told.state) == ("r/c/defect-4", NEW)

    def test_nobody_can_acknowledge_what_is_held_back(self):
        one, _ = self.flooded()
        answer, told = one.command(ask("acknowledge", "r/c/defect-4"), START_NS)
        assert (answer.ok, told) == (False, ())


class TestOverflow:
    def full(self):
        one = book(latch=LOW, most_latched=2)
        for number, severity in enumerate([MEDIUM, LOW, LOW]):
            told = take_all(one, alarm(number, NEW, severity), alarm(number, END, severity))
        return one, told

    def test_of_the_least_severe_the_oldest_leaves_loudly(self):
        one, told = self.full()
        assert [(each.id, each.condition) for each in told[2:]] == [
            ("r/c/defect-1", NORMAL),
            ("r/c/overflow-1", UNACKNOWLEDGED),
        ]
        assert {each.id for each in one.present} == {
            "r/c/defect-0",
            "r/c/defect-2",
            "r/c/overflow-1",
        }

    def test_it_is_over_when_there_is_room(self):
        one, _ = self.full()
        assert one.tick(S) == ()
        one.command(ask("acknowledge", "r/c/defect-0"), S)
        (ended,) = one.tick(S)
        assert (ended.id, ended.state) == ("r/c/overflow-1", END)


def test_the_log_waits_in_bounded_memory():
    one = book(flood_per_10min=1)
    for number in range(MOST_WITHHELD + 20):
        one.take(alarm(number), START_NS)
    withheld = one.take_withheld()
    assert len(withheld) == MOST_WITHHELD
    assert withheld[-1].id == f"r/c/defect-{MOST_WITHHELD + 19}"


def test_what_a_dead_publisher_left_ends_and_says_why():
    one = book(latch=LOW, debounce_ms=500, flood_per_10min=2)
    take_all(one, *(alarm(number) for number in range(3)), SYSTEM, now_ns=START_NS)
    one.command(ask("acknowledge", "r/c/defect-0"), START_NS)
    one.take_withheld()
    again = AlarmBook(BookSettings(latch=LOW), one.state)
    told = again.end_left_over(START_NS + S, "the sink was restarted")
    assert [(each.id, each.state, each.condition) for each in told] == [
        ("r/c/defect-0", END, NORMAL),
        ("r/c/defect-1", END, LATCHED),
        ("r/c/flood-1", END, LATCHED),
    ]
    assert told[0].text == "the sink was restarted: scratch"
    assert told[0].sequence == one.sequence + 1
    assert [each.id for each in again.take_withheld()] == ["r/c/defect-2", "r/c/maintenance-1"]
    assert again.end_left_over(START_NS + 2 * S, "the sink was restarted") == ()
    (fresh,) = again.take(alarm(2), START_NS + 2 * S)
    assert fresh.state is NEW


def lives(messages):
    found = {}
    for told in messages:
        letter = {NEW: "n", UPDATE: "u", END: "e"}[told.state]
        if told.state is END and told.condition is NORMAL:
            letter = "."
        found[told.id] = found.get(told.id, "") + letter
    return found


@given(settings_of_all_kinds, steps)
def test_messages_have_no_holes_and_lives_begin_and_end(settings, chosen):
    one = AlarmBook(settings)
    messages = [told for *_, batch in played(one, chosen) for told in batch]
    assert [told.sequence for told in messages] == list(range(1, len(messages) + 1))
    for alarm_id, life in lives(messages).items():
        assert re.fullmatch(r"(nu*(e+(\.|(?=n)|$)|\.|$))*", life), (alarm_id, life)
    open_ids = {alarm_id for alarm_id, life in lives(messages).items() if life[-1] != "."}
    assert {told.id for told in one.present} == open_ids


class Model:
    """Slow and obvious: what is known of each alarm, and every condition from scratch."""

    def __init__(self, latch):
        self.latch, self.alarms, self.rules = latch, {}, []

    def step(self, step, now_ns):
        match step.what:
            case None:
                self.rules = [rule for rule in self.rules if not 0 < rule[2] <= now_ns]
            case what if hasattr(what, "state"):
                self.take(what)
            case command:
                self.obey(command, now_ns)
        self.alarms = {i: a for i, a in self.alarms.items() if self.condition(i) is not NORMAL}

    def take(self, told):
        known = self.alarms.get(told.id)
        if told.state is END:
            if known and not known["ended"]:
                is_aside = self.condition(told.id) not in (UNACKNOWLEDGED, ACKNOWLEDGED)
                waits = self.latch is not None and rank(told.severity) >= rank(self.latch)
                known.update(ended=True, gone=is_aside or known["seen"] or not waits)
        elif not known or known["ended"]:
            self.alarms[told.id] = {"ended": False, "seen": False, "gone": False}

    def obey(self, command, now_ns):
        meant = [i for i in self.alarms if command.alarm in (i, "*")]
        match command.kind:
            case CommandKind.ACKNOWLEDGE:
                for alarm_id in meant:
                    self.alarms[alarm_id]["seen"] = True
            case CommandKind.SHELVE:
                self.rules = [r for r in self.rules if r[0] is not SHELVED or r[1] not in meant]
                until_ns = now_ns + round(command.seconds * S)
                self.rules += [(SHELVED, alarm_id, until_ns) for alarm_id in meant]
            case CommandKind.UNSHELVE:
                self.lift(SHELVED, command.alarm)
            case CommandKind.SUPPRESS | CommandKind.OUT_OF_SERVICE:
                name = "suppressed" if command.kind is CommandKind.SUPPRESS else "out_of_service"
                self.rules.append((AlarmCondition(name), command.alarm, 0))
            case CommandKind.UNSUPPRESS:
                self.lift(AlarmCondition.SUPPRESSED, command.alarm)
            case CommandKind.IN_SERVICE:
                self.lift(AlarmCondition.OUT_OF_SERVICE, command.alarm)

    def lift(self, condition, target):
        kept = [r for r in self.rules if r[0] is not condition or target not in (r[1], "*")]
        self.rules = kept

    def condition(self, alarm_id):
        known = self.alarms[alarm_id]
        if known["gone"] or (known["ended"] and known["seen"]):
            return NORMAL
        for condition in ("out_of_service", "suppressed"):
            for rule, target, _ in self.rules:
                if rule == condition and (target == "*" or alarm_id.startswith(target)):
                    return rule
        if any(rule is SHELVED and target == alarm_id for rule, target, _ in self.rules):
            return SHELVED
        if known["ended"]:
            return LATCHED
        return ACKNOWLEDGED if known["seen"] else UNACKNOWLEDGED


@given(st.sampled_from([None, LOW, MEDIUM, HIGH]), steps)
def test_whatever_peers_ask_all_stands_as_in_a_slow_model(latch, chosen):
    one, model = AlarmBook(BookSettings(latch=latch)), Model(latch)
    for now_ns, step, _ in played(one, chosen):
        model.step(step, now_ns)
        expected = {alarm_id: model.condition(alarm_id) for alarm_id in model.alarms}
        assert {told.id: told.condition for told in one.present} == expected
        conditions = list(expected.values())
        assert one.active == sum(each in (UNACKNOWLEDGED, ACKNOWLEDGED) for each in conditions)
        assert one.unacknowledged == sum(each in (UNACKNOWLEDGED, LATCHED) for each in conditions)


defects = st.builds(
    alarm, st.integers(1, 30), st.sampled_from([NEW, UPDATE, END]), st.sampled_from(Severity)
)


@given(
    st.integers(1, 4),
    st.lists(st.builds(Step, st.sampled_from([0, S, 100 * S]), defects), max_size=60),
)
def test_the_flood_rule_never_hides_a_more_severe_alarm(limit, chosen):
    one = book(flood_per_10min=limit)
    least_hidden = None  # the severity with which the flood of now began
    for _, step, _ in played(one, chosen):
        withheld = one.take_withheld()
        assert all(each.severity is not HIGH for each in withheld)
        if not any("/flood-" in each.id for each in one.present):
            least_hidden = None
        for each in withheld:
            least_hidden = least_hidden or each.severity
            assert rank(each.severity) <= rank(least_hidden) or each.state is END
        if step.what.state is not END and step.what.severity is HIGH:
            assert step.what.id in {each.id for each in one.present}


@given(st.lists(st.sampled_from(Severity), min_size=1, max_size=40), st.integers(1, 5))
def test_what_is_hidden_is_no_more_severe_than_what_was_announced(severities, limit):
    one = book(flood_per_10min=limit)
    take_all(one, *(alarm(n, NEW, each) for n, each in enumerate(severities)), now_ns=START_NS)
    shown = [each for each in one.present if each.kind is AlarmKind.DEFECT]
    hidden = one.take_withheld()
    assert len(shown) + len(hidden) == len(severities)
    assert len(shown) >= min(limit, len(severities))
    highest_hidden = max((rank(each.severity) for each in hidden), default=-1)
    missed = [each for each in shown if rank(each.severity) < highest_hidden]
    first_hidden = min((int(each.id.split("-")[-1]) for each in hidden), default=0)
    assert not [each for each in missed if int(each.id.split("-")[-1]) < first_hidden]


@given(settings_of_all_kinds, steps)
def test_a_restart_at_any_moment_changes_nothing(settings, chosen):
    steady, restarted = AlarmBook(settings), AlarmBook(settings)
    for now_ns, step, messages in played(steady, chosen):
        restarted = AlarmBook(settings, restarted.state)
        assert step.run(restarted, now_ns) == messages
        assert restarted.present == steady.present
        assert restarted.state == steady.state
