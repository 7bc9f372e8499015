"""The document of the OPC UA nodes: everything a client can see, under the name that it has."""

import re

from streamer.gateways.opc_ua_alarms import COLUMNS, FIELDS
from streamer.gateways.opc_ua_document import document
from streamer.gateways.opc_ua_methods import Methods
from streamer.gateways.opc_ua_nodes import EVENT_TYPE, NAMESPACE
from streamer.gateways.opc_ua_states import AUTOMATIC_STATES, VISION_STATES
from streamer.gateways.opc_ua_values import VARIABLES

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)
STATE = re.compile(r"^\| \w+Machine \| (\d+) \| (\w+) \|$", re.MULTILINE)


def test_every_variable_field_and_column_has_a_row_with_its_type():
    wanted = [(one.name, one.kind) for one in (*VARIABLES, *FIELDS, *COLUMNS)]
    found = [row for row in ROW.findall(document()) if row[1] != "AlarmId"]
    assert found == wanted
    assert all(one.text in document() for one in (*VARIABLES, *FIELDS, *COLUMNS))


def test_every_state_has_its_number():
    states = {**VISION_STATES, **AUTOMATIC_STATES}
    assert {state: int(number) for number, state in STATE.findall(document())} == states


def test_the_text_names_what_a_client_must_know():
    for word in (NAMESPACE, EVENT_TYPE, "BadStateNotActive", "BadNotSupported", "LastAnswer"):
        assert word in document()
    for name in ("Acknowledge", "Stop", "Start"):
        assert f"| `{name}` |" in document()
        assert hasattr(Methods, name.lower())
