"""A clock that stages share in tests; it moves only when told to, or when somebody waits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class FakeClock:
    """Time in ns; waiting moves it on and lets the actors of the test do their part.

    `pause_s` is really slept in each wait, for a stage that has a thread of its own.
    """

    ns: int = 1_000_000_000
    actors: list[Callable[[], None]] = field(default_factory=list)
    waits: int = 0
    pause_s: float = 0.0

    def __call__(self) -> int:
        return self.ns

    def advance_ms(self, milliseconds: float) -> None:
        self.ns += int(milliseconds * 1_000_000)

    def wait(self, timeout_ms: int) -> None:
        """See ports.Waiting."""
        self.waits += 1
        if self.waits > 50_000:
            pytest.fail("the stage does not end")
        self.advance_ms(max(timeout_ms, 0.1))
        if self.pause_s:
            time.sleep(self.pause_s)
        for actor in self.actors:
            actor()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
