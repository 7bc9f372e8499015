"""What the metres that were learnt from can support; pure; knows no score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.message import require

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Support:
    """Metres collected and metres needed for a rate.

    No alarm in `metres_needed` of normal web shows, with `confidence`, a rate below the wanted one
    (the rule of three: -ln(1 - confidence) / rate); with fewer, the alarm level continues the tail
    beyond what was seen. Neighbouring blocks that rise together show less, so that the need grows
    with them. Metres are of the full width; a half of the width for 2 m counts as 1 m.
    """

    metres: float
    metres_needed: float
    smallest_rate_per_100m: float
    extrapolation: float
    confidence: float = CONFIDENCE

    @property
    def metres_missing(self) -> float:
        """How much more web is needed."""
        return max(self.metres_needed - self.metres, 0.0)

    @property
    def is_enough(self) -> bool:
        """Whether the wanted rate is supported."""
        return self.metres_missing == 0

    def sentence(self, false_alarms_per_100m: float) -> str:
        """For people, e.g. "0.3 per 100 m needs 400 m more"."""
        wanted = f"{false_alarms_per_100m:g} per 100 m"
        shown = f"{self.confidence:.0%} confidence"
        if self.is_enough:
            return f"{wanted} is supported by {for_people(self.metres)} m at {shown}"
        smallest = for_people(self.smallest_rate_per_100m)
        seen = f"{for_people(self.metres)} m support {smallest} per 100 m"
        least = f"{seen} at {shown}"
        if self.extrapolation <= 1:
            return f"{wanted} needs {for_people(self.metres_missing)} m more; {least}"
        beyond = f"the level goes {for_people(self.extrapolation)} times beyond what was seen"
        return f"{wanted} needs {for_people(self.metres_missing)} m more; {least}; {beyond}"


def for_people(figure: float) -> str:
    """With two digits, and without an exponent: 0.35, 6, 440, 7990."""
    return f"{figure:.0f}" if figure >= 10 else f"{figure:.2g}"


def support_of(metres: float, false_alarms_per_100m: float, dependence: float = 1.0) -> Support:
    """What `metres` of web, of which `dependence` count as one independent, say about a rate.

    `extrapolation`: in how many times those metres one false alarm may come; up to 1 the level lies
    within what was seen. Infinite where nothing was.

    Raises:
        ValueError: a figure is not positive (metres may be 0).
    """
    require(metres >= 0, "metres must be >= 0", metres)
    require(false_alarms_per_100m > 0, "false_alarms_per_100m must be > 0", false_alarms_per_100m)
    require(dependence >= 1, "dependence must be >= 1", dependence)
    needed = -float(np.log(1 - CONFIDENCE)) * 100 * dependence  # metres times rate per 100 m
    smallest = needed / metres if metres else float("inf")
    one_alarm_m = 100 * dependence / false_alarms_per_100m
    extrapolation = one_alarm_m / metres if metres else float("inf")
    return Support(metres, needed / false_alarms_per_100m, smallest, extrapolation)
