"""Modbus TCP gateway: the line in registers, one alarm at a time; decides nothing about alarms."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from streamer.gateways.modbus_queue import BY, AlarmQueue
from streamer.gateways.modbus_registers import (
    ACK,
    CONDITIONS,
    DEFECT_STATES,
    KINDS,
    MAP_VERSION,
    RUN_STATES,
    SEVERITIES,
    SIGNALS,
    WORD_COUNT,
    encode,
)
from streamer.gateways.modbus_server import Block, Endpoint, ModbusServer
from streamer.line_status import Command, CommandKind, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.gateway_sections import ModbusGateway
    from streamer.gateways.modbus_queue import Shown
    from streamer.line_status import LineStatus
    from streamer.ports import LineView

_LOG = logging.getLogger(__name__)
STALE_S = 0.5  # without a view: the stage hangs, whatever it showed last
_READY = (RunState.READY, RunState.CONTINUOUS_EXECUTION)
_BLIND = {  # whatever was valid, a PLC that reads this must reject
    "run_state": RUN_STATES[RunState.ERROR],
    "ready": 0,
    "data_valid": 0,
    "not_inspected_active": 1,
}


class ModbusTcp:
    """Shows the line as registers, and takes the PLC's acknowledgements."""

    def __init__(self, settings: ModbusGateway) -> None:
        """Listen; until something is shown, nothing is valid.

        Raises:
            OSError: the address cannot be bound.
        """
        # Numbers must not come again after a restart: a PLC may go on writing an old one.
        self._queue = AlarmQueue(settings.queue, int(time.time()))
        self._lock = threading.Lock()
        self._commands: list[Command] = []
        self._line: dict[str, float] = {**_BLIND, "run_state": RUN_STATES[RunState.PREOPERATIONAL]}
        self._shown: Shown | None = None
        self._alarm: dict[str, float] = {}
        self._publisher, self._now_ns = "", 0
        self._overflow_told, self._refused_told = 0, 0
        self._shown_s = time.monotonic()
        self._fresh = self._stale = self._encoded()
        block = Block(WORD_COUNT, (ACK.address, ACK.end), self._words, self._acknowledge)
        endpoint = Endpoint(settings.host, settings.port, settings.unit, settings.connections)
        self._server = ModbusServer(endpoint, block)

    def show(self, view: LineView) -> None:
        """Take over the line's present state.

        Raises:
            OSError: the server has ended; the process must be started anew.
        """
        if not self._server.is_alive:
            msg = "the Modbus server must go on until it is closed, got the end of its thread"
            raise OSError(msg)
        with self._lock:
            self._take(view)
        self._tell()

    def take_commands(self) -> tuple[Command, ...]:
        """Acknowledgements since the last call."""
        with self._lock:
            taken, self._commands = tuple(self._commands), []
        return taken

    def close(self) -> None:
        """Stop serving; may be called twice."""
        self._server.close()

    def _take(self, view: LineView) -> None:
        status = view.status
        if status is not None:
            self._now_ns = status.sent_ns
            if status.publisher != self._publisher and view.is_synchronised:
                self._publisher = status.publisher
                self._queue.keep_only(alarm.id for alarm in view.alarms)
        self._queue.take(view.news)
        self._line = _line_values(view)
        self._shown_s = time.monotonic()
        self._encode()

    def _encode(self) -> None:
        """Make the words anew; the lock is held."""
        if self._queue.shown is not self._shown:
            self._show_alarm(self._queue.shown)
        self._fresh, self._stale = self._encoded(), self._encoded(**_BLIND)

    def _show_alarm(self, shown: Shown | None) -> None:
        # The same number: what is told stays as it was, only whom it needs has changed.
        is_same = shown and self._shown and shown.number == self._shown.number
        self._shown = shown
        if not is_same:
            self._alarm = _alarm_values(shown, self._now_ns) if shown else {}

    def _encoded(self, **instead: float) -> tuple[int, ...]:
        queue = self._queue
        values = {
            "valid_toggle": queue.last_number % 2,
            "alarm_seq": queue.last_number,
            "waiting": len(queue),
            "highest_severity_waiting": queue.highest_rank,
            "not_inspected_waiting": queue.not_inspected,
            "overflow": queue.overflow,
            "acks_refused": queue.refused,
        }
        return encode({**self._line, **values, **self._alarm, **instead})

    def _words(self) -> tuple[int, ...]:
        """What is read now; the server's thread asks."""
        is_stale = time.monotonic() - self._shown_s > STALE_S
        return self._stale if is_stale else self._fresh

    def _acknowledge(self, words: Sequence[int]) -> None:
        """The PLC wrote ack_seq; called in the server's thread."""
        with self._lock:
            alarm = self._queue.acknowledge(ACK.decode(words))
            if alarm is not None:
                command = Command(uuid4().hex, CommandKind.ACKNOWLEDGE, alarm.id, BY)
                self._commands.append(command)
            self._encode()

    def _tell(self) -> None:
        """Log what the PLC could not be told, and what it told wrongly."""
        if self._queue.overflow > self._overflow_told:
            self._overflow_told = self._queue.overflow
            _LOG.warning("%d alarms in all could not wait for the PLC", self._overflow_told)
        if self._queue.refused > self._refused_told:
            self._refused_told = self._queue.refused
            _LOG.warning("%d numbers in all were acknowledged but not shown", self._refused_told)


