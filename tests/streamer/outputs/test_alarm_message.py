"""The alarm message: what is sent is what the schema says."""

import json
from dataclasses import replace

import jsonschema
import pytest

from streamer.message import Alarm, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs.alarm_message import (
    alarm_record,
    alarm_schema,
    beat_schema,
    encode,
    snapshot_schema,
)

ALARM = Alarm(
    id="roll7-3",
    sequence=12,
    kind=AlarmKind.DEFECT,
    state=DefectState.NEW,
    severity=Severity.HIGH,
    roll="roll7",
    camera="cam0",
    region=RegionMm(1.5, 2.5, 10.0, 20.0),
    encoder_first=-3,
    encoder_end=5,
    raised_ns=1_700_000_000_123_456_789,
    captured_ns=1_700_000_000_000_000_000,
    peak=1.25,
    config_digest="c0",
    model_digest="m0",
)


def sent(alarm):
    return json.loads(encode(alarm_record(alarm, "me")))


def test_the_schemas_are_schemas():
    for schema in (alarm_schema(), snapshot_schema(), beat_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("kind", list(AlarmKind))
@pytest.mark.parametrize("state", list(DefectState))
def test_every_kind_and_state_is_valid(kind, state):
    jsonschema.validate(sent(replace(ALARM, kind=kind, state=state)), alarm_schema())


def test_times_stand_in_both_forms():
    message = sent(ALARM)
    assert message["raised_ns"] == 1_700_000_000_123_456_789
    assert message["raised_utc"] == "2023-11-14T22:13:20.123456Z"
    assert message["captured_utc"] == "2023-11-14T22:13:20.000000Z"
    assert message["schema"] == "linescan.alarm/2"
    assert message["region_mm"] == {
        "down_first": 1.5,
        "down_end": 2.5,
        "cross_first": 10.0,
        "cross_end": 20.0,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "noise"},
        {"sequence": -1},
        {"sequence": "12"},
        {"raised_utc": "2023-11-14T22:13:20+00:00"},
        {"surprise": 1},
        {"schema": "linescan.alarm/1"},
    ],
)
def test_the_schema_refuses_what_we_never_send(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**sent(ALARM), **change}, alarm_schema())


@pytest.mark.parametrize("name", list(alarm_schema()["properties"]))
def test_every_field_is_always_there(name):
    message = sent(ALARM)
    del message[name]
    with pytest.raises(jsonschema.ValidationError, match=f"'{name}' is a required property"):
        jsonschema.validate(message, alarm_schema())


def test_a_number_that_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        sent(replace(ALARM, peak=float("nan")))
