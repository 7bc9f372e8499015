"""What is made from the register map for those who write a PLC's program; knows no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.gateways.modbus_registers import (
    COMMANDS,
    CONDITIONS,
    KINDS,
    MAP_VERSION,
    REGISTERS,
    RUN_STATES,
    SEVERITIES,
    SIGNALS,
    WORD_COUNT,
    WRITABLE,
    Form,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_PER_REQUEST = 125  # Modbus Application Protocol V1.1b3, 6.3
_HEAD = f"""# Modbus registers

Written by `python tools/write_registers.py`; do not edit.

Map version {MAP_VERSION}, {WORD_COUNT} registers from address 0. All of them can be read as \
holding registers (function 3) and as input registers (function 4), in one request \
({MOST_PER_REQUEST} at most): one request reads one moment, two requests read two. Values \
of 32 bits take two registers, the high word first, each word with its high byte first. `count32` \
is an integer modulo 2^32: take differences modulo 2^32. A value that does not fit is shown as the \
nearest that does.

Only what is written by the PLC can be written (functions 6 and 16; both words of a value in one \
request). Writing anything else, and reading beyond the map, is refused with exception 2 (illegal \
data address); an unknown command, and stopping the line where `gateways.modbus.stop` is off, with \
exception 3 (illegal data value); other functions with exception 1.

One alarm is shown at a time, first come first shown, until its `alarm_seq` stands in `ack_seq`. \
It does not change meanwhile; an alarm that grows after it was taken is shown again, with its new \
extent. What has ended before the PLC took it is shown all the same: its place on the web still \
comes by the actuator. Any number of clients may read; one of them acknowledges.

Address is what goes over the wire, counted from 0; 4x is the same in the old notation of holding \
registers, counted from 40001.

| address | 4x | name | type | unit | written by | meaning |
|---:|---:|---|---|---|---|---|
"""


def document() -> str:
    """The map as Markdown: the text of deploy/plc/registers.md."""
    rows = (
        f"| {r.address} | {40001 + r.address} | `{r.name}` | {r.form} | {r.unit} "
        f"| {'PLC' if r.by_plc else 'linescan'} | {r.meaning} |\n"
        for r in REGISTERS
    )
    return _HEAD + "".join(rows)


_ST_HEAD = """\
(* Written by python tools/write_registers.py; do not edit.
   LSR: addresses of the registers, of values of two words that of the high word. LS: the codes that
   they hold. *)
VAR_GLOBAL CONSTANT
"""


def constants() -> str:
    """The map as constants of IEC 61131-3 Structured Text: the text of deploy/plc/registers.st."""
    rows = [("LS_WORDS", WORD_COUNT, "words in all")]
    rows += [("LS_FIRST_WRITABLE", WRITABLE[0], "address of the first word that the PLC writes")]
    rows += [("LS_MAP_VERSION", MAP_VERSION, "what map_version must be")]
    rows += [(f"LSR_{r.name.upper()}", r.address, _in_words(r.form, r.unit)) for r in REGISTERS]
    rows += [row for codes in _CODES for row in _code_rows(*codes)]
    lines = (f"    {name} : UINT := {value}; (* {note} *)\n" for name, value, note in rows)
    return _ST_HEAD + "".join(lines) + "END_VAR\n"


_CODES = (
    ("RUN", RUN_STATES, "run_state"),
    ("KIND", KINDS, "alarm_kind"),
    ("SEVERITY", SEVERITIES, "alarm_severity"),
    ("CONDITION", CONDITIONS, "alarm_condition"),
    ("SIGNAL", SIGNALS, "alarm_signal"),
    ("COMMAND", COMMANDS, "command"),
)


def _code_rows(prefix: str, codes: Mapping[str, int], register: str) -> list[tuple[str, int, str]]:
    rows = codes.items()
    return [(f"LS_{prefix}_{str(k).upper() or 'NONE'}", v, f"of {register}") for k, v in rows]


def _in_words(form: Form, unit: str) -> str:
    return f"{form}, {unit}" if unit else str(form)
