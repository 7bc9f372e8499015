"""Alarms, status and live map to whoever listens, and their commands; knows no socket and file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.line_status import CommandAnswer, CommandKind
from streamer.message import AlarmCondition, DefectState
from streamer.stages.map_rows import map_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_status import Command, LineStatus
    from streamer.message import Alarm
    from streamer.ports import AlarmOutput, LinePeers, RollRecord
    from streamer.stages.announcer import AlarmOrigin
    from streamer.web import Strip

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
STATUS_MS = 100


@dataclass(slots=True)
class Publisher:
    """Tells every output, and lets none that fails silence another or end the inspection."""

    outputs: tuple[AlarmOutput, ...]
    peers: LinePeers
    record: RollRecord
    origin: AlarmOrigin
    stop_requested: bool = False
    sequence: int = 0
    faults: int = 0
    _active: dict[str, Alarm] = field(default_factory=dict)
    _told_ns: int = 0

    def publish(self, alarm: Alarm | None, now_ns: int) -> None:
        """Keep an alarm, and tell it; None is nothing to tell."""
        if alarm is not None:
            self._tell_alarm(self._with_condition(alarm, now_ns))

    def _with_condition(self, alarm: Alarm, now_ns: int) -> Alarm:
        ends = alarm.state is DefectState.END
        condition = AlarmCondition.NORMAL if ends else AlarmCondition.UNACKNOWLEDGED
        return replace(alarm, condition=condition, condition_ns=now_ns)

    def _tell_alarm(self, alarm: Alarm) -> None:
        self._active.pop(alarm.id, None)
        if alarm.condition is not AlarmCondition.NORMAL:
            self._active[alarm.id] = alarm
        self.sequence = alarm.sequence
        self.record.add_alarm(alarm)
        self.tell(lambda output: output.publish(alarm))

    @property
    def active(self) -> int:
        """How many alarms are not normal."""
        return len(self._active)

    @property
    def unacknowledged(self) -> int:
        """How many of them nobody has acknowledged."""
        waiting = (AlarmCondition.UNACKNOWLEDGED, AlarmCondition.LATCHED)
        return sum(alarm.condition in waiting for alarm in self._active.values())

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
                _LOG.error("alarm output failed (%d times): %s", self.faults, error)

    def serve(self, status: Callable[[], LineStatus], now_ns: int) -> None:
        """Answer peers, and tell them how the line stands when it is time; comes often."""
        self.tell(lambda output: output.poll())
        for address, command in self.peers.take_commands():
            answer = self._obey(command)
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

    def _obey(self, command: Command) -> CommandAnswer:
        if command.kind is CommandKind.STOP:
            _LOG.warning("%s asks to stop the roll", command.by)
            self.stop_requested = True
            return CommandAnswer(command.id, ok=True)
        return CommandAnswer(command.id, ok=False, text=f"{command.kind} is not known here")
