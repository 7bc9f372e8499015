"""The line as nodes of an OPC UA address space, and its alarms as events; opens no socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from streamer.gateways import extra
from streamer.gateways.opc_ua_alarms import COLUMNS, FIELDS, SEVERITIES, listed, message, utc
from streamer.gateways.opc_ua_states import StateMachine, add_state_machine
from streamer.gateways.opc_ua_values import VARIABLES, Quality, line_values

with extra("opcua"):
    from asyncua import Node, Server, ua

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.gateways.opc_ua_values import Scalar, Shown, Variable
    from streamer.message import Alarm

NAMESPACE = "urn:linescan:line"
LINE = "Line"
EVENT_TYPE = "LineAlarmEventType"
ANSWER = "LastAnswer"


@dataclass(slots=True)
class LineNodes:
    """Writes what has changed; `index` is that of NAMESPACE. All in the server's thread."""

    server: Server
    index: int
    line: Node
    machine: StateMachine
    events: list[Any]
    _written: dict[str, tuple[Any, str]] = field(default_factory=dict)
    _alarms: tuple[Alarm, ...] = ()

    async def show(self, shown: Shown) -> None:
        """Write values that are others than before, or of another quality."""
        values = line_values(shown)
        for variable in VARIABLES:
            await self._write(variable, *values[variable.name])
        await self.machine.enter(self.server, shown.state)
        await self._write_level(shown.service_level)
        if shown.view.alarms != self._alarms:
            self._alarms = shown.view.alarms
            await self._list(listed(self._alarms))

    async def fire(self, alarm: Alarm) -> None:
        """Tell whoever subscribed to events of the line, or of the server as a whole."""
        event_id = uuid4().bytes
        for event in self.events:
            event.EventId = ua.Variant(event_id, ua.VariantType.ByteString)
            event.Time = utc(alarm.raised_ns) or datetime.now(UTC)
            event.ReceiveTime = datetime.now(UTC)
            event.Severity = SEVERITIES[alarm.severity]
            event.Message = ua.LocalizedText(message(alarm))
            for one in FIELDS:
                setattr(event, one.name, one.read(alarm))
            await self.server.iserver.subscription_service.trigger_event(event)

    async def answer(self, text: str) -> None:
        """Show what came of the last method."""
        await self._put(f"{LINE}.{ANSWER}", ua.DataValue(ua.Variant(text, ua.VariantType.String)))

    async def add_method(
        self, name: str, text: str, call: Callable[..., Any], inputs: list[ua.Argument]
    ) -> None:
        """Let clients call something."""
        node = ua.NodeId(f"{LINE}.{name}", self.index)
        method = await self.line.add_method(
            node, ua.QualifiedName(name, self.index), call, inputs, []
        )
        await _describe(method, text)

    async def _write(self, variable: Variable, value: Scalar | None, quality: Quality) -> None:
        if self._written.get(variable.name) == (value, quality.value):
            return
        self._written[variable.name] = (value, quality.value)
        kind = None if value is None else ua.VariantType[variable.kind]
        of_type = ua.Variant(value, kind)
        told = ua.DataValue(of_type, _code(quality), SourceTimestamp=datetime.now(UTC))
        await self._put(f"{LINE}.{variable.name}", told)

    async def _write_level(self, level: int) -> None:
        if self._written.get("ServiceLevel") != (level, ""):
            self._written["ServiceLevel"] = (level, "")
            node = ua.NodeId(ua.ObjectIds.Server_ServiceLevel)
            await self.server.write_attribute_value(node, _good(level, ua.VariantType.Byte))

    async def _list(self, alarms: tuple[Alarm, ...]) -> None:
        """All columns without a pause between, so that one request reads them of one moment."""
        for column in COLUMNS:
            values = [column.read(alarm) for alarm in alarms]
            variant = ua.Variant(values, ua.VariantType[column.kind], is_array=True)
            told = ua.DataValue(variant, SourceTimestamp=datetime.now(UTC))
            await self._put(f"{LINE}.AlarmList.{column.name}", told)

    async def _put(self, name: str, told: ua.DataValue) -> None:
        await self.server.write_attribute_value(ua.NodeId(name, self.index), told)


