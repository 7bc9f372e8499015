"""What is told through a broker, as topics and JSON; knows no connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from streamer.line_status import LONGEST_TEXT, Command, CommandAnswer, LineStatus, RunState
from streamer.outputs.alarm_message import SNAPSHOT_SCHEMA, alarm_record, encode
from streamer.outputs.line_message import decode_command, encode_answer, encode_status

if TYPE_CHECKING:
    from streamer.line_ports import LineView
    from streamer.message import Alarm

ONLINE, OFFLINE = b"online", b"offline"
LOST_FIGURE = "mqtt_lost_messages"

_UNHEARD = LineStatus(
    publisher="",
    sequence=0,
    beat=0,
    sent_ns=0,
    state=RunState.PREOPERATIONAL,
    roll="",
    data_valid=False,
    reason="",
    not_inspected_active=False,
    last_line=0,
    judged_line=0,
    encoder=0,
    position_mm=0.0,
    speed_m_min=0.0,
    lag_ms=0.0,
    lag_mm=0.0,
    latency_p99_ms=0.0,
    latency_p99_mm=0.0,
    actuator_mm=0.0,
    defects=0,
    active_alarms=0,
    unacknowledged=0,
    config_digest="",
    model_digest="",
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is published at once, with QoS 0 or 1."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Topics:
    """Where things are told, below a prefix that other lines do not have."""

    prefix: str

    @property
    def availability(self) -> str:
        """Retained `online` or `offline`; the broker itself says the latter of a dead gateway."""
        return f"{self.prefix}/availability"

    @property
    def state(self) -> str:
        """Retained: how the line stands."""
        return f"{self.prefix}/state"

    @property
    def active(self) -> str:
        """Retained: the alarms that are not normal."""
        return f"{self.prefix}/active"

    @property
    def command(self) -> str:
        """Where peers ask for something."""
        return f"{self.prefix}/command"

    @property
    def answer(self) -> str:
        """Whether it was done."""
        return f"{self.prefix}/answer"

    def available(self, is_online: bool) -> Message:
        """Whether somebody stands behind the other topics."""
        return Message(self.availability, ONLINE if is_online else OFFLINE, retain=True)

    def alarm(self, publisher: str, alarm: Alarm) -> Message:
        """One message of `linescan.alarm`, on a topic of its kind."""
        return Message(f"{self.prefix}/alarms/{alarm.kind}", encode(alarm_record(alarm, publisher)))

    def told(self, status: LineStatus) -> Message:
        """The status; a newer one follows soon, so that nobody waits for its receipt."""
        return Message(self.state, encode_status(status), qos=0, retain=True)

    def snapshot(self, publisher: str, sequence: int, alarms: tuple[Alarm, ...]) -> Message:
        """What is active once the alarms up to `sequence` were told."""
        record: dict[str, Any] = {
            "schema": SNAPSHOT_SCHEMA,
            "publisher": publisher,
            "sequence": sequence,
            "active": [alarm_record(one, publisher) for one in alarms],
        }
        return Message(self.active, encode(record), retain=True)

    def answered(self, answer: CommandAnswer) -> Message:
        """The sink's answer, or a refusal."""
        return Message(self.answer, encode_answer(answer))


def status_shown(view: LineView, lost: int, fault: str = "") -> LineStatus:
    """The line's status as far as it holds now: what is old or has a `fault` is not valid.

    A sink that fell silent while a roll ran leaves web that nobody has judged.
    """
    status = view.status or _UNHEARD
    has_ended = view.state is RunState.HALTED
    reason = status.reason if has_ended and status.reason else view.reason or fault
    is_unseen = bool(fault) and view.state is RunState.CONTINUOUS_EXECUTION
    is_blind = is_unseen or view.state is RunState.ERROR
    return replace(
        status,
        state=view.state,
        data_valid=view.data_valid and not fault,
        reason=reason,
        not_inspected_active=status.not_inspected_active or is_blind,
        figures={**status.figures, LOST_FIGURE: float(lost)},
    )


def asked(payload: bytes) -> Command:
    """What a peer asks for, under a name that says through what it came.

    Raises:
        ValueError: it is no command of this version, or one that cannot be meant.
    """
    command = decode_command(payload)
    return replace(command, by=f"mqtt:{command.by}"[:LONGEST_TEXT])


def refusal(payload: bytes, why: str) -> CommandAnswer:
    """The answer to what cannot be passed on; with its id, if one can be found in it."""
    return CommandAnswer(_id_in(payload), ok=False, text=why[:LONGEST_TEXT])


class _Named(msgspec.Struct):
    """As much of a command as an answer needs."""

    id: str = ""


def _id_in(payload: bytes) -> str:
    try:
        return msgspec.json.decode(payload, type=_Named).id[:LONGEST_TEXT]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
