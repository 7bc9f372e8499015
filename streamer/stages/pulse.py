"""Heartbeats of a work loop; knows no transport and no supervisor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import Heartbeat, StageState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.ports import Outlet

NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Pulse:
    """Sends the heartbeat of one stage to everyone who watches it, from its work loop."""

    stage: str
    process: str
    outlets: tuple[Outlet, ...]
    beat_ms: int
    now_ns: Callable[[], int]
    state: StageState = StageState.STARTING
    backend: str = ""
    last_line: int = 0
    queue_depth: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    _sent_ns: int = 0

    @property
    def is_due(self) -> bool:
        """Whether the next `beat` will send one."""
        return self.now_ns() - self._sent_ns >= self.beat_ms * NS_PER_MS

    def beat(self, busy_ms: int = 0) -> None:
        """Send a heartbeat if one is due; `busy_ms`: how long the next call may last."""
        if self.is_due:
            self.beat_now(busy_ms)

    def announce_busy(self, limit_ms: int) -> None:
        """Say before a call how long it may last; past that the stage counts as stalled."""
        self.beat_now(limit_ms)

    def enter(self, state: StageState) -> None:
        """Change the state and say so at once."""
        self.state = state
        self.beat_now()

    def beat_now(self, busy_ms: int = 0) -> None:
        """Send a heartbeat; one that finds a full queue is dropped, the next one will do."""
        now_ns = self.now_ns()
        self._sent_ns = now_ns
        busy_until_ns = now_ns + busy_ms * NS_PER_MS
        beat = Heartbeat(
            self.stage,
            self.process,
            self.state,
            now_ns,
            busy_until_ns,
            self.last_line,
            self.queue_depth,
            self.backend,
            dict(self.figures),
            self.notices,
        )
        for outlet in self.outlets:
            outlet.send(beat)
