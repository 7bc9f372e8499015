"""Status, commands, answers and rows as JSON: nothing is lost on the way, nonsense is refused."""

import contextlib
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.line_status import (
    LONGEST_SHELF_S,
    LONGEST_TEXT,
    Command,
    CommandAnswer,
    CommandKind,
    LineStatus,
    MapRows,
    RunState,
    StageView,
)
from streamer.message import (
    Alarm,
    AlarmCondition,
    AlarmKind,
    DefectState,
    RegionMm,
    Severity,
)
from streamer.outputs.alarm_message import ALARM_SCHEMA, SNAPSHOT_SCHEMA, alarm_record, encode
from streamer.outputs.line_message import (
    COMMAND_SCHEMA,
    LARGEST_COMMAND_BYTES,
    STATUS_SCHEMA,
    answer_schema,
    command_schema,
    decode_alarm,
    decode_answer,
    decode_command,
    decode_rows,
    decode_snapshot,
    decode_status,
    encode_answer,
    encode_command,
    encode_rows,
    encode_status,
    is_command,
    status_schema,
)

# JSON has no word for half a surrogate pair.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**63 - 1)
FIGURES = st.dictionaries(TEXTS, NUMBERS, max_size=3)
TIMES = st.integers(0, 4_000_000_000_000_000_000)  # an alarm is told with its time as a text, too
OF_TYPE = {
    "str": TEXTS,
    "int": COUNTS,
    "float": NUMBERS,
    "bool": st.booleans(),
    "dict[str, float]": FIGURES,
    "RegionMm": st.builds(RegionMm, *[NUMBERS] * 4),
    "RunState": st.sampled_from(RunState),
    "AlarmKind": st.sampled_from(AlarmKind),
    "AlarmCondition": st.sampled_from(AlarmCondition),
    "DefectState": st.sampled_from(DefectState),
    "Severity": st.sampled_from(Severity),
}


def any_of(made, /, **known):
    """Messages of a class, every field of which has any value of its type."""
    others = {
        name: OF_TYPE[field.type]
        for name, field in made.__dataclass_fields__.items()
        if name not in known
    }
    return st.builds(made, **known, **others)


STATUSES = any_of(LineStatus, stages=st.lists(any_of(StageView), max_size=3).map(tuple))
ALARMS = any_of(Alarm, raised_ns=TIMES, captured_ns=TIMES)
ANSWERS = any_of(CommandAnswer)
COMMANDS = any_of(
    Command,
    id=TEXTS.filter(bool),
    kind=st.sampled_from(CommandKind),
    alarm=TEXTS.filter(bool),
    by=TEXTS.filter(bool),
    seconds=st.floats(0, LONGEST_SHELF_S, exclude_min=True),
)
ALARM = Alarm(
    id="a",
    sequence=1,
    kind=AlarmKind.DEFECT,
    state=DefectState.NEW,
    severity=Severity.LOW,
    roll="r",
    camera="c",
    region=RegionMm(0, 1, 0, 1),
    encoder_first=0,
    encoder_end=1,
    raised_ns=1,
    captured_ns=1,
    peak=1.0,
    config_digest="",
    model_digest="",
)
COMMAND = Command("1", CommandKind.SHELVE, "roll/cam0/defect-1", "page", 60.0, "cleaning")


@st.composite
def map_rows(draw):
    height, width = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    cells = draw(st.binary(min_size=height * width, max_size=height * width))
    span = draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)
    return MapRows(draw(TEXTS), draw(COUNTS), draw(COUNTS), *span, height, width, cells)


def changed(frame, **fields):
    """The message with other fields; None takes one away."""
    record = {**json.loads(frame), **fields}
    return json.dumps({name: value for name, value in record.items() if value is not None}).encode()


@given(STATUSES)
def test_a_status_comes_back_as_it_was_and_is_as_its_schema_says(status):
    frame = encode_status(status)
    assert decode_status(frame) == status
    jsonschema.validate(json.loads(frame), status_schema())


@given(COMMANDS)
def test_a_command_comes_back_as_it_was_and_is_as_its_schema_says(command):
    frame = encode_command(command)
    assert decode_command(frame) == command
    assert is_command(frame)
    jsonschema.validate(json.loads(frame), command_schema())


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was_and_is_as_its_schema_says(answer):
    frame = encode_answer(answer)
    assert decode_answer(frame) == answer
    jsonschema.validate(json.loads(frame), answer_schema())


@given(map_rows())
def test_rows_of_the_map_come_back_as_they_were(rows):
    assert decode_rows(*encode_rows(rows)) == rows


@given(ALARMS, TEXTS)
def test_an_alarm_comes_back_as_it_was(alarm, publisher):
    assert decode_alarm(encode(alarm_record(alarm, publisher))) == (publisher, alarm)


