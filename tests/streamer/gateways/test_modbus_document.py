"""The documents of the register map: every value, at its address, with its codes."""

import re

from streamer.gateways.modbus_document import constants, document
from streamer.gateways.modbus_registers import (
    BY_NAME,
    COMMANDS,
    REGISTERS,
    SEVERITIES,
    WORD_COUNT,
    WRITABLE,
)

ROW = re.compile(r"^\| (\d+) \| (\d+) \| `(\w+)` \| (\w+) \|.*\| (linescan|PLC) \|", re.MULTILINE)
CONSTANT = re.compile(r"^    (\w+) : UINT := (\d+); \(\* .* \*\)$", re.MULTILINE)


def test_every_register_has_a_row_with_its_address_and_who_writes_it():
    rows = ROW.findall(document())
    wanted = [(r.address, r.name, r.form, "PLC" if r.by_plc else "linescan") for r in REGISTERS]
    assert [(int(a), name, form, by) for a, _, name, form, by in rows] == wanted
    assert all(int(old) == 40_001 + int(address) for address, old, *_ in rows)


def test_the_text_names_what_the_plc_must_know():
    text = document()
    assert f"{WORD_COUNT} registers" in text
    for word in ("exception 1", "exception 2", "exception 3", "high word first", "ack_seq"):
        assert word in text
    assert max(map(len, text.split("\n\n")[0].splitlines())) < 100


def test_every_register_and_code_is_a_constant_of_its_own():
    found = CONSTANT.findall(constants())
    known = {name: int(value) for name, value in found}
    assert len(found) == len(known) == constants().count(":=")
    for register in REGISTERS:
        assert known[f"LSR_{register.name.upper()}"] == register.address
    for name, code in SEVERITIES.items():
        assert known[f"LS_SEVERITY_{name.upper()}"] == code
    assert known["LS_COMMAND_STOP_THE_LINE"] == COMMANDS["stop_the_line"]
    assert known["LS_COMMAND_NONE"] == 0
    assert known["LS_WORDS"] == WORD_COUNT
    assert known["LS_FIRST_WRITABLE"] == WRITABLE[0] == BY_NAME["command"].address
