"""What the page is told: JSON of the published schemas, whatever the numbers are."""

import base64
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.page_board import Shown
from streamer.gateways.page_document import (
    ALARM_COMMANDS,
    alarms_document,
    command_of,
    encode,
    event,
    rows_document,
    status_document,
)
from streamer.line_ports import LineView
from streamer.line_status import CommandKind, MapRows
from streamer.outputs.alarm_message import alarm_schema
from tests.streamer.gateways.contract import alarm, view


def decoded(document):
    return json.loads(encode(document))


def test_the_figures_of_a_silent_line_are_not_told():
    told = decoded(status_document(Shown(view(7), silent_s=0.1, beat_age_s=0.1)))
    assert (told["data_valid"], told["beat"], told["line"]["speed_m_min"]) == (True, 7, 60.0)
    told = decoded(status_document(Shown(view(7), silent_s=2.0, beat_age_s=2.0)))
    assert (told["data_valid"], told["beat"], told["line"]) == (False, 7, None)
    assert (told["state"], told["is_fresh"]) == ("error", False)


def test_nothing_heard_is_told_as_such():
    told = decoded(status_document(Shown(LineView(None, False, False), 0.0, float("inf"))))
    assert told["reason"] == "nothing was heard of the sink yet"
    assert (told["beat"], told["line"], told["silent_s"]) == (None, None, None)


@given(st.floats())
def test_a_number_that_json_has_no_word_for_is_null_and_never_breaks_the_page(number):
    told = decoded(status_document(Shown(view(1, lag_mm=number), 0.0, 0.0)))
    assert told["line"]["lag_mm"] in (None, number)


def test_alarms_are_as_they_are_published_and_counted_all():
    told = decoded(alarms_document([alarm(n) for n in range(1, 6)], "p", True, most=2))
    assert (told["total"], len(told["alarms"]), told["is_synchronised"]) == (5, 2, True)
    for one in told["alarms"]:
        jsonschema.validate(one, alarm_schema())


def test_an_event_is_one_line_of_data_whatever_the_text_holds():
    made = event("alarms", {"text": "a\nevent: status\r\ndata: {}\n\n"})
    assert made.startswith(b"event: alarms\ndata: ")
    assert made.endswith(b"\n\n")
    assert made.count(b"\n") == 3
    assert b"\r" not in made


@given(st.binary(min_size=6, max_size=6))
def test_cells_come_whole(cells):
    told = decoded(rows_document(MapRows("r", 0, 2, 0.0, 1.0, 3.0, 2, 3, cells)))
    assert base64.b64decode(told["cells"]) == cells
    assert (told["rows"], told["columns"], told["width_mm"]) == (2, 3, 3.0)


@pytest.mark.parametrize("kind", sorted(ALARM_COMMANDS))
def test_what_is_asked_of_alarms_is_passed_on(kind):
    body = encode({"kind": kind, "alarm": "a", "seconds": 5})
    command = command_of(body, "7")
    assert (command.id, command.kind, command.alarm, command.by) == ("7", kind, "a", "page")


def test_a_page_does_not_stop_the_line():
    with pytest.raises(ValueError, match=r"kind must be one of acknowledge.*got 'stop'"):
        command_of(encode({"kind": CommandKind.STOP, "alarm": ""}), "1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b'{"kind":"acknowledge"}',
        b'{"kind":"acknowledge","alarm":1}',
        b'{"kind":"acknowledge","alarm":"a","more":1}',
        b'{"kind":"shelve","alarm":"a","seconds":-1}',
        b'{"kind":"shelve","alarm":"a","seconds":1e99}',
        b'{"kind":"acknowledge","alarm":""}',
        encode({"kind": "acknowledge", "alarm": "a" * 201}),
        encode({"kind": "acknowledge", "alarm": "a", "by": "b" * 200}),
    ],
)
def test_what_is_no_command_is_a_value_error(body):
    with pytest.raises(ValueError, match="must"):
        command_of(body, "1")


@given(st.binary(max_size=60))
def test_no_body_does_worse(body):
    with pytest.raises(ValueError, match="must"):
        command_of(body, "1")
