"""What faults a frame of the simulated camera meets, and their truth; knows no pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.fault_script import (
    CameraLoss,
    Duplicate,
    LostFrames,
    LostLines,
    Overspeed,
    PartialFrame,
    Reorder,
)
from streamer.message import GapReason, Interval
from streamer.web import merge_intervals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamer.fault_script import Fault
    from streamer.web import WebGeometry

OF_FRAMES = (LostLines, LostFrames, PartialFrame, Duplicate, Reorder, CameraLoss)
_REASONS = {
    "lost_lines": GapReason.CAMERA_LOSS,
    "lost_frames": GapReason.CAMERA_LOSS,
    "camera_loss": GapReason.CAMERA_LOSS,
    "partial_frame": GapReason.PARTIAL_FRAME,
    "overspeed": GapReason.OVERSPEED,
}


class FaultLog:
    """Which faults were met, which lines of the web each of them hid, and which came again."""

    def __init__(self, faults: Sequence[Fault], geometry: WebGeometry, first_line: int) -> None:
        """Faults before `first_line` were met by another camera, before this one started."""
        self._geometry = geometry
        at_lines = [(geometry.lines(fault.at_m), fault) for fault in faults]
        self._begun = sorted(at_lines, key=lambda pair: pair[0])
        self._pending = [
            pair for pair in self._begun if isinstance(pair[1], OF_FRAMES) and pair[0] >= first_line
        ]
        self._missed: dict[int, tuple[Interval, ...]] = {}
        self._again: tuple[Interval, ...] = ()

    def meet(self, end_line: int) -> tuple[Fault, ...]:
        """The faults of frames that begin before `end_line`, each once."""
        met = [fault for at, fault in self._pending if at < end_line]
        self._pending = self._pending[len(met) :]
        return tuple(met)

    def lose(self, fault: Fault, lines: npt.NDArray[np.int64]) -> None:
        """These web lines did not arrive when the camera first passed them, because of `fault`."""
        known = self._missed.get(id(fault), ())
        self._missed[id(fault)] = merge_intervals([*known, *_runs(np.unique(lines))])

    def arrive_again(self, lines: npt.NDArray[np.int64]) -> None:
        """The web was rolled back, and a frame shows these lines, passed before."""
        self._again = merge_intervals([*self._again, *_runs(np.unique(lines))])

    def lose_skipped(self, lines: npt.NDArray[np.int64]) -> None:
        """These web lines were never exposed; the latest overspeed before them is the cause."""
        starts = [(at, one) for at, one in self._begun if isinstance(one, Overspeed)]
        for number, (at, fault) in enumerate(starts):
            end = starts[number + 1][0] if number + 1 < len(starts) else np.iinfo(np.int64).max
            self.lose(fault, lines[(lines >= at) & (lines < end)])

    def truth(self, end_line: int) -> list[dict[str, Any]]:
        """Of each fault that began before `end_line`: its script, and the lines it cost and why.

        `missed` [first, end) lines did not arrive when first passed; `lost` of them never did.
        """
        return [
            {
                **fault.model_dump(mode="json"),
                "at_line": at,
                "reason": _REASONS.get(fault.kind, ""),
                "missed": _pairs(self._missed.get(id(fault), ())),
                "lost": _pairs(_without(self._missed.get(id(fault), ()), self._again)),
            }
            for at, fault in self._begun
            if at < end_line
        ]


def _pairs(runs: Sequence[Interval]) -> list[list[int]]:
    return [[run.first, run.end] for run in runs]


def _without(runs: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """The parts of `runs` that are in none of `others`."""
    left = list(runs)
    for other in others:
        left = [
            piece
            for run in left
            for piece in (
                Interval(run.first, max(run.first, min(run.end, other.first))),
                Interval(min(run.end, max(run.first, other.end)), run.end),
            )
            if piece.size
        ]
    return left


def _runs(lines: npt.NDArray[np.int64]) -> list[Interval]:
    """Ascending lines as intervals."""
    if len(lines) == 0:
        return []
    parts = np.split(lines, np.flatnonzero(np.diff(lines) != 1) + 1)
    return [Interval(int(part[0]), int(part[-1]) + 1) for part in parts]
