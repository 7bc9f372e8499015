"""Modbus TCP gateway: the line in registers, one alarm at a time; decides nothing about alarms."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from streamer.gateway_sections import is_loopback
from streamer.gateways.modbus_queue import BY, AlarmQueue
from streamer.gateways.modbus_registers import (
    ACK,
    COMMAND,
    COMMANDS,
    WORD_COUNT,
    WRITABLE,
    encode,
)
from streamer.gateways.modbus_requests import Block
from streamer.gateways.modbus_server import Endpoint, ModbusServer
from streamer.gateways.modbus_values import BLIND, UNHEARD, alarm_values, line_values
from streamer.line_status import Command, CommandKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.gateway_sections import ModbusGateway
    from streamer.gateways.modbus_queue import Shown
    from streamer.line_ports import LineView

_LOG = logging.getLogger(__name__)
STALE_S = 0.5  # without a view: the stage hangs, whatever it showed last
MOST_REMEMBERED = 1_000  # alarms that the sink knows no more
EVERYTHING = "*"


class ModbusTcp:
    """Shows the line as registers, and takes what the PLC writes; see line_ports.Gateway."""

    def __init__(self, settings: ModbusGateway) -> None:
        """Listen; until something is shown, nothing is valid.

        Raises:
            OSError: the address cannot be bound.
        """
        # Numbers must not come again after a restart: a PLC may go on writing an old one.
        self._queue = AlarmQueue(settings.queue, int(time.time()))
        self._may_stop = settings.stop == "on"
        self._lock = threading.Lock()
        self._commands: list[Command] = []
        self._written = {COMMAND.name: 0, ACK.name: 0}
        self._line: dict[str, float] = dict(UNHEARD)
        self._shown: Shown | None = None
        self._alarm: dict[str, float] = {}
        self._publisher, self._now_ns = "", 0
        self._overflow_told, self._refused_told = 0, 0
        self._shown_s = time.monotonic()
        self._encode()
        block = Block(WORD_COUNT, WRITABLE, self._words, self._write)
        endpoint = Endpoint(settings.host, settings.port, settings.unit, settings.connections)
        self._server = ModbusServer(endpoint, block)
        if not is_loopback(settings.host):
            _LOG.warning("Modbus knows no password: who reaches %s acknowledges", settings.host)

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
        """What the PLC acknowledged or asked for since the last call."""
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
            # The end of an alarm may have been lost on the way: what is remembered stays bounded.
            is_full = self._queue.remembered > 2 * len(view.alarms) + MOST_REMEMBERED
            if view.is_synchronised and (is_full or status.publisher != self._publisher):
                self._publisher = status.publisher
                self._queue.keep_only(alarm.id for alarm in view.alarms)
        self._queue.take(view.news)
        self._line = line_values(view)
        self._shown_s = time.monotonic()
        self._encode()

    def _encode(self) -> None:
        """Make the words anew; the lock is held once the server runs."""
        if self._queue.shown is not self._shown:
            self._show_alarm(self._queue.shown)
        self._fresh, self._stale = self._encoded(), self._encoded(**BLIND)

    def _show_alarm(self, shown: Shown | None) -> None:
        # The same number: what is told stays as it was, only whom it needs has changed.
        is_same = shown and self._shown and shown.number == self._shown.number
        self._shown = shown
        if not is_same:
            self._alarm = alarm_values(shown, self._now_ns) if shown else {}

    def _encoded(self, **instead: float) -> tuple[int, ...]:
        queue = self._queue
        values: dict[str, float] = {
            "valid_toggle": queue.last_number % 2,
            "alarm_seq": queue.last_number,
            "waiting": len(queue),
            "highest_severity_waiting": queue.highest_rank,
            "not_inspected_waiting": queue.not_inspected,
            "overflow": queue.overflow,
            "acks_refused": queue.refused,
        }
        return encode({**self._line, **values, **self._alarm, **self._written, **instead})

    def _words(self) -> tuple[int, ...]:
        """What is read now; the server's thread asks."""
        is_stale = time.monotonic() - self._shown_s > STALE_S
        return self._stale if is_stale else self._fresh

    def _write(self, address: int, words: Sequence[int]) -> None:
        """The PLC wrote, within WRITABLE; called in the server's thread.

        Raises:
            ValueError: it is a command that is not known or not allowed.
        """
        with self._lock:
            now = list(self._fresh)
            now[address : address + len(words)] = words
            self._obey(COMMAND.decode(now[COMMAND.address : COMMAND.end]))
            self._written[ACK.name] = ACK.decode(now[ACK.address : ACK.end])
            if address + len(words) > ACK.address:
                self._acknowledge(self._written[ACK.name])
            self._encode()

    def _obey(self, code: int) -> None:
        allowed = [COMMANDS[""], COMMANDS["acknowledge_all"]]
        allowed += [COMMANDS["stop_the_line"]] if self._may_stop else []
        if code not in allowed:
            msg = f"command must be one of {allowed}, got {code}"
            raise ValueError(msg)
        is_new = code != self._written[COMMAND.name]  # many PLCs write in every cycle
        self._written[COMMAND.name] = code
        if is_new and code == COMMANDS["acknowledge_all"]:
            self._ask(CommandKind.ACKNOWLEDGE, EVERYTHING)
        if is_new and code == COMMANDS["stop_the_line"]:
            self._ask(CommandKind.STOP, "")

    def _acknowledge(self, number: int) -> None:
        alarm = self._queue.acknowledge(number)
        if alarm is not None:
            self._ask(CommandKind.ACKNOWLEDGE, alarm.id)

    def _ask(self, kind: CommandKind, alarm: str) -> None:
        self._commands.append(Command(uuid4().hex, kind, alarm, BY))

    def _tell(self) -> None:
        """Log what the PLC could not be told, and what it told wrongly."""
        if self._queue.overflow > self._overflow_told:
            self._overflow_told = self._queue.overflow
            _LOG.warning("%d alarms in all could not wait for the PLC", self._overflow_told)
        if self._queue.refused > self._refused_told:
            self._refused_told = self._queue.refused
            _LOG.warning("%d numbers in all were acknowledged but not shown", self._refused_told)