def _line_values(view: LineView) -> dict[str, float]:
    status = view.status
    known = {} if status is None else _status_values(status)
    is_unknown = not view.is_fresh and view.state is not RunState.HALTED
    blind = status is None or is_unknown or status.not_inspected_active
    return {
        **known,
        "map_version": MAP_VERSION,
        "run_state": RUN_STATES[view.state],
        "ready": view.is_fresh and view.state in _READY,
        "data_valid": view.data_valid,
        "not_inspected_active": blind,
    }


def _status_values(status: LineStatus) -> dict[str, float]:
    judged = status.judged_line / status.last_line if status.last_line else 0.0
    return {
        "heartbeat": status.beat % 65_536,
        "speed": round(10 * status.speed_m_min),
        "position_mm": status.position_mm,
        "judged_mm": status.position_mm * judged,
        "encoder": status.encoder,
        "lag_ms": status.lag_ms,
        "lag_mm": status.lag_mm,
        "latency_p99_mm": math.ceil(status.latency_p99_mm),
        "actuator_mm": status.actuator_mm,
        "defects": status.defects,
        "active_alarms": status.active_alarms,
        "unacknowledged": status.unacknowledged,
        "config_digest": _first_bits(status.config_digest),
        "model_digest": _first_bits(status.model_digest),
    }


def _alarm_values(shown: Shown, now_ns: int) -> dict[str, float]:
    alarm = shown.alarm
    region = alarm.region
    return {
        "alarm_active": 1,
        "alarm_seq": shown.number,
        "alarm_message": alarm.sequence,
        "alarm_kind": KINDS[alarm.kind],
        "alarm_severity": SEVERITIES[alarm.severity],
        "alarm_state": DEFECT_STATES[alarm.state],
        "alarm_condition": CONDITIONS[alarm.condition],
        "alarm_signal": SIGNALS.get(alarm.signal, 0),
        "alarm_peak": round(100 * alarm.peak),
        "alarm_pos_first_mm": math.floor(region.down_first),
        "alarm_pos_end_mm": math.ceil(region.down_end),
        "alarm_cross_first_mm": math.floor(region.cross_first),
        "alarm_cross_end_mm": math.ceil(region.cross_end),
        "alarm_encoder_first": alarm.encoder_first,
        "alarm_encoder_end": alarm.encoder_end,
        "alarm_travel_mm": math.ceil(alarm.travel_mm),
        "alarm_age_ms": (now_ns - alarm.captured_ns) / 1e6 if alarm.captured_ns else 0,
    }


def _first_bits(digest: str) -> int:
    """First 32 bits of a digest in hexadecimal; 0 when there is none."""
    try:
        return int(digest[:8] or "0", 16)
    except ValueError:
        return 0
