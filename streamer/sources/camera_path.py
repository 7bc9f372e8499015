"""Which web line a simulated camera sees at each exposure, and when; knows no frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.fault_script import EncoderStop, Overspeed, Reverse, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamer.fault_script import Fault
    from streamer.message import Interval
    from streamer.web import WebGeometry

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Move:
    """After a pause, `count` exposures from web line `first` on, `step` lines apart."""

    first: int
    step: float
    count: int
    pause_ns: int = 0

    def lines(self, start: int, count: int) -> npt.NDArray[np.int64]:
        """(count,) web lines from exposure `start` of this move on."""
        steps = np.arange(start, start + count, dtype=np.float64) * self.step
        return self.first + np.floor(steps).astype(np.int64)


def plan_moves(faults: Sequence[Fault], geometry: WebGeometry, web: Interval) -> tuple[Move, ...]:
    """How the web runs from its first line to its end; faults that began before are left out."""
    moves: list[Move] = []
    line = web.first
    for fault in sorted(faults, key=lambda one: one.at_m):
        at = geometry.lines(fault.at_m)
        if not web.first <= at < web.end or not isinstance(fault, _MOVING):
            continue
        moves.append(Move(line, 1, max(0, at - line)))
        line = max(line, at)
        new_moves, line = _moves_of(fault, line, geometry, web)
        moves += new_moves
    return (*moves, Move(line, 1, max(0, web.end - line)))


_MOVING = (Reverse, EncoderStop, Overspeed, Stop)


def _moves_of(
    fault: Reverse | EncoderStop | Overspeed | Stop, at: int, geometry: WebGeometry, web: Interval
) -> tuple[list[Move], int]:
    """The moves of a fault at line `at`, and the line where the web goes on."""
    match fault:
        case Stop():
            return [Move(at, 1, 0, round(fault.seconds * _NS_PER_S))], at
        case EncoderStop():
            return [Move(max(web.first, at - 1), 0, fault.lines)], at
        case Reverse():
            back = min(geometry.lines(fault.back_m), at - web.first - 1)
            if back < 1:
                return [], at
            return [Move(at - 2, -1, back), Move(at - back, 1, back)], at
        case Overspeed():
            length = min(geometry.lines(fault.length_m), web.end - at)
            count = max(1, int(length / fault.factor))
            return [Move(at, fault.factor, count)], at + int(np.floor(count * fault.factor))


class Path:
    """Walks through moves; an exposure takes 1 / `line_rate_hz` seconds."""

    def __init__(self, moves: tuple[Move, ...], line_rate_hz: float, start_ns: int = 0) -> None:
        self._moves = list(moves)
        self._done = 0  # exposures of the first move that are left behind
        self._line_ns = _NS_PER_S / line_rate_hz
        self._start_ns = start_ns
        self.exposures = 0

    @property
    def now_ns(self) -> int:
        """End of the last exposure."""
        return self._start_ns + round(self.exposures * self._line_ns)

    def take(self, count: int) -> npt.NDArray[np.int64]:
        """The web lines of the next exposures, fewer at the end of the web."""
        parts = [np.zeros(0, np.int64)]
        while count > 0 and self._moves:
            part = self._moves[0].lines(self._done, min(count, self._moves[0].count - self._done))
            self._advance(len(part))
            parts.append(part)
            count -= len(part)
        return np.concatenate(parts)

    def take_until(self, line: int) -> npt.NDArray[np.int64]:
        """The web lines of all exposures before the one that sees `line` or what lies beyond."""
        parts = [np.zeros(0, np.int64)]
        while self._moves:
            rest = self._moves[0].lines(self._done, self._moves[0].count - self._done)
            beyond = np.flatnonzero(rest >= line)
            if len(beyond):
                parts.append(rest[: beyond[0]])
                self._advance(int(beyond[0]))
                break
            self._advance(len(rest))
            parts.append(rest)
        return np.concatenate(parts)

    def _advance(self, count: int) -> None:
        self.exposures += count
        self._done += count
        while self._moves and self._done >= self._moves[0].count:
            self._moves.pop(0)
            self._done = 0
            if self._moves:
                self._start_ns += self._moves[0].pause_ns
