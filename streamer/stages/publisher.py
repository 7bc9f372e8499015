"""Alarms, status and live map to whoever listens, and their commands; knows no socket and file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.line_status import CommandAnswer, CommandKind
from streamer.stages.map_rows import map_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.alarm_book.book import AlarmBook
    from streamer.line_ports import AlarmMemory, AlarmOutput, LinePeers
    from streamer.line_status import Command, LineStatus
    from streamer.message import Alarm
    from streamer.ports import RollRecord
    from streamer.stages.announcer import AlarmOrigin
    from streamer.web import Strip

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
STATUS_MS = 100


@dataclass(slots=True)
class Publisher:
    """Tells every output, and lets none that fails silence another or end the inspection.

    What is told of alarms is what the book makes of them, and in its memory before it is told.
    """

    outputs: tuple[AlarmOutput, ...]
    peers: LinePeers
    record: RollRecord
    origin: AlarmOrigin
    book: AlarmBook
    memory: AlarmMemory
    stop_requested: bool = False
    faults: int = 0
    _told_ns: int = 0

    def publish(self, alarm: Alarm | None, now_ns: int) -> None:
        """Tell what is to be told of an alarm; None is nothing to tell."""
        if alarm is not None:
            self._send(self.book.take(alarm, now_ns))

    def _send(self, messages: tuple[Alarm, ...]) -> None:
        for alarm in (*self.book.take_withheld(), *messages):
            self.memory.publish(alarm)
        self._try(lambda: self.memory.commit(self.book.state))
        for alarm in messages:
            self.record.add_alarm(alarm)
            self.tell(lambda output, alarm=alarm: output.publish(alarm))  # type: ignore[misc]

    def tell(self, tell: Callable[[AlarmOutput], None]) -> None:
        """Do something with every output."""
        for output in self.outputs:
            self._try(lambda output=output: tell(output))  # type: ignore[misc]

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self.faults += 1
            if self.faults % 1000 == 1:
                _LOG.error("alarms could not be told or kept (%d times): %s", self.faults, error)

    def serve(self, status: Callable[[], LineStatus], now_ns: int) -> None:
        """Answer peers, and tell them how the line stands when it is time; comes often."""
        if messages := self.book.tick(now_ns):
            self._send(messages)
        self.tell(lambda output: output.poll())
        for address, command in self.peers.take_commands():
            answer = self._obey(command, now_ns)
            self._try(lambda a=address, b=answer: self.peers.answer(a, b))  # type: ignore[misc]
        if now_ns - self._told_ns >= STATUS_MS * NS_PER_MS:
            self.tell_status(status(), now_ns)

    def tell_status(self, status: LineStatus, now_ns: int) -> None:
        """Tell peers how the line stands, now."""
        self._told_ns = now_ns
        self._try(lambda: self.peers.tell(status))

    def show(self, strip: Strip) -> None:
        """Show a strip on the live map."""
        rows = map_rows(self.origin.roll, strip, self.origin.geometry)
        self._try(lambda: self.peers.show_rows(rows))

    def _obey(self, command: Command, now_ns: int) -> CommandAnswer:
        """Carry out what a peer asks; a yes is kept by then, unless the disk hangs."""
        if command.kind is CommandKind.STOP:
            _LOG.warning("%s asks to stop the roll", command.by)
            self.stop_requested = True
            return CommandAnswer(command.id, ok=True)
        answer, messages = self.book.command(command, now_ns)
        _LOG.info("%s: %s %s: %s", *(command.by, command.kind, command.alarm, answer.text or "ok"))
        self._send(messages)
        return answer
