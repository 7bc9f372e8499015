"""The values of a book check themselves; rules cover what they say."""

import pytest

from streamer.alarm_book.state import ASIDE, BookSettings, Entry, Place, Rule, governing, rank
from streamer.message import AlarmCondition, Severity
from tests.streamer.alarm_book.steps import END, NEW, UPDATE, alarm

SHELVED, SUPPRESSED = AlarmCondition.SHELVED, AlarmCondition.SUPPRESSED


def test_severities_rise():
    assert [rank(each) for each in (Severity.LOW, Severity.MEDIUM, Severity.HIGH)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("latch", "latched"),
    [(None, []), (Severity.LOW, list(Severity)), (Severity.HIGH, [Severity.HIGH])],
)
def test_what_latches(latch, latched):
    settings = BookSettings(latch=latch)
    assert [each for each in Severity if settings.latches(each)] == latched


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"debounce_ms": -1}, "debounce_ms must be >= 0, got -1"),
        ({"flood_per_10min": 0}, "flood_per_10min must be > 0 or None, got 0"),
        ({"most_latched": 0}, "most_latched must be > 0, got 0"),
    ],
)
def test_wrong_settings_are_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        BookSettings(**settings)


def test_only_some_conditions_put_aside():
    with pytest.raises(ValueError, match="Rule.condition must be one of"):
        Rule(AlarmCondition.LATCHED, "r/", "ann", 0)


@pytest.mark.parametrize(
    ("condition", "target", "covers"),
    [
        (SHELVED, "r/c/defect-1", True),
        (SHELVED, "r/c/defect-", False),
        (SHELVED, "*", False),
        (SUPPRESSED, "r/c/defect-", True),
        (SUPPRESSED, "r/c/defect-12", False),
        (SUPPRESSED, "*", True),
        (AlarmCondition.OUT_OF_SERVICE, "r/", True),
    ],
)
def test_what_a_rule_covers(condition, target, covers):
    rule = Rule(condition, target, "ann", 0)
    assert rule.covers("r/c/defect-1") is covers
    assert (governing({(condition, target): rule}, "r/c/defect-1") is rule) is covers


def test_the_strongest_rule_governs():
    rules = {(each, "r"): Rule(each, "r", "ann", 0) for each in reversed(ASIDE)}
    assert governing(rules, "r").condition is AlarmCondition.OUT_OF_SERVICE
    del rules[AlarmCondition.OUT_OF_SERVICE, "r"]
    assert governing(rules, "r").condition is SUPPRESSED
    assert governing({}, "r") is None


@pytest.mark.parametrize(("state", "over"), [(NEW, False), (UPDATE, False), (END, True)])
def test_an_entry_knows_whether_it_has_ended(state, over):
    assert Entry(alarm(1, state), Place.ANNOUNCED).has_ended is over
