"""The rolling lanes of one worker and one roll; knows no pixels and no transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.message import require
from streamer.scoring.lane import LaneKey
from streamer.scoring.profile import require_bands, require_fit
from streamer.scoring.rolling import RollingLane
from streamer.scoring.rolling_state import RollingState

if TYPE_CHECKING:
    from streamer.message import ProfileState, Tile
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.rolling_plan import RollingPlan


class RollingLanes:
    """Each lane as far as this worker knows it; one roll is remembered at a time."""

    def __init__(self, plan: RollingPlan, lesson: Lesson, known_scale: ChannelScale | None) -> None:
        """`known_scale` is the one that the backbone fixes for all webs, or None.

        Raises:
            ValueError: the method of `lesson` has no reference per band.
        """
        require_bands(lesson.method)
        self._plan, self._lesson, self._known_scale = plan, lesson, known_scale
        self._lanes: dict[LaneKey, RollingLane] = {}
        self._adopted: dict[LaneKey, RollingState] = {}

    def of(self, tile: Tile) -> RollingLane:
        """The lane of a tile."""
        key = LaneKey.of(tile)
        self._forget_other_rolls(key)
        if key not in self._lanes:
            self._lanes[key] = RollingLane(self._plan, self._lesson, self._known_scale)
        lane = self._lanes[key]
        if key in self._adopted:
            lane.adopt(self._adopted.pop(key))
        return lane

    def adopt(self, message: ProfileState) -> None:
        """Continue a lane where another worker left it.

        Raises:
            ValueError: the state is damaged or fits neither backbone nor method nor plan.
        """
        state = RollingState.from_bytes(message.profile)
        if state.profile is not None:
            require_fit(state.profile, self._lesson.method, self._lesson.spec)
            width = state.profile.bands.width if state.profile.bands is not None else None
            rule = f"profile must have bands of {self._plan.band_width} features"
            require(width == self._plan.band_width, rule, width)
        _require_prototypes(state, self._plan.prototypes.count)
        key = LaneKey(message.roll, message.camera, message.lane)
        self._forget_other_rolls(key)
        self._adopted[key] = state

    def _forget_other_rolls(self, key: LaneKey) -> None:
        if any(known.roll != key.roll for known in (*self._lanes, *self._adopted)):
            self._lanes, self._adopted = {}, {}


def _require_prototypes(state: RollingState, most: int) -> None:
    """What segments of another rule left cannot be combined with ours."""
    medians = [one.medians for one in state.segments if one.medians is not None]
    given = {one.windows.shape[1] if one.windows.dim() > 1 else 1 for one in medians}
    rule = f"segments of a lane must have {most} prototypes per band"
    require(given <= {most}, rule, sorted(given))
