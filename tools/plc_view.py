"""What a PLC makes of the registers that it polls: whether it may trust them; injects no fault."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WATCHDOG_S = 0.5  # a heartbeat that stands so long is none
POLL_S = 0.02
KEPT = 100_000  # glimpses


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One poll; `registers` is None when nobody answered."""

    at_s: float
    registers: dict[str, int] | None

    def shows(self, name: str, value: int) -> bool:
        """Whether a register was read with this value."""
        return self.registers is not None and self.registers[name] == value


@dataclass(frozen=True, slots=True)
class Sighting:
    """Seconds from a moment until the PLC saw each sign of blindness; None: it never did."""

    data_invalid_s: float | None
    not_inspected_s: float | None
    heartbeat_stands_s: float | None
    no_answer_s: float | None

    @property
    def blind_s(self) -> float | None:
        """Until it had to act as if nothing were inspected."""
        signs = (self.data_invalid_s, self.heartbeat_stands_s)
        return min((sign for sign in signs if sign is not None), default=None)


def sight(glimpses: Iterable[Glimpse], since_s: float) -> Sighting:
    """What was seen from a moment on; earlier glimpses are needed to know how long a beat stood."""
    seen = list(glimpses)
    after = [glimpse for glimpse in seen if glimpse.at_s >= since_s]

    def first(holds: Callable[[Glimpse], bool]) -> float | None:
        return next((g.at_s - since_s for g in after if holds(g)), None)

    stands = next((at_s for at_s in standing(seen) if at_s >= since_s), None)
    return Sighting(
        data_invalid_s=first(lambda glimpse: glimpse.shows("data_valid", 0)),
        not_inspected_s=first(lambda glimpse: glimpse.shows("not_inspected_active", 1)),
        heartbeat_stands_s=None if stands is None else stands - since_s,
        no_answer_s=first(lambda glimpse: glimpse.registers is None),
    )


def standing(glimpses: Iterable[Glimpse]) -> Iterable[float]:
    """The moments at which the heartbeat had not moved for WATCHDOG_S."""
    beat, moved_s = None, None
    for glimpse in glimpses:
        now = glimpse.registers and glimpse.registers["heartbeat"]
        if moved_s is None or (now is not None and now != beat):
            beat, moved_s = now, glimpse.at_s
        elif glimpse.at_s - moved_s >= WATCHDOG_S:
            yield glimpse.at_s


def trusted_since(glimpses: Iterable[Glimpse]) -> float | None:
    """Since when the line has been trusted without a break up to the last glimpse; None: it is not.

    Trusted: the beat moves, data is valid, and no web passes uninspected.
    """
    seen = list(glimpses)
    stands = set(standing(seen))
    since_s = None
    for glimpse in seen:
        is_valid = glimpse.shows("data_valid", 1) and glimpse.shows("not_inspected_active", 0)
        if not is_valid or glimpse.at_s in stands:
            since_s = None
        elif since_s is None:
            since_s = glimpse.at_s
    return since_s


@dataclass
class PlcView:
    """Polls in a thread until it is closed; `read` gives all registers, None: nobody answers."""

    read: Callable[[], dict[str, int] | None]
    _glimpses: deque[Glimpse] = field(default_factory=lambda: deque(maxlen=KEPT))
    _closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    @property
    def glimpses(self) -> tuple[Glimpse, ...]:
        """All so far, the oldest first."""
        return tuple(self._glimpses.copy())

    def wait_trusted(self, for_s: float, timeout_s: float) -> float:
        """Wait until the line was trusted for so long; since when it is.

        Raises:
            TimeoutError: it never was.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            since_s = trusted_since(self.glimpses)
            if since_s is not None and time.monotonic() - since_s >= for_s:
                return since_s
            time.sleep(POLL_S)
        last = self.glimpses[-1:]
        msg = f"the line must be trusted for {for_s:g} s within {timeout_s:g} s, got {last}"
        raise TimeoutError(msg)

    def close(self) -> None:
        """Stop polling."""
        self._closing.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._closing.is_set():
            registers = self.read()
            self._glimpses.append(Glimpse(time.monotonic(), registers))
            self._closing.wait(POLL_S)
