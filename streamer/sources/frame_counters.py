"""Counters of frames: how they unwrap, and what became of frames and lines; knows no pixel."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def unwrap(raw: int, near: int, bits: int) -> int:
    """The count nearest to `near` whose low `bits` bits are those of `raw`.

    Right as long as the true count is less than half the counter's range away from `near`.
    """
    span = 1 << bits
    return near + (raw - near + span // 2) % span - span // 2


def unwrap_lines(raw: npt.NDArray[np.int64], near: int, bits: int) -> npt.NDArray[np.int64]:
    """Like `unwrap` for (n,) counts in a row, each taken as near to the one before."""
    span = 1 << bits
    counts = np.concatenate([[near], raw]).astype(np.int64)
    steps = counts[1:] - counts[:-1]
    return near + np.cumsum(np.mod(steps + span // 2, span) - span // 2)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What became of frames and lines since the start; immutable, `plus` returns a new one.

    Frames: `frames` came, of them `duplicate_frames` and `late_frames` (their place was given up)
    were dropped, `reordered_frames` put back in order, `partial_frames` had filler. `breaks` of the
    stream were told by the source, `restarts` of the counters were found here.
    Lines: `delivered_lines`; of the web lost as camera loss, partial frame and overspeed
    (`lost_lines`, `partial_lines`, `overspeed_lines`); captured but not delivered because the web
    stood still (`standing_lines`) or had been seen before (`seen_again_lines`). `overstated_lines`
    were said to be lost by time while the camera was away, and did not pass as it turned out.
    """

    frames: int = 0
    duplicate_frames: int = 0
    late_frames: int = 0
    reordered_frames: int = 0
    partial_frames: int = 0
    breaks: int = 0
    restarts: int = 0
    delivered_lines: int = 0
    lost_lines: int = 0
    partial_lines: int = 0
    overspeed_lines: int = 0
    standing_lines: int = 0
    seen_again_lines: int = 0
    overstated_lines: int = 0

    def plus(self, **counts: int) -> LineCounts:
        """With each named count raised by so many."""
        raised = {name: getattr(self, name) + n for name, n in counts.items() if n}
        return replace(self, **raised) if raised else self

    def __add__(self, other: LineCounts) -> LineCounts:
        """The sum of both, count by count."""
        return self.plus(**{one.name: getattr(other, one.name) for one in fields(other)})
