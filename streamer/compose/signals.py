"""Requests to stop: signals and a dead parent; knows no stage."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


@dataclass(slots=True)
class StopRequest:
    """Becomes true on SIGINT, SIGTERM or the death of `parent`; a second SIGINT interrupts."""

    parent: int | None = None
    requested: bool = False
    _interrupts: int = 0

    def install(self) -> StopRequest:
        """Take over both signals in this process."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __call__(self) -> bool:
        """Whether to drain and end."""
        if self.parent is not None and os.getppid() != self.parent:
            self.requested = True
        return self.requested

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            raise KeyboardInterrupt
        self.requested = True
