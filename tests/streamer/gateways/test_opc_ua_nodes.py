"""The address space of the line: values with their quality, the list of alarms, events."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asyncua import ua

from streamer.gateways.opc_ua_alarms import COLUMNS, FIELDS
from streamer.gateways.opc_ua_nodes import EVENT_TYPE, NAMESPACE
from streamer.gateways.opc_ua_values import VARIABLES, Shown
from streamer.line_ports import LineView
from streamer.message import AlarmCondition, AlarmKind, Severity
from tests.streamer.gateways.contract import alarm, view
from tests.streamer.gateways.opc_space import space


@pytest.fixture(scope="module")
def line():
    with space() as made:
        yield made


def show(line, shown_view, is_live=True):
    line.run(line.nodes.show(Shown(shown_view, is_live)))


class Listener:
    """A subscription as the library keeps it."""

    def __init__(self):
        self.told = []

    async def trigger_event(self, event):
        named = {one.name: getattr(event, one.name) for one in FIELDS}
        plain = (event.Severity, event.Message.Text, event.Time, event.EventId.Value)
        self.told.append((event.emitting_node, plain, named))


def fire(line, one):
    listener = Listener()
    service = line.server.iserver.subscription_service
    service.subscriptions[1] = type("S", (), {"monitored_item_srv": listener})()
    try:
        line.run(line.nodes.fire(one))
    finally:
        del service.subscriptions[1]
    return listener.told


def test_every_variable_has_its_type_its_unit_and_cannot_be_written(line):
    for variable in VARIABLES:
        node = line.node(f"Line.{variable.name}")
        assert line.run(node.read_data_type()).Identifier == ua.VariantType[variable.kind].value
        assert variable.text in line.run(node.read_description()).Text
        assert line.run(node.get_user_access_level()) == {ua.AccessLevel.CurrentRead}
        if variable.unit:
            unit = line.run(line.run(node.get_child("0:EngineeringUnits")).read_value())
            assert unit.DisplayName.Text == variable.unit


def test_the_namespace_and_the_names_stay_the_same_over_restarts(line):
    assert line.run(line.server.get_namespace_index(NAMESPACE)) == line.nodes.index
    assert line.nodes.line.nodeid.to_string() == f"ns={line.nodes.index};s=Line"
    children = line.run(line.nodes.line.get_children())
    assert all(isinstance(child.nodeid.Identifier, str) for child in children)


def test_values_come_with_their_quality(line):
    show(line, LineView(None, False, False))
    assert line.read("Heartbeat") == (None, "BadWaitingForInitialData")
    assert line.read("DataValid") == (False, "Good")
    show(line, view(4))
    assert line.read("Heartbeat") == (4, "Good")
    show(line, replace(view(4), is_fresh=False))
    assert line.read("Heartbeat") == (4, "UncertainNoCommunicationLastUsableValue")
    show(line, view(4), is_live=False)
    assert line.read("Heartbeat") == (4, "UncertainLastUsableValue")
    show(line, view(5))
    assert line.read("Heartbeat") == (5, "Good")


def test_a_value_that_stays_is_not_written_again(line):
    show(line, view(6))
    node = line.node("Line.Speed").nodeid
    before = line.server.read_attribute_value(node)
    show(line, view(7))
    assert line.server.read_attribute_value(node) is before
    show(line, view(8, speed_m_min=61.0))
    assert line.server.read_attribute_value(node) is not before


def test_the_service_level_says_whether_another_server_sees_more(line):
    node = ua.NodeId(ua.ObjectIds.Server_ServiceLevel)
    for shown_view, is_live, level in ((view(1), True, 255), (view(1), False, 1)):
        show(line, shown_view, is_live)
        assert line.server.read_attribute_value(node).Value.Value == level


def test_active_alarms_are_listed_column_by_column(line):
    blind = alarm(2, kind=AlarmKind.NOT_INSPECTED, severity=Severity.HIGH)
    show(line, view(1, alarm(1, condition=AlarmCondition.ACKNOWLEDGED), blind))
    assert line.read("AlarmList.Id")[0] == [alarm(1).id, alarm(2).id]
    assert line.read("AlarmList.Kind")[0] == ["defect", "not_inspected"]
    assert line.read("AlarmList.Condition")[0] == ["acknowledged", "unacknowledged"]
    assert line.read("AlarmList.Severity")[0] == [500, 800]
    assert line.read("AlarmList.DownFirst")[0] == [100.0, 200.0]
    show(line, view(2))
    for column in COLUMNS:
        assert line.read(f"AlarmList.{column.name}") == ([], "Good")


def test_an_event_goes_to_listeners_of_the_line_and_of_the_server_as_the_same(line):
    late = alarm(3, kind=AlarmKind.SYSTEM, signal="out_of_specification", text="too late")
    told = fire(line, late)
    server = ua.NodeId(ua.ObjectIds.Server)
    assert [emitter for emitter, _, _ in told] == [line.nodes.line.nodeid, server]
    (_, plain, named), (_, again, _) = told
    assert plain[:3] == (500, "system new: too late", datetime(2023, 11, 14, 22, 13, 20, 0, UTC))
    assert plain[3] == again[3]  # one EventId: whoever listens twice can see that it is one
    assert (named["AlarmId"], named["Signal"]) == (late.id, "out_of_specification")
    assert fire(line, late)[0][1][3] != plain[3]


def test_the_type_of_the_event_tells_its_fields(line):
    base = line.server.get_node(ua.ObjectIds.BaseEventType)
    kind = line.run(base.get_child(f"{line.nodes.index}:{EVENT_TYPE}"))
    names = {line.run(node.read_browse_name()).Name for node in line.run(kind.get_properties())}
    assert names >= {one.name for one in FIELDS}


def test_the_last_answer_can_be_read(line):
    line.run(line.nodes.answer("Start: no"))
    assert line.read("LastAnswer") == ("Start: no", "Good")
