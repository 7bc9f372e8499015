"""What the operator page shows now, between the stage's thread and the server's; knows no HTTP."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from streamer.line_ports import LineView
from streamer.line_status import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_status import CommandAnswer, MapRows
    from streamer.message import Alarm

LIVE_S = 1.0  # without a view: what was shown last is no longer so
LARGEST_MAP_BYTES = 1_500_000
MOST_STRIPS = 4_000
MOST_ANSWERS = 200
NOTHING = LineView(None, False, False)


@dataclass(frozen=True, slots=True)
class Shown:
    """The last view and how old it is.

    `silent_s` is since the stage handed it over, `beat_age_s` since the sink's count of life rose.
    `messages` counts alarm messages by kind. Whatever a peer is told of validity comes from here:
    a view that is older than LIVE_S says nothing of the present.
    """

    view: LineView
    silent_s: float
    beat_age_s: float
    messages: tuple[tuple[str, int], ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether the stage still hands over views."""
        return self.silent_s <= LIVE_S

    @property
    def is_fresh(self) -> bool:
        """Whether the sink's figures are of now."""
        return self.is_live and self.view.is_fresh

    @property
    def data_valid(self) -> bool:
        """Whether web is being inspected, as far as is known now."""
        return self.is_live and self.view.data_valid

    @property
    def is_ready(self) -> bool:
        """Whether a roll runs and its web is being inspected."""
        return self.data_valid and self.view.state is RunState.CONTINUOUS_EXECUTION

    @property
    def reason(self) -> str:
        """Why the data is not valid; "" when it is."""
        if not self.is_live:
            return "the page's own process stands still"
        return self.view.reason

    @property
    def state(self) -> RunState:
        """The line's; ERROR when nothing is heard of it."""
        if self.is_live or self.view.state is RunState.PREOPERATIONAL:
            return self.view.state
        return RunState.ERROR


@dataclass(frozen=True, slots=True)
class Changes:
    """What came since it was asked before; `alarms` is None when they stand as they stood."""

    rows: tuple[MapRows, ...]
    answers: tuple[CommandAnswer, ...]
    alarms: tuple[Alarm, ...] | None
    is_synchronised: bool


@dataclass(slots=True)
class Board:
    """Takes views from one thread and gives them to another; memory is bounded by `map_mm`."""

    map_mm: float
    clock: Callable[[], float] = time.monotonic
    _view: LineView = NOTHING
    _shown_s: float = float("-inf")
    _beat: tuple[str, int] = ("", 0)
    _beat_s: float = float("-inf")
    _rows: deque[MapRows] = field(default_factory=deque)
    _map_bytes: int = 0
    _new_rows: deque[MapRows] = field(default_factory=lambda: deque(maxlen=MOST_STRIPS))
    _answers: deque[CommandAnswer] = field(default_factory=lambda: deque(maxlen=MOST_ANSWERS))
    _order: dict[str, int] = field(default_factory=dict)
    _alarms_changed: bool = True
    _messages: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def put(self, view: LineView) -> None:
        """Take over a view; returns at once."""
        with self._lock:
            self._take_alarms(view)
            self._view, self._shown_s = view, self.clock()
            if view.status and (view.status.publisher, view.status.beat) != self._beat:
                self._beat = (view.status.publisher, view.status.beat)
                self._beat_s = self._shown_s
            for rows in view.rows:
                self._add_rows(rows)
            self._new_rows.extend(view.rows)
            self._answers.extend(view.answers)

    def shown(self) -> Shown:
        """The last view with its age."""
        with self._lock:
            now_s = self.clock()
            messages = tuple(sorted(self._messages.items()))
            return Shown(self._view, now_s - self._shown_s, now_s - self._beat_s, messages)

    def alarms(self) -> tuple[Alarm, ...]:
        """Those that are not normal, in the order in which they are shown."""
        with self._lock:
            return self._sorted()

    def rows(self) -> tuple[MapRows, ...]:
        """The live map as far as it is kept, oldest first."""
        with self._lock:
            return tuple(self._rows)

    def take_changes(self) -> Changes:
        """What came since the last call."""
        with self._lock:
            alarms = self._sorted() if self._alarms_changed else None
            rows, answers = tuple(self._new_rows), tuple(self._answers)
            self._new_rows.clear()
            self._answers.clear()
            self._alarms_changed = False
            return Changes(rows, answers, alarms, self._view.is_synchronised)

    def _take_alarms(self, view: LineView) -> None:
        self._messages.update(alarm.kind.value for alarm in view.news)
        same = view.is_synchronised == self._view.is_synchronised
        if same and view.alarms == self._view.alarms:
            return
        self._alarms_changed = True
        # An alarm keeps its place while it is updated: nobody shall click on another one.
        self._order = {alarm.id: self._order.get(alarm.id, alarm.sequence) for alarm in view.alarms}

    def _sorted(self) -> tuple[Alarm, ...]:
        order = self._order
        return tuple(sorted(self._view.alarms, key=lambda one: _urgency(one, order[one.id])))

    def _add_rows(self, rows: MapRows) -> None:
        kept = self._rows
        if kept and kept[-1].roll != rows.roll:
            kept.clear()
            self._map_bytes = 0
        kept.append(rows)
        self._map_bytes += len(rows.cells)
        first_mm = rows.end_mm - self.map_mm
        while len(kept) > 1 and (
            kept[0].end_mm <= first_mm
            or self._map_bytes > LARGEST_MAP_BYTES
            or len(kept) > MOST_STRIPS
        ):
            self._map_bytes -= len(kept.popleft().cells)


_SEVERITIES = {"high": 0, "medium": 1, "low": 2}
_ASIDE = ("shelved", "suppressed", "out_of_service")


def _urgency(alarm: Alarm, order: int) -> tuple[bool, int, int]:
    """Sorts those put aside last, then by severity, then the newest first."""
    return alarm.condition in _ASIDE, _SEVERITIES[alarm.severity], -order
