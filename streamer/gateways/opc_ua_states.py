"""The state machine of a vision system after OPC 40100-1, as nodes; decides no state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamer.gateways import extra
from streamer.line_status import RunState

with extra("opcua"):
    from asyncua import ua

if TYPE_CHECKING:
    from asyncua import Node, Server

# State numbers: OPC 40100-1, tables 82 and 97. SingleExecution (7) is not for an endless web.
VISION_STATES = {"Preoperational": 1, "Halted": 2, "Error": 3, "Operational": 4}
AUTOMATIC_STATES = {"Initialized": 5, "Ready": 6, "ContinuousExecution": 8}
PLACES: dict[RunState, tuple[str, str]] = {
    RunState.PREOPERATIONAL: ("Preoperational", ""),
    RunState.HALTED: ("Halted", ""),
    RunState.ERROR: ("Error", ""),
    RunState.INITIALIZED: ("Operational", "Initialized"),
    RunState.READY: ("Operational", "Ready"),
    RunState.CONTINUOUS_EXECUTION: ("Operational", "ContinuousExecution"),
}
MACHINE = "VisionStateMachine"
AUTOMATIC = "AutomaticModeStateMachine"


@dataclass(frozen=True, slots=True)
class _Machine:
    """One finite state machine: its CurrentState with Id and Number (OPC 10000-16, 4.4)."""

    states: dict[str, ua.NodeId]
    numbers: dict[str, int]
    current: ua.NodeId
    current_id: ua.NodeId
    number: ua.NodeId

    async def enter(self, server: Server, state: str) -> None:
        """Show a state; "": the machine is not active now."""
        code = ua.StatusCodes.Good if state else ua.StatusCodes.BadStateNotActive
        for node, value in (
            (self.current, ua.Variant(ua.LocalizedText(state), ua.VariantType.LocalizedText)),
            (
                self.current_id,
                ua.Variant(self.states.get(state, ua.NodeId()), ua.VariantType.NodeId),
            ),
            (self.number, ua.Variant(self.numbers.get(state, 0), ua.VariantType.UInt32)),
        ):
            told = ua.DataValue(value, ua.StatusCode(code), SourceTimestamp=datetime.now(UTC))
            await server.write_attribute_value(node, told)


@dataclass(slots=True)
class StateMachine:
    """The vision system, and the automatic mode within its Operational."""

    vision: _Machine
    automatic: _Machine
    state: RunState | None = None

    async def enter(self, server: Server, state: RunState) -> None:
        """Show a state, if it is another one than before."""
        if state is self.state:
            return
        self.state = state
        outer, inner = PLACES[state]
        await self.vision.enter(server, outer)
        await self.automatic.enter(server, inner)


async def add_state_machine(server: Server, line: Node, index: int) -> StateMachine:
    """Add types and instances below the line; Preoperational."""
    outer_type = await _add_type(server, index, "VisionStateMachineType", VISION_STATES)
    inner_type = await _add_type(server, index, "AutomaticModeStateMachineType", AUTOMATIC_STATES)
    root = line.nodeid.Identifier
    outer_name, inner_name = f"{root}.{MACHINE}", f"{root}.{MACHINE}.{AUTOMATIC}"
    outer = await _add_instance(line, outer_name, outer_type)
    inner = await _add_instance(outer, inner_name, inner_type)
    operational = server.get_node(ua.NodeId("VisionStateMachineType.Operational", index))
    await operational.add_reference(inner, ua.ObjectIds.HasSubStateMachine)
    machine = StateMachine(
        _machine(outer, outer_type, VISION_STATES), _machine(inner, inner_type, AUTOMATIC_STATES)
    )
    await machine.enter(server, RunState.PREOPERATIONAL)
    return machine


async def _add_type(server: Server, index: int, name: str, states: dict[str, int]) -> Node:
    base = server.get_node(ua.NodeId(ua.ObjectIds.FiniteStateMachineType))
    kind = await base.add_object_type(ua.NodeId(name, index), ua.QualifiedName(name, index))
    for state, number in states.items():
        is_first = number == min(states.values())
        state_type = ua.ObjectIds.InitialStateType if is_first else ua.ObjectIds.StateType
        node = await kind.add_object(
            ua.NodeId(f"{name}.{state}", index),
            ua.QualifiedName(state, index),
            objecttype=ua.NodeId(state_type),
            instantiate_optional=False,
        )
        state_number = await node.get_child("0:StateNumber")
        await state_number.write_value(ua.Variant(number, ua.VariantType.UInt32))
    return kind


async def _add_instance(parent: Node, name: str, kind: Node) -> Node:
    index = parent.nodeid.NamespaceIndex
    short = ua.QualifiedName(name.rpartition(".")[2], index)
    node = await parent.add_object(
        ua.NodeId(name, index), short, objecttype=kind.nodeid, instantiate_optional=False
    )
    current = await node.get_child("0:CurrentState")
    number_id = ua.NodeId(f"{name}.CurrentState.Number", index)
    number = ua.Variant(0, ua.VariantType.UInt32)
    await current.add_property(number_id, ua.QualifiedName("Number", 0), number)
    return node


def _machine(node: Node, kind: Node, numbers: dict[str, int]) -> _Machine:
    index, current = node.nodeid.NamespaceIndex, f"{node.nodeid.Identifier}.CurrentState"
    states = {s: ua.NodeId(f"{kind.nodeid.Identifier}.{s}", index) for s in numbers}
    nodes = [ua.NodeId(name, index) for name in (current, f"{current}.Id", f"{current}.Number")]
    return _Machine(states, numbers, *nodes)
