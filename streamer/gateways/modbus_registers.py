"""The register map of the Modbus server, once: what encodes it and what documents it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from streamer.line_status import RunState
from streamer.message import AlarmCondition, AlarmKind, DefectState, Severity, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Values = Mapping[str, float]

MAP_VERSION = 1  # rises when an address gets another meaning; what is added at the end is none

RUN_STATES: dict[str, int] = {state: code for code, state in enumerate(RunState)}
KINDS: dict[str, int] = {kind: code for code, kind in enumerate(AlarmKind, start=1)}
SEVERITIES: dict[str, int] = {severity: code for code, severity in enumerate(Severity, start=1)}
DEFECT_STATES: dict[str, int] = {state: code for code, state in enumerate(DefectState, start=1)}
CONDITIONS: dict[str, int] = {
    condition: code for code, condition in enumerate(AlarmCondition, start=1)
}
SIGNALS = {
    "": 0,
    "failure": 1,
    "function_check": 2,
    "out_of_specification": 3,
    "maintenance_required": 4,
}


COMMANDS = {"": 0, "acknowledge_all": 1, "stop_the_line": 2}


class Form(StrEnum):
    """How a value lies in registers; of two, the first is the high word."""

    BOOL = "bool"  # 0 or 1 in a register of its own
    U16 = "u16"
    U32 = "u32"
    I32 = "i32"
    COUNT32 = "count32"  # an integer modulo 2^32, as PLCs count encoders: differences are right

    @property
    def words(self) -> int:
        """Registers that it takes."""
        return 1 if self in (Form.BOOL, Form.U16) else 2

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        known = {Form.BOOL: (0, 1), Form.U16: (0, 0xFFFF), Form.I32: (-(2**31), 2**31 - 1)}
        return known.get(self, (0, 0xFFFFFFFF))


@dataclass(frozen=True, slots=True)
class Register:
    """One value of the map; `address` as it goes over the wire, counted from 0."""

    address: int
    name: str
    form: Form
    unit: str
    meaning: str
    by_plc: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.address <= 0xFFFF, "Register.address must be 0 to 65535", self.address)

    @property
    def end(self) -> int:
        """First address after it."""
        return self.address + self.form.words

    def encode(self, value: float) -> tuple[int, ...]:
        """Words of a value; what does not fit is shown as the nearest that does, never wrapped.

        A count32 alone wraps, on purpose. What is no number is shown as 0.
        """
        whole = 0 if math.isnan(value) else self._fitting(value)
        if self.form.words == 1:
            return (whole & 0xFFFF,)
        return (whole >> 16 & 0xFFFF, whole & 0xFFFF)

    def decode(self, words: Sequence[int]) -> int:
        """Value of its words."""
        require(len(words) == self.form.words, f"{self.name} must have its words", words)
        whole = words[0] if self.form.words == 1 else words[0] << 16 | words[1]
        return whole - 2**32 if self.form is Form.I32 and whole >= 2**31 else whole

    def _fitting(self, value: float) -> int:
        lowest, highest = self.form.bounds
        if self.form is Form.COUNT32:
            return int(value) % (highest + 1) if math.isfinite(value) else 0
        return round(min(max(value, lowest), highest))


def _codes(codes: Mapping[str, int]) -> str:
    return ", ".join(
        f"{code} {str(name).replace('_', ' ') or 'none'}" for name, code in codes.items()
    )


_LINE = (
    ("map_version", Form.U16, "", f"Version of this map: {MAP_VERSION}"),
    ("heartbeat", Form.U16, "", "Rises by one about every 100 ms with the work of the sink, and "
     "wraps at 65536. Standing for 500 ms: nothing is inspected, whatever else is read"),
    ("run_state", Form.U16, "", f"After OPC 40100-1: {_codes(RUN_STATES)}"),
    ("ready", Form.BOOL, "", "The line waits for web or inspects it"),
    ("data_valid", Form.BOOL, "", "Pixels arrive and are inspected; 0: reject, or stop"),
    ("not_inspected_active", Form.BOOL, "", "Web passes, or passed just before, that nobody has "
     "judged; also 1 while nothing is heard of the sink"),
    ("speed", Form.U16, "0.1 m/min", "Speed of the web"),
    ("position_mm", Form.U32, "mm", "Web captured, from the start of the roll"),
    ("judged_mm", Form.U32, "mm", "Web that has verdicts, from the start of the roll"),
    ("encoder", Form.COUNT32, "counts", "Encoder at the last line captured, modulo 2^32"),
    ("lag_ms", Form.U32, "ms", "From capture to verdict, now"),
    ("lag_mm", Form.U32, "mm", "Way of the web in that time"),
    ("latency_p99_mm", Form.U32, "mm", "Way of the web from capture to verdict, 99th percentile"),
    ("actuator_mm", Form.U32, "mm", "Way from camera to actuator; 0: not configured"),
    ("out_of_specification", Form.BOOL, "", "The line works outside of what it is made for (NE "
     "107), such as verdicts that come when the web is nearly at the actuator: run slower"),
    ("defects", Form.U32, "", "Defects of the roll so far"),
    ("active_alarms", Form.U16, "", "Alarms that are active"),
    ("unacknowledged", Form.U16, "", "Alarms that nobody has acknowledged"),
)  # fmt: skip
_ALARM = (
    ("alarm_active", Form.BOOL, "", "An alarm is shown and waits for its acknowledgement"),
    ("valid_toggle", Form.BOOL, "", "Inverts with each alarm that is shown"),
    ("alarm_seq", Form.U32, "", "Number of what is shown: the PLC writes it into ack_seq. Rises by "
     "one from alarm to alarm; a restart begins at another number. 0: none yet"),
    ("alarm_message", Form.U32, "", "Sequence number of the alarm in all other outputs and logs"),
    ("alarm_kind", Form.U16, "", f"0 none, {_codes(KINDS)}"),
    ("alarm_severity", Form.U16, "", f"0 none, {_codes(SEVERITIES)}"),
    ("alarm_state", Form.U16, "", f"0 none, {_codes(DEFECT_STATES)}"),
    ("alarm_condition", Form.U16, "", "After ISA-18.2, when it was first shown: 0 none, "
     f"{_codes(CONDITIONS)}"),
    ("alarm_signal", Form.U16, "", f"NE 107, of system alarms: {_codes(SIGNALS)}"),
    ("alarm_peak", Form.U16, "0.01", "Highest score of a defect; 100 is the alarm level"),
    ("alarm_pos_first_mm", Form.U32, "mm", "Where it begins down the web, rounded down"),
    ("alarm_pos_end_mm", Form.U32, "mm", "Where it ends down the web, rounded up"),
    ("alarm_length_mm", Form.U32, "mm", "Length down the web"),
    ("alarm_cross_first_mm", Form.I32, "mm", "Where it begins across the web, rounded down"),
    ("alarm_cross_end_mm", Form.I32, "mm", "Where it ends across the web, rounded up"),
    ("alarm_encoder_first", Form.COUNT32, "counts", "Encoder at its first line, modulo 2^32"),
    ("alarm_encoder_end", Form.COUNT32, "counts", "Encoder after its last line, modulo 2^32"),
    ("alarm_travel_mm", Form.U32, "mm", "Way of the web from its capture to its announcement"),
    ("alarm_age_ms", Form.U32, "ms", "Time from its capture to its being shown"),
)  # fmt: skip
_QUEUE = (
    ("waiting", Form.U16, "", "Alarms that wait behind the one shown"),
    ("highest_severity_waiting", Form.U16, "", "The most severe of the one shown and those that "
     f"wait: 0 none, {_codes(SEVERITIES)}"),
    ("not_inspected_waiting", Form.BOOL, "", "A not-inspected alarm is shown or waits"),
    ("overflow", Form.U32, "", "Alarms that could not wait any more and were never shown; when "
     "this rises, reject until somebody has looked"),
    ("acks_refused", Form.U32, "", "Acknowledgements of a number that was not shown"),
    ("config_digest", Form.U32, "", "First 32 bits of the digest of the configuration"),
    ("model_digest", Form.U32, "", "First 32 bits of the digest of the model"),
)  # fmt: skip
_PLC = (
    ("command", Form.U16, "", "A value other than the one before is carried out once: "
     f"{_codes(COMMANDS)}"),
    ("ack_seq", Form.U32, "", "alarm_seq of what the PLC has taken over; the next one follows"),
)  # fmt: skip


def _laid_out() -> tuple[Register, ...]:
    """All values one after the other; the PLC's own last."""
    laid: list[Register] = []
    for row in (*_LINE, *_ALARM, *_QUEUE, *_PLC):
        address = laid[-1].end if laid else 0
        laid.append(Register(address, *row, by_plc=row in _PLC))
    return tuple(laid)


REGISTERS = _laid_out()
BY_NAME = {register.name: register for register in REGISTERS}
WORD_COUNT = REGISTERS[-1].end
ACK, COMMAND = BY_NAME["ack_seq"], BY_NAME["command"]
WRITABLE = (COMMAND.address, ACK.end)


def encode(values: Values) -> tuple[int, ...]:
    """All words of the map, WORD_COUNT of them; a value that is not given is 0.

    Raises:
        ValueError: a name is not in the map.
    """
    strange = sorted(set(values) - set(BY_NAME))
    require(not strange, "names of registers must be in the map", strange)
    return tuple(word for r in REGISTERS for word in r.encode(values.get(r.name, 0)))


def decode(words: Sequence[int]) -> dict[str, int]:
    """Values by name of a whole map; the inverse of `encode` for what fits."""
    require(len(words) == WORD_COUNT, f"a map must have {WORD_COUNT} words", len(words))
    return {r.name: r.decode(words[r.address : r.end]) for r in REGISTERS}
