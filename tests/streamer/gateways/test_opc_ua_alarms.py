"""What an event and the list of active alarms say of an alarm."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.opc_ua_alarms import (
    COLUMNS,
    FIELDS,
    MOST_LISTED,
    SEVERITIES,
    listed,
    message,
    utc,
)
from streamer.message import AlarmCondition, AlarmKind, DefectState, Severity
from tests.streamer.gateways.contract import alarm


def fields(one, of=FIELDS):
    return {field.name: field.read(one) for field in of}


def test_an_event_tells_place_encoder_kind_condition_and_times():
    told = fields(alarm(3, scored_ns=1_700_000_000_500_000_000, travel_mm=170.0, by="page"))
    place = [told[name] for name in ("DownFirst", "DownEnd", "CrossFirst", "CrossEnd")]
    assert place == [300.0, 305.0, 40.0, 44.0]
    assert (told["EncoderFirst"], told["EncoderEnd"]) == (600, 610)
    assert (told["AlarmId"], told["AlarmSequence"]) == ("roll-1/cam0/defect-3", 3)
    assert (told["AlarmKind"], told["AlarmState"]) == ("defect", "new")
    assert (told["AlarmCondition"], told["AlarmBy"]) == ("unacknowledged", "page")
    assert told["ScoredTime"] == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)
    assert told["TravelDistance"] == 170.0
    assert told["Signal"] == ""


def test_a_system_alarm_tells_its_signal():
    late = alarm(1, kind=AlarmKind.SYSTEM, signal="maintenance_required")
    assert fields(late)["Signal"] == fields(late, COLUMNS)["Signal"] == "maintenance_required"


def test_a_time_that_never_was_is_none():
    assert fields(alarm(1))["ScoredTime"] is None
    assert utc(0) is None


@pytest.mark.parametrize(
    ("severity", "low", "high"), [("low", 1, 333), ("medium", 334, 666), ("high", 667, 1000)]
)
def test_severities_lie_in_the_ranges_of_the_standard(severity, low, high):
    assert low <= SEVERITIES[Severity(severity)] <= high
    assert low <= fields(alarm(1, severity=Severity(severity)), COLUMNS)["Severity"] <= high


def test_every_field_is_written_as_its_type():
    for one in (*FIELDS, *COLUMNS):
        value = one.read(alarm(5, captured_ns=0))
        variant = ua.Variant(value, None if value is None else ua.VariantType[one.kind])
        assert ua.ua_binary.variant_to_binary(variant)


def test_the_message_is_a_line_for_a_person():
    assert message(alarm(1)) == "defect new: unknown, 20 mm2"
    ended = alarm(1, text="", state=DefectState.END)
    assert message(ended) == "defect end: roll-1/cam0/defect-1"


def test_a_severe_alarm_is_listed_however_many_came_before_and_after_it():
    many = [alarm(n, severity=Severity.LOW) for n in range(1, 3 * MOST_LISTED)]
    many[150] = replace(many[150], severity=Severity.HIGH)
    assert many[150] in listed(many)
    assert len(listed(many)) == MOST_LISTED


def test_what_was_put_aside_gives_way_to_what_was_not():
    aside = [
        alarm(n, severity=Severity.HIGH, condition=AlarmCondition.SHELVED) for n in range(1, 101)
    ]
    low = alarm(500, severity=Severity.LOW)
    assert low in listed([*aside, low])


@given(
    st.lists(
        st.tuples(st.sampled_from(Severity), st.sampled_from(AlarmCondition)),
        max_size=2 * MOST_LISTED,
    )
)
def test_what_is_listed_is_in_order_and_none_that_is_left_out_is_more_severe(kinds):
    alarms = [alarm(n, severity=s, condition=c) for n, (s, c) in enumerate(kinds, start=1)]
    kept = listed(alarms)
    numbers = [one.sequence for one in kept]
    assert numbers == sorted(numbers)
    assert len(kept) == min(len(alarms), MOST_LISTED)
    active = (AlarmCondition.UNACKNOWLEDGED, AlarmCondition.ACKNOWLEDGED)
    left = [a for a in alarms if a not in kept and a.condition in active]
    if left:
        weakest = min(SEVERITIES[a.severity] for a in kept)
        assert max(SEVERITIES[a.severity] for a in left) <= weakest
