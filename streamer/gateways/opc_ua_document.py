"""What is made from the OPC UA nodes for those who program a client; knows no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.gateways.opc_ua_alarms import COLUMNS, FIELDS, MOST_LISTED
from streamer.gateways.opc_ua_nodes import ANSWER, EVENT_TYPE, LINE, NAMESPACE
from streamer.gateways.opc_ua_states import AUTOMATIC, AUTOMATIC_STATES, MACHINE, VISION_STATES
from streamer.gateways.opc_ua_values import LINE_VARIABLES, SINK_VARIABLES, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamer.gateways.opc_ua_alarms import Field
    from streamer.gateways.opc_ua_values import Variable

_HEAD = f"""# OPC UA nodes

Written by `python tools/write_registers.py`; do not edit.

All nodes are in the namespace `{NAMESPACE}`; ask for its index. Their ids are strings: \
`{LINE}`, an object below Objects, and `{LINE}.NAME` for what it has. Everything can be read, \
nothing be written.

## What the server knows by itself

Always good, and blind when in doubt: without a word of the line for half a second `DataValid` is \
false and `NotInspectedActive` true, whatever came last.

"""
_SINK = f"""
## What the sink tells

The status of each says how good it is: `{Quality.SILENT.value}` when the sink is silent, \
`{Quality.HUNG.value}` when the server's own process hangs, `{Quality.UNHEARD.value}` before \
anything was heard. `Heartbeat` rises with each beat of the sink's work loop, about every 100 ms; \
nothing else makes it rise. A process that is stopped altogether answers nothing: watch for that.

"""
_STATES = f"""
## States

`{LINE}.{MACHINE}` and within its Operational `{LINE}.{MACHINE}.{AUTOMATIC}`, with names and \
numbers of OPC 40100-1; `CurrentState` has `Id` and `Number`. Outside of Operational the inner \
machine is `BadStateNotActive`. There are no methods that change states but Stop.

| machine | number | state |
|---|---:|---|
"""
_EVENTS = f"""
## Events

Of type `{EVENT_TYPE}`, by the object `{LINE}` and by the server as a whole (the same EventId). \
One for each message of an alarm: it is new, has changed or has ended, or somebody acknowledged \
it. Severity is 200, 500 or 800.

"""
_LIST = f"""
## Alarms that are active

For those who come later: arrays `{LINE}.AlarmList.NAME`, one element per alarm, by sequence; one \
request reads one moment. At most {MOST_LISTED}, the most severe; `ActiveAlarms` counts all.

"""
_METHODS = f"""
## Methods

| method | arguments | answer |
|---|---|---|
| `Acknowledge` | AlarmId: an id, or * for all | Good; GoodCompletesAsynchronously: handed on, not \
answered within a second; BadEventIdUnknown: no such alarm is active; \
BadConditionBranchAlreadyAcked; BadInvalidState: the sink refused; BadNoCommunication |
| `Stop` | | Good: the roll ends; BadNotExecutable unless `gateways.opc_ua.stop` is on |
| `Start` | | BadNotSupported: rolls are started by `linescan run` |

`{LINE}.{ANSWER}` says in words what came of the last one.
"""
_VARIABLE_HEAD = "| name | type | unit | meaning |\n|---|---|---|---|\n"
_FIELD_HEAD = "| name | type | meaning |\n|---|---|---|\n"


def document() -> str:
    """The nodes as Markdown: the text of deploy/plc/opc_ua.md."""
    parts = [_HEAD, _VARIABLE_HEAD, _variables(LINE_VARIABLES)]
    parts += [_SINK, _VARIABLE_HEAD, _variables(SINK_VARIABLES)]
    parts += [_STATES, _states(MACHINE, VISION_STATES), _states(AUTOMATIC, AUTOMATIC_STATES)]
    parts += [_EVENTS, _FIELD_HEAD, _fields(FIELDS), _LIST, _FIELD_HEAD, _fields(COLUMNS), _METHODS]
    return "".join(parts)


def _variables(variables: Iterable[Variable]) -> str:
    return "".join(f"| `{v.name}` | {v.kind} | {v.unit} | {v.text} |\n" for v in variables)


def _fields(fields: Iterable[Field]) -> str:
    return "".join(f"| `{f.name}` | {f.kind} | {f.text} |\n" for f in fields)


def _states(machine: str, states: Mapping[str, int]) -> str:
    return "".join(f"| {machine} | {number} | {state} |\n" for state, number in states.items())