@given(st.lists(ALARMS, max_size=3), COUNTS)
def test_a_snapshot_comes_back_as_it_was(alarms, sequence):
    active = [alarm_record(one, "p") for one in alarms]
    frame = encode(
        {"schema": SNAPSHOT_SCHEMA, "publisher": "p", "sequence": sequence, "active": active}
    )
    assert decode_snapshot(frame) == ("p", sequence, tuple(alarms))
    assert decode_answer(frame) is None
    assert not is_command(b"snapshot")


DECODERS = [decode_status, decode_command, decode_alarm, decode_snapshot]
TITLES = [STATUS_SCHEMA, COMMAND_SCHEMA, ALARM_SCHEMA, SNAPSHOT_SCHEMA]
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FIELD_NAMES = {
    "active",
    "region_mm",
    "publisher",
    *Alarm.__dataclass_fields__,
    *LineStatus.__dataclass_fields__,
    *Command.__dataclass_fields__,
}
JSON_OBJECTS = st.dictionaries(st.sampled_from(sorted(FIELD_NAMES)), JSON_VALUES, max_size=8)


@pytest.mark.parametrize("decode", [*DECODERS, lambda frame: decode_rows(frame, b"")])
@given(st.one_of(st.binary(max_size=200), st.just(b"[" * 4000), st.just(b"[]"), st.just(b"null")))
def test_what_is_no_message_is_a_value_error(decode, frame):
    with pytest.raises(ValueError, match="must be"):
        decode(frame)


@pytest.mark.parametrize("decode", DECODERS)
@given(JSON_OBJECTS)
def test_any_json_with_the_right_schema_is_a_message_or_a_value_error(decode, fields):
    titles = dict(zip(DECODERS, TITLES, strict=True))
    with contextlib.suppress(ValueError):
        decode(json.dumps({**fields, "schema": titles[decode]}).encode())


@given(st.binary(max_size=200))
def test_an_answer_is_told_from_all_else(frame):
    assert decode_answer(frame) is None


def test_an_answer_of_another_version_is_refused():
    frame = encode_answer(CommandAnswer("1", ok=True))
    with pytest.raises(ValueError, match=r"schema must be linescan.command-answer/1, got"):
        decode_answer(changed(frame, schema="linescan.command-answer/2"))


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"schema": "linescan.command/2"}, r"schema must be linescan.command/1, got"),
        ({"kind": "explode"}, "Invalid enum value"),
        ({"kind": None}, "missing required field `kind`"),
        ({"id": ""}, "id and by must be given"),
        ({"by": ""}, "id and by must be given"),
        ({"alarm": ""}, "alarm must be an alarm's id"),
        ({"seconds": 0}, r"seconds must be within"),
        ({"seconds": LONGEST_SHELF_S * 2}, r"seconds must be within"),
        ({"seconds": "long"}, "Expected `float`"),
        ({"reason": "x" * (LONGEST_TEXT + 1)}, f"at most {LONGEST_TEXT} characters"),
        ({"reason": "x" * LARGEST_COMMAND_BYTES}, f"at most {LARGEST_COMMAND_BYTES} bytes"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(fields, rule):
    with pytest.raises(ValueError, match=rule):
        decode_command(changed(encode_command(COMMAND), **fields))


def test_a_stop_needs_no_alarm_and_what_is_not_said_is_empty():
    frame = changed(encode_command(COMMAND), kind="stop", alarm="", seconds=None, reason=None)
    assert decode_command(frame) == Command("1", CommandKind.STOP, "", "page")


def test_fields_of_a_later_version_are_passed_over():
    frame = changed(encode_command(COMMAND), shift="night")
    assert decode_command(frame) == COMMAND


@pytest.mark.parametrize("missing", ["publisher", "id", "region_mm", "sequence"])
def test_an_alarm_that_lacks_something_is_refused(missing):
    frame = encode(alarm_record(ALARM, "p"))
    with pytest.raises(ValueError, match="must be"):
        decode_alarm(changed(frame, **{missing: None}))


@pytest.mark.parametrize(
    "fields", [{"active": None}, {"active": {}}, {"active": [1]}, {"sequence": "1"}]
)
def test_a_snapshot_that_lacks_something_is_refused(fields):
    record = {"schema": SNAPSHOT_SCHEMA, "publisher": "p", "sequence": 1, "active": []}
    with pytest.raises(ValueError, match="must be"):
        decode_snapshot(changed(encode(record), **fields))


def test_rows_must_have_as_many_cells_as_they_say():
    header, cells = encode_rows(MapRows("r", 0, 8, 0.0, 4.0, 100.0, 2, 3, bytes(6)))
    with pytest.raises(ValueError, match="6 bytes, got 5"):
        decode_rows(header, cells[:5])


@pytest.mark.parametrize("schema", [status_schema(), command_schema(), answer_schema()])
def test_the_published_schemas_are_schemas_and_refuse_what_is_missing(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError, match="required"):
        jsonschema.validate({"schema": schema["title"]}, schema)
