"""The running level of a web and scores in units of it; pure; knows no tail and no rate.

Webs change slowly: light, focus, another batch of yarn. The score of normal texture follows, and
what drifts between two strips outweighs the tail within one. Scores over the running level of the
web do not: the alarm level is calibrated in these units and brought back to raw scores for the
level of the moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.calibration.level import LaneLevel
from streamer.message import require

if TYPE_CHECKING:
    from streamer.calibration.blocks import Values
    from streamer.calibration.level import Calibration


def running_levels(levels: Values, window: int) -> Values:
    """Median of each level (n,) and the up to `window` - 1 before it, in web order.

    NaN (nothing was seen) is left out; until something is, the result is NaN. It depends on the
    order and on nothing after: the same web gives the same levels, however far it was read.

    Raises:
        ValueError: `window` is not positive.
    """
    require(window > 0, "window must be > 0", window)
    running = np.full(levels.size, np.nan)
    for index in range(levels.size):
        seen = levels[max(0, index + 1 - window) : index + 1]
        seen = seen[np.isfinite(seen)]
        if seen.size:
            running[index] = np.median(seen)
    return running


def at_level(calibration: Calibration, level: float) -> Calibration:
    """`calibration` of scores divided by a running level, in raw scores where that is `level`.

    Rates keep their meaning; everything that is a score is scaled.

    Raises:
        ValueError: `level` is not positive: such scores have no ratio.
    """
    require(level > 0, "level must be > 0", level)
    interval = calibration.level_interval
    return replace(
        calibration,
        background=calibration.background * level,
        alarm_level=calibration.alarm_level * level,
        level_interval=None if interval is None else (interval[0] * level, interval[1] * level),
        lane_levels=tuple(
            LaneLevel(own.lane, own.background * level, own.alarm_level * level, own.blocks)
            for own in calibration.lane_levels
        ),
    )
