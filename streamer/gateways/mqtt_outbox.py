"""What waits for the broker, bounded, in the order in which it is told; knows no connection."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from streamer.gateways.mqtt_messages import Message, Topics, asked, refusal, status_shown
from streamer.line_ports import LineView

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_status import Command, LineStatus
    from streamer.message import Alarm

_LOG = logging.getLogger(__name__)
MOST_ANSWERS = 1_000
MOST_COMMANDS = 100
SILENT_S = 1.0  # the stage shows a view every 20 ms or so
BYTES_PER_S = 500_000  # of the list of active alarms, at most: thousands of them are a megabyte
NOTHING = LineView(None, is_fresh=False, is_synchronised=False)


@dataclass(slots=True)
class Outbox:
    """Filled by the stage, emptied by the thread that has the connection.

    Each alarm stays first until the broker has it (`done`): after a connection broke, what may not
    have arrived is told again, and nothing after it before. When `most_waiting` wait the oldest
    goes; `lost` counts them. State and active alarms are always the latest: they do not wait.
    """

    topics: Topics
    most_waiting: int
    interval_s: float
    clock: Callable[[], float] = time.monotonic
    lost: int = 0
    _lock: Lock = field(default_factory=Lock)
    _alarms: deque[tuple[str, Alarm]] = field(default_factory=deque)
    _answers: deque[Message] = field(default_factory=lambda: deque(maxlen=MOST_ANSWERS))
    _commands: deque[Command] = field(default_factory=deque)
    _view: LineView = NOTHING
    _shown_s: float = float("-inf")
    _told: LineStatus | None = None
    _told_s: float = float("-inf")
    _sequence: tuple[str, int] = ("", 0)
    _listed: tuple[str, tuple[Alarm, ...]] | None = None
    _list_due_s: float = float("-inf")
    _first: Message | tuple[str, Alarm] | None = None

    def show(self, view: LineView) -> None:
        """Take over the present state and queue what is news."""
        with self._lock:
            self._view, self._shown_s = view, self.clock()
            self._answers.extend(map(self.topics.answered, view.answers))
            if view.status is None:
                return
            publisher = view.status.publisher
            self._alarms.extend((publisher, one) for one in view.news)
            known = self._sequence[1] if self._sequence[0] == publisher else 0
            news = max((one.sequence for one in view.news), default=0)
            self._sequence = publisher, max(known, news, view.status.sequence)
            self._push_out()

    def ask(self, payload: bytes, *, is_retained: bool, is_open: bool) -> None:
        """Take what a peer asks for, or answer why not."""
        try:
            if not is_open:
                _refuse("commands must be switched on (gateways.mqtt.commands)")
            if is_retained:  # It would be carried out again at each start, long after it was meant.
                _refuse("a command must not be retained")
            command = asked(payload)
            with self._lock:
                if len(self._commands) >= MOST_COMMANDS:
                    _refuse("a command must wait until others are answered")
                self._commands.append(command)
        except ValueError as error:
            with self._lock:
                self._answers.append(self.topics.answered(refusal(payload, str(error))))

    def take_commands(self) -> tuple[Command, ...]:
        """What was asked for since the last call."""
        with self._lock:
            taken = tuple(self._commands)
            self._commands.clear()
        return taken

    def begin(self) -> None:
        """A connection begins: its broker may know nothing, or what was true long ago."""
        with self._lock:
            self._told = self._listed = self._first = None
            self._told_s = self._list_due_s = float("-inf")

    def next_state(self, fault: str = "") -> Message | None:
        """The line's status when it is due: at once if it matters, else at intervals."""
        with self._lock:
            now_s = self.clock()
            if not fault and now_s - self._shown_s > SILENT_S:
                fault = "the gateway's own loop stands still" if self._view.status else ""
            shown = status_shown(self._view, self.lost, fault)
            if shown == self._told:
                return None
            if now_s - self._told_s < self.interval_s and not self._is_urgent(shown):
                return None
            self._told, self._told_s = shown, now_s
        return self.topics.told(shown)

    def next_message(self) -> Message | None:
        """What is to be told next and must arrive; `done` says that it has."""
        with self._lock:
            self._first = self._answers[0] if self._answers else None
            if isinstance(self._first, Message):
                return self._first
            listed = self._next_list()
            if listed is None and self._alarms:
                self._first = self._alarms[0]
            first = self._first
        if listed is not None:
            message = self.topics.snapshot(*listed)  # not under the lock: the stage never waits
            pause_s = max(self.interval_s, len(message.payload) / BYTES_PER_S)
            self._list_due_s = self.clock() + pause_s
            return message
        return None if first is None else self.topics.alarm(*first)

    def done(self) -> None:
        """The broker has the latest of `next_message`."""
        with self._lock:
            for queue in (self._answers, self._alarms):
                if queue and queue[0] is self._first:  # else it was pushed out meanwhile
                    queue.popleft()
            self._first = None

    @property
    def waiting(self) -> int:
        """How many alarms and answers are not told yet."""
        with self._lock:
            return len(self._alarms) + len(self._answers)

    def _next_list(self) -> tuple[str, int, tuple[Alarm, ...]] | None:
        """Publisher, sequence and active alarms, when they changed; a long list less often."""
        view = self._view
        if view.status is None or not view.is_synchronised or self.clock() < self._list_due_s:
            return None
        known = view.status.publisher, view.alarms
        if known == self._listed:
            return None
        self._listed = known
        return view.status.publisher, self._sequence[1], view.alarms

    def _is_urgent(self, shown: LineStatus) -> bool:
        return self._told is None or any(
            getattr(shown, name) != getattr(self._told, name)
            for name in ("data_valid", "state", "not_inspected_active", "roll", "publisher")
        )

    def _push_out(self) -> None:
        while len(self._alarms) > self.most_waiting:
            publisher, alarm = self._alarms.popleft()
            self.lost += 1
            if self.lost in (1, 10, 100) or self.lost % 1000 == 0:
                name = f"{publisher}/{alarm.sequence}"
                _LOG.warning("did not tell %s (%d so far): too many wait", name, self.lost)


def _refuse(rule: str) -> None:
    raise ValueError(rule)
