"""The Structured Text example, run as it stands: it rejects what it must and little else."""

import random
import re
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.gateway_sections import ModbusGateway
from streamer.gateways.modbus import ModbusTcp
from streamer.gateways.modbus_registers import (
    ACK,
    BY_NAME,
    KINDS,
    MAP_VERSION,
    SEVERITIES,
    WORD_COUNT,
    encode,
)
from tests.deploy.plc.structured_text import Program, declared, units, without_comments
from tests.streamer.gateways.contract import alarm, view

FOLDER = Path(__file__).parents[3] / "deploy" / "plc"
SOURCE = (FOLDER / "reject_gate.st").read_text("utf-8")
CONSTANTS = (FOLDER / "registers.st").read_text("utf-8")
CELL, GATE_COUNTS, MARGIN = 100, 5_000, 1
SCAN_MS = 10
WRAP = 2**32


class Line:
    """The function block in a PLC whose registers and encoder are made here."""

    def __init__(self, counts=0, **inputs):
        self.program = Program(SOURCE, CONSTANTS)
        self.block = self.program.instance("FB_LINESCAN_GATE")
        self.inputs = {"gate_counts": GATE_COUNTS, "cell_counts": CELL, "margin_cells": MARGIN}
        self.inputs.update(inputs)
        self.counts, self.beat, self.sequence = counts, 0, 0
        self.values = {"map_version": MAP_VERSION, "data_valid": 1}
        self.memory = None
        self.scan()

    def scan(self, way=0, beats=True, **values):
        """One cycle of the PLC after the web went on."""
        self.program.now_ms += SCAN_MS
        self.counts += way
        self.beat += beats
        self.values.update(values, heartbeat=self.beat % 65_536)
        now = self.counts % WRAP
        self.memory = self.block(words=encode(self.values), counts=now, **self.inputs)
        return self.memory["reject"]

    def run(self, way, **values):
        """Scan until the web went on so far; gives the counts at the gate that were rejected."""
        rejected, end = [], self.counts + way
        while self.counts < end:
            if self.scan(min(50, end - self.counts), **values):
                rejected.append(self.counts - self.inputs["gate_counts"])
        return rejected

    def tell(self, first, end, kind="defect", severity="high"):
        """Show an alarm of these counts, for one cycle."""
        self.sequence += 1
        told = {
            "alarm_active": 1,
            "alarm_seq": self.sequence,
            "alarm_kind": KINDS[kind],
            "alarm_severity": SEVERITIES[severity],
            "alarm_encoder_first": first,
            "alarm_encoder_end": end,
        }
        self.scan(**told)
        assert (self.memory["ack_high"] << 16) + self.memory["ack_low"] == self.sequence
        self.scan(**dict.fromkeys(told, 0))

    @classmethod
    def clean(cls, counts=0, **inputs):
        """A line that has inspected all web from the camera to the gate."""
        line = cls(counts, **inputs)
        line.run(GATE_COUNTS + 3 * CELL)
        return line


def test_every_name_is_declared_here_or_in_the_registers():
    known = {v.name for v in declared(without_comments(CONSTANTS))}
    standard = {"UINT_TO_UDINT", "UDINT_TO_UINT", "IN", "PT", "T"}
    keywords = {"IF", "THEN", "ELSE", "END_IF", "FOR", "TO", "DO", "END_FOR"}
    keywords |= {"AND", "OR", "NOT", "MOD", "TRUE", "FALSE"}
    found = list(units(without_comments(SOURCE)))
    functions = {unit.name for unit in found if unit.is_function}
    for unit in found:
        used = {t.split(".")[0] for t in unit.tokens if re.match(r"[A-Za-z_]", t)}
        own = {v.name for v in unit.variables}
        assert used <= known | standard | keywords | functions | own
        assert own <= used  # nothing is declared for nothing


def test_constants_are_the_addresses_of_the_map():
    known = {v.name: int(v.initial) for v in declared(without_comments(CONSTANTS))}
    used = set(re.findall(r"\bLSR_(\w+)", SOURCE))
    assert len(used) >= 8
    assert {name: known[f"LSR_{name}"] for name in used} == {
        name: BY_NAME[name.lower()].address for name in used
    }
    (words,) = [v for v in declared(without_comments(SOURCE)) if v.name == "words"]
    assert (words.kind, words.size) == ("UINT", WORD_COUNT)


def test_two_words_are_read_as_two_words_alone():
    pairs = re.findall(r"LS_U32\(words\[(\w+)\], words\[(\w+) \+ 1\]\)", SOURCE)
    assert pairs
    assert all(a == b and BY_NAME[a[4:].lower()].form.words == 2 for a, b in pairs)
    in_pairs = {name for pair in pairs for name in pair}
    single = set(re.findall(r"words\[(\w+)\]", SOURCE)) - in_pairs
    assert all(BY_NAME[name[4:].lower()].form.words == 1 for name in single)