async def add_line(server: Server) -> LineNodes:
    """Add everything about the line to a server's address space."""
    index = await server.register_namespace(NAMESPACE)
    line = await server.nodes.objects.add_object(
        ua.NodeId(LINE, index), ua.QualifiedName(LINE, index)
    )
    for variable in VARIABLES:
        await _add_variable(line, index, variable)
    answer = await line.add_variable(
        ua.NodeId(f"{LINE}.{ANSWER}", index), ua.QualifiedName(ANSWER, index), "", datatype=_STRING
    )
    await _describe(answer, "What came of the last method")
    await _add_list(line, index)
    machine = await add_state_machine(server, line, index)
    return LineNodes(server, index, line, machine, await _add_events(server, line, index))


_STRING = ua.NodeId(ua.ObjectIds.String)


async def _add_variable(line: Node, index: int, variable: Variable) -> None:
    kind = ua.VariantType[variable.kind]
    node = await line.add_variable(
        ua.NodeId(f"{LINE}.{variable.name}", index),
        ua.QualifiedName(variable.name, index),
        ua.Variant(ua.get_default_value(kind), kind),
        datatype=ua.NodeId(kind.value),
    )
    unheard = ua.DataValue(ua.Variant(None), _code(Quality.UNHEARD))
    await node.write_value(unheard)
    unit = f" [{variable.unit}]" if variable.unit else ""
    await _describe(node, variable.text + unit)
    if variable.unit:
        units = ua.EUInformation(DisplayName=ua.LocalizedText(variable.unit))
        units_id = ua.NodeId(f"{LINE}.{variable.name}.EngineeringUnits", index)
        await node.add_property(units_id, ua.QualifiedName("EngineeringUnits", 0), units)


async def _add_list(line: Node, index: int) -> None:
    name = f"{LINE}.AlarmList"
    listing = await line.add_object(ua.NodeId(name, index), ua.QualifiedName("AlarmList", index))
    await _describe(listing, "Active alarms, the most severe of them if there are many; mm, counts")
    for column in COLUMNS:
        kind = ua.VariantType[column.kind]
        node = await listing.add_variable(
            ua.NodeId(f"{name}.{column.name}", index),
            ua.QualifiedName(column.name, index),
            ua.Variant([], kind, is_array=True),
            datatype=ua.NodeId(kind.value),
        )
        await node.write_value_rank(ua.ValueRank.OneDimension)
        await _describe(node, column.text)


async def _add_events(server: Server, line: Node, index: int) -> list[Any]:
    """One event for the line itself, one for those who listen to the whole server."""
    kind = await server.nodes.base_event_type.add_object_type(
        ua.NodeId(EVENT_TYPE, index), ua.QualifiedName(EVENT_TYPE, index)
    )
    for one in FIELDS:
        of_type = ua.VariantType[one.kind]
        named = ua.NodeId(f"{EVENT_TYPE}.{one.name}", index), ua.QualifiedName(one.name, index)
        default = ua.Variant(ua.get_default_value(of_type), of_type)
        node = await kind.add_property(*named, default, datatype=ua.NodeId(of_type.value))
        await _describe(node, one.text)
    events = []
    for emitter in (line, server.nodes.server):
        generator = await server.get_event_generator(kind, emitter)
        generator.event.SourceNode, generator.event.SourceName = line.nodeid, LINE
        events.append(generator.event)
    return events


async def _describe(node: Node, text: str) -> None:
    told = ua.DataValue(ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText))
    await node.write_attribute(ua.AttributeIds.Description, told)


def _code(quality: Quality) -> ua.StatusCode:
    return ua.StatusCode(getattr(ua.StatusCodes, quality.value))


def _good(value: object, kind: ua.VariantType) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind), SourceTimestamp=datetime.now(UTC))