@given(st.integers(0, 65_535), st.integers(0, 65_535))
def test_two_words_make_a_value(high, low):
    assert Program(SOURCE, CONSTANTS).call("LS_U32", high, low) == high * 65_536 + low


@given(st.integers(0, WRAP - 1), st.integers(-(2**31) + 1, 2**31 - 1), st.integers(1, 100_000))
def test_cells_are_counted_back_over_the_wrap(newest, behind, cell):
    program = Program(SOURCE, CONSTANTS)
    cells = program.call("LS_CELLS_BEHIND", newest, (newest - behind) % WRAP, cell)
    assert cells == max(behind, 0) // cell


def test_web_that_nobody_vouched_for_is_rejected_until_it_has_passed():
    line = Line()
    rejected = line.run(2 * GATE_COUNTS)
    assert rejected == list(range(rejected[0], rejected[-1] + 1, 50))
    assert rejected[0] == 50 - GATE_COUNTS
    assert CELL >= rejected[-1] >= 0  # all before the first cell that was inspected


def test_a_heartbeat_that_stands_stops_the_line_within_its_timeout():
    line = Line.clean()
    assert (line.scan(), line.memory["line_ok"]) == (False, True)
    waited_ms = 0
    while line.memory["line_ok"] and waited_ms < 2_000:
        line.scan(beats=False)
        waited_ms += SCAN_MS
    assert 500 <= waited_ms <= 500 + 2 * SCAN_MS
    assert line.memory["reject"]
    line.scan()  # it comes back, and what has passed meanwhile is rejected all the same
    assert line.memory["inspected"]
    assert len(line.run(2 * GATE_COUNTS)) * 50 >= GATE_COUNTS


@pytest.mark.parametrize("fault", [{"data_valid": 0}, {"map_version": MAP_VERSION + 1}])
def test_data_that_is_not_valid_stops_the_line_at_once(fault):
    line = Line.clean()
    assert line.scan(**fault)
    assert not line.memory["line_ok"]
    line.run(2 * GATE_COUNTS)
    assert line.scan(data_valid=1, map_version=MAP_VERSION)  # recovered; the web has yet to pass
    assert line.memory["line_ok"]
    assert len(line.run(GATE_COUNTS)) * 50 >= GATE_COUNTS - CELL
    line.run(2 * CELL)
    assert not line.scan()


def test_alarms_that_could_not_wait_reject_all_that_is_on_its_way():
    line = Line.clean()
    line.scan(overflow=1)
    assert len(line.run(GATE_COUNTS)) * 50 >= GATE_COUNTS - CELL
    assert not line.run(GATE_COUNTS)[2 * CELL // 50 :]


def test_a_defect_is_rejected_with_its_margin_and_nothing_else_is():
    line = Line.clean()
    first = line.counts
    line.run(1_000)
    line.tell(first, first + 220)
    rejected = line.run(2 * GATE_COUNTS)
    assert first - 2 * CELL <= rejected[0] <= first - CELL
    assert first + 220 + CELL <= rejected[-1] + 50 <= first + 220 + 2 * CELL + 50
    assert rejected == list(range(rejected[0], rejected[-1] + 1, 50))
    assert line.memory["line_ok"]


def test_an_alarm_that_stays_shown_is_taken_once():
    line = Line.clean()
    first = line.counts
    line.run(500)
    line.tell(first, first + 50)
    line.values.update(alarm_active=1, alarm_seq=line.sequence, alarm_kind=1, alarm_severity=3)
    line.values.update(alarm_encoder_first=line.counts - 10, alarm_encoder_end=line.counts)
    assert all(count < first + 50 + 2 * CELL for count in line.run(2 * GATE_COUNTS))


@pytest.mark.parametrize(
    ("kind", "severity", "is_rejected"),
    [
        ("defect", "low", False),
        ("defect", "medium", True),
        ("not_inspected", "low", True),
        ("system", "high", False),
    ],
)
def test_what_is_rejected_is_a_matter_of_kind_and_severity(kind, severity, is_rejected):
    line = Line.clean(least_severity=SEVERITIES["medium"])
    first = line.counts
    line.run(500)
    line.tell(first, first + 50, kind, severity)
    assert bool(line.run(2 * GATE_COUNTS)) == is_rejected


def test_a_defect_that_is_known_too_late_is_said_until_somebody_resets_it():
    line = Line.clean()
    first = line.counts
    line.run(GATE_COUNTS + 1_000)
    line.tell(first, first + 50)
    assert (line.memory["late"], line.memory["line_ok"]) == (True, False)
    line.run(1_000)
    assert line.memory["late"]
    line.inputs["reset"] = True
    line.scan()
    assert (line.memory["late"], line.memory["line_ok"]) == (False, True)


def test_a_defect_from_beyond_the_register_is_late_too():
    line = Line.clean()
    first = line.counts
    line.run(1_100 * CELL)
    line.tell(first, first + 50)
    assert line.memory["late"]


def test_a_running_defect_that_is_told_in_time_is_not_late():
    line = Line.clean()
    first, rejected = line.counts, []
    for _ in range(20):  # twice the way to the gate, told again every half metre
        rejected += line.run(500)
        line.tell(first, line.counts)
    assert not line.memory["late"]
    wanted = range(first, line.counts - GATE_COUNTS, 50)
    assert set(wanted) <= set(rejected)


def test_a_gate_beyond_the_register_is_refused():
    line = Line(gate_counts=1_024 * CELL)
    line.run(2_000 * CELL)
    assert line.memory["too_far"]
    assert line.memory["reject"]
    assert not line.memory["line_ok"]


def test_web_that_goes_back_and_on_again_is_rejected_at_its_place():
    line = Line.clean()
    first = line.counts
    line.run(500)
    line.tell(first, first + 50)
    for _ in range(10):
        line.scan(-40)
    rejected = line.run(2 * GATE_COUNTS)
    assert rejected[0] <= first
    assert rejected[-1] >= first + 50
    assert rejected[-1] - rejected[0] <= 50 + (2 * MARGIN + 2) * CELL


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, WRAP - 1),
    offset=st.integers(0, WRAP - 1),
    defects=st.lists(
        st.tuples(st.integers(0, 1_500), st.integers(1, 700), st.integers(200, 1_500)), max_size=6
    ),
    margin=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)
def test_whatever_the_web_every_defect_is_rejected_and_little_else(
    start, offset, defects, margin, seed
):
    """Webs anywhere on the wheel of counts, defects one behind the other, told at some time."""
    line = Line(start + offset, offset_counts=offset, margin_cells=margin)
    line.memory["head"] = start % 1_024  # as after any way: all cells are the same yet
    line.run(GATE_COUNTS + 3 * CELL)
    bad, due, at = [], [], line.counts - offset
    for gap, length, delay in defects:
        at += gap + length
        bad.append((at - length, at))
        due.append((at + delay, at - length, at))
    due.sort()
    chance = random.Random(seed)
    while line.counts - offset < at + GATE_COUNTS + 1_000:
        if due and due[0][0] <= line.counts - offset:
            _, first, end = due.pop(0)
            line.tell(first, end)
        rejected = line.scan(chance.randrange(90))
        gate = line.counts - offset - GATE_COUNTS
        mine = [(a, b) for a, b in bad if a <= gate < b]
        assert rejected or not mine
        slack = (margin + 1) * CELL
        assert not rejected or any(a - slack <= gate < b + slack for a, b in bad)
    assert not line.memory["late"]


def read(wire):
    """Words as a PLC's function block for Modbus reads them."""
    wire.sendall(struct.pack(">HHHBBHH", 0, 0, 6, 1, 3, 0, WORD_COUNT))
    return struct.unpack(f">{WORD_COUNT}H", received(wire, 9 + 2 * WORD_COUNT)[9:])


def write(wire, high, low):
    """Write ack_seq."""
    wire.sendall(struct.pack(">HHHBBHHBHH", 0, 0, 11, 1, 16, ACK.address, 2, 4, high, low))
    assert received(wire, 12)[7] == 16


def received(wire, count):
    got = b""
    while len(got) < count:
        got += wire.recv(count - len(got))
    return got


def test_with_the_gateway_itself_alarms_are_taken_one_after_the_other():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = Program(SOURCE, CONSTANTS)
    block = program.instance("FB_LINESCAN_GATE")
    gateway = ModbusTcp(ModbusGateway(mode="on", port=port))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            alarms = tuple(alarm(n) for n in range(1, 6))
            taken = []
            for beat in range(1, 9):
                program.now_ms += 100
                gateway.show(view(beat, *alarms, news=alarms if beat == 2 else ()))
                words = read(wire)
                memory = block(words=words, counts=100 * beat, gate_counts=5_000)
                write(wire, memory["ack_high"], memory["ack_low"])
                taken += [c.alarm for c in gateway.take_commands()]
            assert taken == [a.id for a in alarms]
            assert memory["line_ok"]
    finally:
        gateway.close()
